"""A template and its nested templates as stacks: parameters, conditions, names and attributes of resources."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from local.errors import PlatformError
from local.intrinsics import NO_VALUE, read_yaml, resolve
from local.types import Document, Json

ACCOUNT = "123456789012"
REGION = "eu-north-1"
APPLICATION = "AWS::Serverless::Application"


class _Kind(NamedTuple):
    """How a resource type is named and what ``Ref`` and ``Arn`` yield for it."""

    name_property: str
    service: str
    arn: str = "{name}"
    reference: Literal["name", "arn", "url"] = "name"


SERVED: Mapping[str, _Kind] = {
    "AWS::DynamoDB::Table": _Kind("TableName", "dynamodb", "table/{name}"),
    "AWS::Events::EventBus": _Kind("Name", "events", "event-bus/{name}"),
    "AWS::Events::Rule": _Kind("Name", "events", "rule/{name}"),
    "AWS::IoT::TopicRule": _Kind("RuleName", "iot", "rule/{name}"),
    "AWS::Lambda::EventSourceMapping": _Kind("", "lambda", "event-source-mapping:{name}"),
    "AWS::S3::Bucket": _Kind("BucketName", "s3"),
    "AWS::SQS::Queue": _Kind("QueueName", "sqs", reference="url"),
    "AWS::Scheduler::Schedule": _Kind("Name", "scheduler", "schedule/default/{name}"),
    APPLICATION: _Kind("", "cloudformation", "stack/{name}/local", reference="arn"),
    "AWS::Serverless::Function": _Kind("FunctionName", "lambda", "function:{name}"),
    "AWS::Serverless::HttpApi": _Kind("", "apigateway", "/apis/{name}"),
    "AWS::SecretsManager::Secret": _Kind("Name", "secretsmanager", "secret:{name}", reference="arn"),
    "AWS::Serverless::StateMachine": _Kind("Name", "states", "stateMachine:{name}", reference="arn"),
    "AWS::StepFunctions::StateMachine": _Kind("StateMachineName", "states", "stateMachine:{name}", reference="arn"),
}
"""Resource types that the platform serves."""

PASSIVE: Mapping[str, _Kind] = {
    "AWS::ApiGatewayV2::ApiMapping": _Kind("", "apigateway"),
    "AWS::ApiGatewayV2::DomainName": _Kind("DomainName", "apigateway"),
    "AWS::CloudWatch::Alarm": _Kind("AlarmName", "cloudwatch", "alarm:{name}"),
    "AWS::CloudWatch::CompositeAlarm": _Kind("AlarmName", "cloudwatch", "alarm:{name}"),
    "AWS::CloudWatch::Dashboard": _Kind("DashboardName", "cloudwatch"),
    "AWS::Events::Archive": _Kind("ArchiveName", "events", "archive/{name}"),
    "AWS::Events::EventBusPolicy": _Kind("", "events"),
    "AWS::IAM::ManagedPolicy": _Kind("ManagedPolicyName", "iam", "policy/{name}", reference="arn"),
    "AWS::IAM::Policy": _Kind("PolicyName", "iam"),
    "AWS::IAM::Role": _Kind("RoleName", "iam", "role/{name}"),
    "AWS::KMS::Alias": _Kind("AliasName", "kms", "{name}"),
    "AWS::KMS::Key": _Kind("", "kms", "key/{name}"),
    "AWS::Lambda::Permission": _Kind("", "lambda"),
    "AWS::Logs::LogGroup": _Kind("LogGroupName", "logs", "log-group:{name}:*"),
    "AWS::Logs::MetricFilter": _Kind("", "logs"),
    "AWS::Logs::ResourcePolicy": _Kind("PolicyName", "logs"),
    "AWS::S3::BucketPolicy": _Kind("", "s3"),
    "AWS::SES::ConfigurationSet": _Kind("Name", "ses", "configuration-set/{name}"),
    "AWS::SES::EmailIdentity": _Kind("EmailIdentity", "ses", "identity/{name}"),
    "AWS::SNS::Subscription": _Kind("", "sns", reference="arn"),
    "AWS::SNS::Topic": _Kind("TopicName", "sns", reference="arn"),
    "AWS::SNS::TopicPolicy": _Kind("", "sns"),
    "AWS::SQS::QueuePolicy": _Kind("", "sqs"),
    "AWS::Scheduler::ScheduleGroup": _Kind("Name", "scheduler", "schedule-group/{name}"),
    "AWS::Serverless::LayerVersion": _Kind("LayerName", "lambda", "layer:{name}:1", reference="arn"),
}
"""Resource types that mean something on AWS only: permissions, logs, alarms, packaging."""

_GLOBAL_SERVICES = {"iam", "s3"}


@dataclass(frozen=True)
class Resource:
    """One resource whose condition holds, its properties resolved on first use."""

    stack: "Stack"
    logical_id: str
    type: str
    document: Document

    @cached_property
    def properties(self) -> dict[str, Json]:
        """The properties with every intrinsic function resolved."""
        try:
            properties = resolve(self.document.get("Properties", {}), self.stack)
        except PlatformError as error:
            raise PlatformError(f"{self}: {error}") from error
        if self.type == "AWS::Serverless::Function":
            properties = _with_globals(self.stack.function_globals, properties)
        return dict(properties)

    @property
    def metadata(self) -> Document:
        """The resource's ``Metadata``."""
        metadata: Document = self.document.get("Metadata", {})
        return metadata

    @cached_property
    def name(self) -> str:
        """The physical name: as written, or made of the stack's name and the logical id."""
        written = self.document.get("Properties", {}).get(self._kind.name_property)
        name = NO_VALUE if written is None else resolve(written, self.stack)
        if name is not NO_VALUE:
            return str(name)
        generated = f"{self.stack.name}-{self.logical_id}"
        return generated.lower() if self.type == "AWS::S3::Bucket" else generated

    @property
    def arn(self) -> str:
        """The ARN, with the local account and region."""
        kind = self._kind
        path = kind.arn.format(name=self.name)
        if kind.service == "s3":
            return f"arn:aws:s3:::{path}"
        region = "" if kind.service in _GLOBAL_SERVICES else REGION
        return f"arn:aws:{kind.service}:{region}:{ACCOUNT}:{path}"

    @property
    def reference(self) -> str:
        """What ``Ref`` yields."""
        match self._kind.reference:
            case "arn":
                return self.arn
            case "url":
                return f"{self.stack.endpoint}/{ACCOUNT}/{self.name}"
            case "name":
                return self.name

    def attribute(self, name: str) -> Json:
        """What ``Fn::GetAtt`` yields.

        Raises:
            PlatformError: for an attribute that is not known for this type.
        """
        if self.type == APPLICATION and name.startswith("Outputs."):
            return self.stack.nested[self.logical_id].output(name.removeprefix("Outputs."))
        known = {
            "Arn": self.arn,
            "Name": self.name,
            "QueueName": self.name,
            "QueueUrl": self.reference,
            "StreamArn": f"{self.arn}/stream/local",
            "TopicArn": self.arn,
            "RoleId": self.name,
            "KeyId": self.name,
            "ApiEndpoint": self.stack.endpoint,
            "ApiId": self.name,
            "DomainName": f"{self.name}.s3.amazonaws.com",
            "RegionalDomainName": f"{self.name}.s3.{REGION}.amazonaws.com",
        }
        if name not in known:
            raise PlatformError(f"{self} has no attribute {name} here")
        return known[name]

    @property
    def _kind(self) -> _Kind:
        kind = SERVED.get(self.type) or PASSIVE.get(self.type)
        if kind is None:
            msg = (
                f"{self} is of a type that the platform does not serve; list it as passive if it needs nothing locally"
            )
            raise PlatformError(msg)
        return kind

    def __str__(self) -> str:
        return f"{self.stack.path.name}: {self.logical_id} ({self.type})"


class Stack:
    """One template with its parameter values; nested applications are stacks of their own."""

    def __init__(self, path: Path, name: str, endpoint: str, parameters: Document, base: str = "") -> None:
        """Read the template at ``path``; ``endpoint`` is where AWS clients of this machine go."""
        self.path = path
        self.name = name
        self.endpoint = endpoint
        self.base = base
        self._document = read_yaml(path)
        self._conditions: dict[str, bool] = {}
        self._parameters = self._parameter_values(parameters)
        self.resources = {
            logical_id: Resource(self, logical_id, str(document.get("Type")), document)
            for logical_id, document in self._document.get("Resources", {}).items()
            if "Condition" not in document or self.condition(document["Condition"])
        }

    @cached_property
    def function_globals(self) -> dict[str, Json]:
        """``Globals.Function`` of this template, resolved."""
        return dict(resolve(self._document.get("Globals", {}).get("Function", {}), self))

    @cached_property
    def nested(self) -> dict[str, "Stack"]:
        """The stacks of the nested applications, by logical id."""
        stacks = {}
        for resource in self.resources.values():
            if resource.type != APPLICATION:
                continue
            location = self.path.parent / str(resource.properties["Location"])
            stacks[resource.logical_id] = Stack(
                location,
                resource.name,
                self.endpoint,
                resource.properties.get("Parameters", {}),
                str(resource.metadata.get("Base", "")),
            )
        return stacks

    def walk(self) -> Iterator[Resource]:
        """Every resource of this stack and of the stacks in it."""
        yield from self.resources.values()
        for stack in self.nested.values():
            yield from stack.walk()

    def output(self, name: str) -> Json:
        """The value of an output."""
        try:
            return resolve(self._document["Outputs"][name]["Value"], self)
        except KeyError as error:
            raise PlatformError(f"{self.path}: there is no output {name}") from error

    def reference(self, name: str) -> Json:
        """The value of ``Ref`` in this stack."""
        if name in self._parameters:
            return self._parameters[name]
        pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": NO_VALUE,
            "AWS::NotificationARNs": [],
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{self.name}/local",
            "AWS::StackName": self.name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        return pseudo[name] if name in pseudo else self._resource(name).reference

    def attribute(self, resource: str, attribute: str) -> Json:
        """The value of ``Fn::GetAtt`` in this stack."""
        return self._resource(resource).attribute(attribute)

    def condition(self, name: str) -> bool:
        """Whether the named condition holds."""
        if name not in self._conditions:
            try:
                expression = self._document["Conditions"][name]
            except KeyError as error:
                raise PlatformError(f"{self.path}: there is no condition {name}") from error
            self._conditions[name] = bool(resolve(expression, self))
        return self._conditions[name]

    def mapping(self, table: str, first: str, second: str) -> Json:
        """The value of ``Fn::FindInMap``."""
        try:
            return self._document["Mappings"][table][first][second]
        except KeyError as error:
            raise PlatformError(f"{self.path}: the mapping {table} has no {first}.{second}") from error

    def _resource(self, logical_id: str) -> Resource:
        try:
            return self.resources[logical_id]
        except KeyError as error:
            raise PlatformError(f"{self.path}: {logical_id} is neither a parameter nor a resource") from error

    def _parameter_values(self, given: Document) -> dict[str, Json]:
        declared: dict[str, Json] = self._document.get("Parameters", {})
        if unknown := given.keys() - declared.keys():
            raise PlatformError(f"{self.path}: unknown parameters {', '.join(sorted(unknown))}")
        values: dict[str, Json] = {}
        for name, declaration in declared.items():
            value = given.get(name, declaration.get("Default"))
            if value is None:
                raise PlatformError(f"{self.path}: the parameter {name} has no value")
            is_list = declaration.get("Type") == "CommaDelimitedList" or str(declaration.get("Type")).startswith(
                "List<"
            )
            values[name] = (
                [part.strip() for part in str(value).split(",")] if is_list and isinstance(value, str) else value
            )
        return values


def _with_globals(defaults: Document, properties: Document) -> dict[str, Json]:
    """Properties over ``Globals.Function``, merged as SAM does: mappings deep, lists appended, values replaced."""
    merged = dict(defaults)
    for key, value in properties.items():
        default = merged.get(key)
        if isinstance(default, dict) and isinstance(value, dict):
            merged[key] = _with_globals(default, value)
        elif isinstance(default, list) and isinstance(value, list):
            merged[key] = [*default, *value]
        else:
            merged[key] = value
    return merged
