"""Rules for what fails: queues, their alarms, and state machines."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from tools.cfn_rules._template import body, find, listed, match, properties, resources, target

_WORKFLOWS = ("AWS::Serverless::StateMachine", "AWS::StepFunctions::StateMachine")


def failure_queues(template: Mapping[str, Any]) -> set[str]:
    """The queues that take what others could not handle."""
    found = {target(value) for value in find(template, "deadLetterTargetArn")}
    for destination in find(template, "OnFailure"):
        found.add(target(destination.get("Destination")))
    for name in ("DeadLetterQueue", "DeadLetterConfig"):
        for value in find(template, name):
            found |= {target(value.get("TargetArn")), target(value.get("Arn"))}
    return {name for name in found if name}


class QueuesHaveAWayOut(CloudFormationLintRule):
    """A queue gives up on a message somewhere."""

    id = "E9131"
    shortdesc = "A queue has a dead-letter queue or is one"
    description = "A message that cannot be handled would come back until it is lost"
    tags: ClassVar = ["resources", "sqs"]

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Find queues without redrive that nothing uses for failures."""
        template = body(cfn)
        ends = failure_queues(template)
        return [
            match(["Resources", name], f"{name} has no dead-letter queue and is none")
            for name, resource in resources(template, "AWS::SQS::Queue")
            if name not in ends and "RedrivePolicy" not in properties(resource)
        ]


class FailuresAreSeen(CloudFormationLintRule):
    """Somebody learns of every failure."""

    id = "E9132"
    shortdesc = "A dead-letter queue has an alarm"
    description = "Messages in a dead-letter queue expire; an alarm on its depth makes somebody look"
    tags: ClassVar = ["resources", "sqs", "cloudwatch"]

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Find dead-letter queues whose depth raises no alarm."""
        template = body(cfn)
        watched = set(_watched(template, "ApproximateNumberOfMessagesVisible", "QueueName"))
        return [
            match(["Resources", name], f"no alarm watches {name}")
            for name, _ in resources(template, "AWS::SQS::Queue")
            if name in failure_queues(template) - watched
        ]


class WorkflowsAreLogged(CloudFormationLintRule):
    """A state machine can be followed, and its failures are seen."""

    id = "E9133"
    shortdesc = "A state machine has a log and an alarm"
    description = "Every state machine logs all events without data, which may be personal, and alarms on failures"
    tags: ClassVar = ["resources", "stepfunctions"]

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Find state machines without log or alarm."""
        template = body(cfn)
        watched = set(_watched(template, "ExecutionsFailed", "StateMachineArn"))
        found = []
        for name, resource in resources(template, *_WORKFLOWS):
            settings = properties(resource)
            logging = settings.get("Logging") or settings.get("LoggingConfiguration") or {}
            if logging.get("Level") != "ALL" or not logging.get("Destinations"):
                found.append(match(["Resources", name], f"{name} does not log all events (Logging)"))
            if logging.get("IncludeExecutionData") is not False:
                found.append(match(["Resources", name], f"{name} logs data (Logging.IncludeExecutionData)"))
            if name not in watched:
                found.append(match(["Resources", name], f"no alarm watches failed executions of {name}"))
        return found


def _watched(template: Mapping[str, Any], metric: str, dimension: str) -> Iterator[str]:
    for _, alarm in resources(template, "AWS::CloudWatch::Alarm"):
        settings = properties(alarm)
        metrics = [settings, *(each.get("MetricStat", {}).get("Metric", {}) for each in settings.get("Metrics", []))]
        for each in metrics:
            if each.get("MetricName") == metric:
                for pair in listed(each.get("Dimensions", [])):
                    name = target(pair.get("Value"))
                    if pair.get("Name") == dimension and name:
                        yield name
