"""Rules for rights and for the front door."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from tools.cfn_rules._template import Path, body, listed, match, properties, resources

UNBOUND_ACTIONS = {
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "sns:Publish",
}
"""Actions that AWS grants for all resources or not at all: to deliver a state machine's log, to write to phones."""

_BELOW_A_NAME = re.compile(r"[^*]+[:/][\w.-]+/\*")
"""``bucket/receipts/*`` and ``topic/vehicles/*``, but neither ``*`` nor ``bucket/*`` where the name is not literal."""

_ROLES = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy")


class RightsAreSpelledOut(CloudFormationLintRule):
    """Nothing is allowed by a wildcard."""

    id = "E9121"
    shortdesc = "Rights name their actions and resources"
    description = (
        "No wildcard in actions or principals; none in resources, but for a last path segment below a named prefix "
        "(objects of a folder, topics below one); no policies of AWS, which are full of them"
    )
    tags: ClassVar = ["resources", "iam"]

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Find wildcards in what is allowed."""
        found = []
        for name, resource in resources(body(cfn), *_ROLES):
            path: Path = ["Resources", name, "Properties"]
            found += [match(path, f"{name} {fault}") for fault in _faults(properties(resource))]
        return found


class FrontDoorIsWatched(CloudFormationLintRule):
    """An HTTP API throttles and keeps a log."""

    id = "E9122"
    shortdesc = "An HTTP API has throttling and an access log"
    description = "Without them one client can use up the account's concurrency, and nobody can tell who"
    tags: ClassVar = ["resources", "apigateway"]

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Find HTTP APIs without limits or log."""
        found = []
        for name, resource in resources(body(cfn), "AWS::Serverless::HttpApi"):
            api = properties(resource)
            settings = api.get("DefaultRouteSettings") or {}
            if not {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= settings.keys():
                found.append(match(["Resources", name], f"{name} does not throttle (DefaultRouteSettings)"))
            if not (api.get("AccessLogSettings") or {}).get("DestinationArn"):
                found.append(match(["Resources", name], f"{name} has no access log (AccessLogSettings)"))
        return found


def _faults(role: Mapping[str, Any]) -> Iterator[str]:
    documents = [policy.get("PolicyDocument", {}) for policy in role.get("Policies", [])]
    documents += [role[name] for name in ("PolicyDocument", "AssumeRolePolicyDocument") if name in role]
    for document in documents:
        for statement in listed(document.get("Statement", [])):
            if statement.get("Effect") == "Allow":
                yield from _statement_faults(statement)
    for arn in role.get("ManagedPolicyArns", []):
        if ":iam::aws:policy/" in _text(arn):
            yield f"uses a policy of AWS: {_text(arn)}"


def _statement_faults(statement: Mapping[str, Any]) -> Iterator[str]:
    for name in ("NotAction", "NotResource", "NotPrincipal"):
        if name in statement:
            yield f"allows everything but something ({name})"
    actions = [_text(action) for action in listed(statement.get("Action", []))]
    for action in actions:
        if "*" in action:
            yield f"allows actions by a wildcard: {action}"
    principals = statement.get("Principal", {})
    for principal in listed(principals) if not isinstance(principals, Mapping) else principals.values():
        if any("*" in _text(each) for each in listed(principal)):
            yield "may be taken on by anybody"
    for resource in listed(statement.get("Resource", [])):
        text = _text(resource)
        if text == "*" and set(actions) <= UNBOUND_ACTIONS:
            continue
        if _is_wild(text, actions):
            yield f"allows {', '.join(actions)} on {text}"


def _is_wild(resource: str, actions: list[str]) -> bool:
    if "*" not in resource:
        return False
    return _BELOW_A_NAME.fullmatch(resource) is None or any(action.startswith("dynamodb:") for action in actions)


def _text(value: Any) -> str:  # noqa: ANN401 - any value of a template
    """A value as text; of an intrinsic function, what it is made of."""
    if isinstance(value, Mapping):
        return " ".join(_text(each) for each in value.values())
    if isinstance(value, list):
        return "".join(_text(each) for each in value)
    return str(value)
