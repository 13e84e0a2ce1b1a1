"""Rules for what keeps data: tables and log groups."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

from tools.cfn_rules._template import body, match, properties, resources


class TablesAreSafe(CloudFormationLintRule):
    """Tables can be restored, expire items, tell what changes, are encrypted and hard to delete."""

    id = "E9111"
    shortdesc = "A table has recovery, expiry, a stream, encryption and protection"
    description = (
        "Every table is on demand, restores to any point in time, expires items by an attribute, streams both images, "
        "is encrypted, and survives its removal from the template"
    )
    tags: ClassVar = ["resources", "dynamodb"]

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Find tables that lack something."""
        return [
            match(["Resources", name], f"{name} {fault}")
            for name, resource in resources(body(cfn), "AWS::DynamoDB::Table")
            for fault in _faults(resource)
        ]


class LogsExpire(CloudFormationLintRule):
    """Logs are kept for a decided time."""

    id = "E9112"
    shortdesc = "A log group has a retention"
    description = "Logs without retention are kept, and paid for, for ever"
    tags: ClassVar = ["resources", "logs"]

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Find log groups that keep everything."""
        return [
            match(["Resources", name], f"{name} has no RetentionInDays")
            for name, resource in resources(body(cfn), "AWS::Logs::LogGroup")
            if "RetentionInDays" not in properties(resource)
        ]


def _faults(resource: Mapping[str, Any]) -> Iterator[str]:
    table = properties(resource)
    if table.get("BillingMode") != "PAY_PER_REQUEST":
        yield "is not on demand (BillingMode)"
    if not (table.get("PointInTimeRecoverySpecification") or {}).get("PointInTimeRecoveryEnabled"):
        yield "cannot be restored to a point in time (PointInTimeRecoverySpecification)"
    expiry = table.get("TimeToLiveSpecification") or {}
    if not (expiry.get("Enabled") and expiry.get("AttributeName")):
        yield "expires nothing (TimeToLiveSpecification)"
    if (table.get("StreamSpecification") or {}).get("StreamViewType") != "NEW_AND_OLD_IMAGES":
        yield "does not stream both images (StreamSpecification)"
    if not (table.get("SSESpecification") or {}).get("SSEEnabled"):
        yield "is not encrypted (SSESpecification)"
    if not table.get("DeletionProtectionEnabled"):
        yield "can be deleted (DeletionProtectionEnabled)"
    if resource.get("DeletionPolicy") not in {"Retain", "RetainExceptOnCreate", "Snapshot"}:
        yield "goes with the stack (DeletionPolicy)"
    if resource.get("UpdateReplacePolicy") not in {"Retain", "Snapshot"}:
        yield "goes when it is replaced (UpdateReplacePolicy)"
