"""What functions ask of AWS, against what the template's roles allow them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest
from botocore.client import BaseClient

from kickstand.fleet import service as fleet
from kickstand.payments import stripe_gateway
from local.functions import Functions
from tools.cfn_rules._template import listed, target
from tools.cloudformation import load
from tools.registry import ROOT

Need = tuple[str, str]
"""An action and the resource it is for, such as ``dynamodb:Query`` and ``RentalTable/index/riders``."""

_TRANSACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_running: ContextVar[str | None] = ContextVar("running", default=None)


@dataclass
class Asked:
    """Every need of every role that ran, with the handlers that had it."""

    needs: dict[str, dict[Need, set[str]]] = field(default_factory=dict)

    def refused(self) -> dict[str, dict[Need, set[str]]]:
        """What was asked for and is not allowed, by role."""
        found = {
            role: {need: who for need, who in needs.items() if not _allows(role, need)}
            for role, needs in self.needs.items()
        }
        return {role: needs for role, needs in found.items() if needs}

    def idle(self) -> dict[str, set[Need]]:
        """What is allowed to a role and was never asked for."""
        found = {
            role: {grant for grant in grants(role) if not any(_covers(grant, need) for need in needs)}
            for role, needs in self.needs.items()
        }
        return {role: unused for role, unused in found.items() if unused}


@contextmanager
def recorded(patch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """Note what functions ask for while the platform runs in this process."""
    asked = Asked()
    invoke, call = Functions.invoke, BaseClient._make_api_call  # type: ignore[attr-defined]  # where every call passes

    def noted_invoke(self: Functions, arn: str, event: Any) -> Any:
        stripe_gateway.forget_keys()  # deployed, each function has a memory of its own, and it may be new
        fleet._networks.clear()
        token = _running.set(self._functions[arn][0].handler)
        try:
            return invoke(self, arn, event)
        finally:
            _running.reset(token)

    def noted_call(self: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        handler = _running.get()
        if handler is not None:
            needs = asked.needs.setdefault(_role_of(handler), {})
            for need in _needs(self.meta.service_model.service_name, operation, parameters):
                needs.setdefault(need, set()).add(handler)
        return call(self, operation, parameters)

    patch.setattr(Functions, "invoke", noted_invoke)
    patch.setattr(BaseClient, "_make_api_call", noted_call)
    yield asked


@cache
def grants(role: str) -> frozenset[Need]:
    """Everything a role allows to its functions' code; reading streams, queues and writing logs is done for them."""
    resources = load(ROOT / "template.yaml")["Resources"]
    settings = resources[role]["Properties"]
    documents = [policy["PolicyDocument"] for policy in settings.get("Policies", [])]
    managed = [resources[arn["Ref"]]["Properties"] for arn in settings.get("ManagedPolicyArns", [])]
    documents += [policy["PolicyDocument"] for policy in managed]
    return frozenset(
        (action, _name(resource))
        for document in documents
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
        if not _is_done_for_them(action, _name(resource))
    )


def _is_done_for_them(action: str, resource: str) -> bool:
    """Whether a right is used by Lambda itself: to write logs, to read streams and queues, to note what failed."""
    if action == "sqs:SendMessage":
        return resource.endswith("Failures")
    return action.startswith(("logs:", "sqs:")) or any(word in action for word in ("Stream", "Records", "Shard"))


def roles() -> set[str]:
    """The roles of all functions."""
    return set(_roles().values())


@cache
def _roles() -> dict[str, str]:
    found = {}
    for path in (ROOT / "template.yaml", *ROOT.glob("functions/*/template.yaml")):
        for resource in load(path)["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                found[resource["Properties"]["Handler"]] = target(resource["Properties"]["Role"]) or ""
    return found


def _role_of(handler: str) -> str:
    return _roles()[handler]


def _allows(role: str, need: Need) -> bool:
    return any(_covers(grant, need) for grant in grants(role))


def _covers(grant: Need, need: Need) -> bool:
    return grant[0] == need[0] and fnmatchcase(need[1], grant[1])


def _name(resource: Any) -> str:
    """A resource of a statement by its logical id, or by what follows the account."""
    if isinstance(resource, Mapping) and "Fn::Sub" in resource:
        text = str(resource["Fn::Sub"])
        if text.startswith("arn:"):
            return "*" if "${MailIdentity}" in text else text.rpartition(":")[2]
        return text.replace("${", "").replace(".Arn}", "")
    return target(resource) or str(resource)


def _table(name: str) -> str:
    return _named(name, "_TABLE", "Table")


def _named(value: str, ending: str, kind: str) -> str:
    """The logical id of what functions know by a variable of their environment."""
    variable = next(each for each, held in os.environ.items() if held == value and each.endswith(ending))
    return f"{variable.removesuffix(ending).title()}{kind}"


_NAMED: Mapping[tuple[str, str], tuple[str, str, str, str]] = {
    ("secretsmanager", "GetSecretValue"): ("secretsmanager:GetSecretValue", "SecretId", "_SECRET", "Secret"),
    ("sqs", "SendMessageBatch"): ("sqs:SendMessage", "QueueUrl", "_QUEUE", "Queue"),
    ("stepfunctions", "StartExecution"): ("states:StartExecution", "stateMachineArn", "_WORKFLOW_ARN", "Workflow"),
}
"""Calls of what functions know by a variable: the action, and which parameter names what of which kind."""


def _needs(service: str, operation: str, parameters: Mapping[str, Any]) -> Iterator[Need]:
    if service == "dynamodb":
        yield from _table_needs(operation, parameters)
        return
    if named := _NAMED.get((service, operation)):
        action, parameter, ending, kind = named
        yield action, _named(parameters[parameter], ending, kind)
        return
    match service, operation:
        case "s3", _:
            yield f"s3:{operation}", f"DocumentsBucket/{parameters['Key']}"
        case "iot-data", "Publish":
            yield "iot:Publish", f"topic/{parameters['topic']}"
        case "stepfunctions", _:
            # A token names no workflow; who sends it wakes one kind of them.
            yield f"states:{operation}", "PaymentWorkflow" if "payments" in (_running.get() or "") else "RentalWorkflow"
        case "sesv2", "SendEmail":
            yield "ses:SendEmail", "identity"
        case "sns", "Publish":
            yield "sns:Publish", "a phone number" if "PhoneNumber" in parameters else str(parameters.get("TopicArn"))
        case "kms", _:
            assert parameters["EncryptionContext"]
            yield f"kms:{operation}", _named(parameters["KeyId"], "_KEY", "Key").replace("_", "")
        case "events", "PutEvents":
            yield "events:PutEvents", "EventBus"
        case _:
            yield f"{service}:{operation}", "a resource that this module does not know"


def _table_needs(operation: str, parameters: Mapping[str, Any]) -> Iterator[Need]:
    match operation:
        case "TransactWriteItems":
            for item in parameters["TransactItems"]:
                for kind, write in item.items():
                    yield f"dynamodb:{_TRANSACTIONS[kind]}", _table(write["TableName"])
        case "BatchGetItem":
            for table in parameters["RequestItems"]:
                yield "dynamodb:BatchGetItem", _table(table)
        case _:
            index = f"/index/{parameters['IndexName']}" if "IndexName" in parameters else ""
            yield f"dynamodb:{operation}", _table(parameters["TableName"]) + index
