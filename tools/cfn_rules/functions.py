"""Rules for functions: what each one says about itself, and where its failures go."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from tools.cfn_rules._template import body, function_properties, match, resources

_STREAMS = {"DynamoDB", "Kinesis"}
_QUEUES = {"SQS"}
_SYNCHRONOUS = {"Api", "HttpApi", "AlexaSkill", "Cognito"}


def _functions(cfn: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    template = body(cfn)
    for name, resource in resources(template, "AWS::Serverless::Function"):
        yield name, function_properties(template, resource)


class FunctionSaysWhatItNeeds(CloudFormationLintRule):
    """Memory, timeout, role and log group are decided, not left to defaults."""

    id = "E9101"
    shortdesc = "A function names its memory, timeout, role and log group"
    description = (
        "Without a role SAM makes one per function, without a log group Lambda makes one that keeps logs for ever, "
        "and the defaults of memory and timeout fit nothing"
    )
    tags: ClassVar = ["resources", "lambda"]

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Find functions that leave something open."""
        found = []
        for name, properties in _functions(cfn):
            given = {
                "MemorySize": properties.get("MemorySize"),
                "Timeout": properties.get("Timeout"),
                "Role": properties.get("Role"),
                "LoggingConfig.LogGroup": (properties.get("LoggingConfig") or {}).get("LogGroup"),
            }
            found += [
                match(["Resources", name], f"{name} does not say its {what}")
                for what, value in given.items()
                if value is None
            ]
        return found


class FunctionHasNoPolicies(CloudFormationLintRule):
    """Rights stand in shared roles only."""

    id = "E9102"
    shortdesc = "A function takes its rights from a shared role"
    description = "Policies on a function have no effect beside a role, and cost a role of its own without one"
    tags: ClassVar = ["resources", "lambda", "iam"]

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Find functions with policies of their own."""
        return [
            match(["Resources", name, "Properties"], f"{name} has policies of its own")
            for name, properties in _functions(cfn)
            if "Policies" in properties
        ]


class FailuresGoSomewhere(CloudFormationLintRule):
    """What an asynchronous function cannot handle is kept."""

    id = "E9103"
    shortdesc = "An asynchronous function has a destination for failures"
    description = (
        "Streams need bounded retries and a failure destination, events an OnFailure destination; batches report the "
        "items that failed"
    )
    tags: ClassVar = ["resources", "lambda"]

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Find event sources whose failures vanish or never end."""
        found = []
        for name, properties in _functions(cfn):
            for event, source in (properties.get("Events") or {}).items():
                path: list[str | int] = ["Resources", name, "Properties", "Events", event]
                kind, settings = source.get("Type"), source.get("Properties") or {}
                found += [match(path, f"{name} {fault}") for fault in _faults(kind, settings, properties)]
        return found


def _faults(kind: str, settings: Mapping[str, Any], function: Mapping[str, Any]) -> Iterator[str]:
    if kind in _SYNCHRONOUS:
        return
    if kind in _STREAMS | _QUEUES and "ReportBatchItemFailures" not in settings.get("FunctionResponseTypes", []):
        yield "does not report which items of a batch failed (FunctionResponseTypes)"
    if kind in _QUEUES:
        return
    if kind in _STREAMS:
        for name in ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds", "BisectBatchOnFunctionError"):
            if name not in settings:
                yield f"would try a bad record until it expires ({name})"
        if not _on_failure(settings):
            yield "has no destination for records that it cannot handle (DestinationConfig.OnFailure)"
    elif not _on_failure(function.get("EventInvokeConfig") or {}):
        yield "has no destination for events that it cannot handle (EventInvokeConfig.DestinationConfig.OnFailure)"


def _on_failure(settings: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any value of a template
    return (settings.get("DestinationConfig") or {}).get("OnFailure")
