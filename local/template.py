"""The deployed templates as what the platform needs to serve them: tables, functions, routes, sources, workflows."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.errors import PlatformError
from local.intrinsics import read_yaml
from local.patterns import Matcher, compile_pattern
from local.stacks import ACCOUNT, REGION, SERVED, Resource, Stack
from local.types import Document, Json

_INVOCATION = re.compile(r"/functions/(arn:[^/]+)/invocations$")
_SELECT_ALL = re.compile(
    r"""^\s*SELECT\s+\*\s+FROM\s+['"]([^'"]+)['"]"""
    r"""(?:\s+WHERE\s+topic\((\d+)\)\s*=\s*cast\((\w+)\s+AS\s+String\)"""
    r"""(?:\s+AND\s+(\(type\s*=\s*'\w+'(?:\s+OR\s+type\s*=\s*'\w+')*\)|"""
    r"""type\s*<>\s*'\w+'(?:\s+AND\s+type\s*<>\s*'\w+')*))?)?\s*$""",
    re.IGNORECASE,
)
_MOST_AT_A_TIME = 8
_METHODS = {"get", "put", "post", "delete", "patch", "options", "head"}


@dataclass(frozen=True)
class Table:
    """A DynamoDB table: the request that creates it, and the attribute that expires its items."""

    name: str
    arn: str
    definition: Document
    ttl_attribute: str | None


@dataclass(frozen=True)
class Function:
    """A Lambda function; ``timeout`` in seconds, ``memory`` in MB."""

    name: str
    arn: str
    handler: str
    timeout: int
    memory: int
    environment: Mapping[str, str]
    dead_letter_arn: str | None = None


@dataclass(frozen=True)
class Source:
    """An event source mapping: batches of a table's stream or of a queue for one function.

    Attributes:
        concurrency: of a queue, how many batches are delivered at a time; no more than a machine can take.
    """

    function_arn: str
    source_arn: str
    batch_size: int
    filters: Sequence[Matcher]
    partial_responses: bool
    bisect: bool = False
    retries: int = -1
    record_age: int = -1
    on_failure_arn: str | None = None
    concurrency: int = 1

    @property
    def table(self) -> str:
        """The table's name, when the source is a stream."""
        return self.source_arn.split(":table/", 1)[1].split("/", 1)[0]

    def accepts(self, record: Json) -> bool:
        """Whether the record passes one of the filters."""
        return not self.filters or any(matches(record) for matches in self.filters)


@dataclass(frozen=True)
class Queue:
    """An SQS queue; times in seconds."""

    name: str
    arn: str
    url: str
    visibility_timeout: int
    delay: int
    dead_letter_arn: str | None
    max_receive_count: int


@dataclass(frozen=True)
class StateMachine:
    """A state machine with its definition in Amazon States Language."""

    name: str
    arn: str
    role_arn: str
    definition: str


@dataclass(frozen=True)
class Target:
    """Where a rule or schedule delivers: a function, queue or state machine; ``input`` replaces the event."""

    arn: str
    input: str | None = None
    dead_letter_arn: str | None = None


@dataclass(frozen=True)
class Rule:
    """A rule of an event bus."""

    name: str
    bus: str
    matches: Matcher
    targets: Sequence[Target]


@dataclass(frozen=True)
class Schedule:
    """A schedule: ``rate(…)``, ``cron(…)`` or ``at(…)`` in a timezone."""

    name: str
    arn: str
    expression: str
    timezone: str
    targets: Sequence[Target]


@dataclass(frozen=True)
class TopicRule:
    """An IoT rule that copies messages whose topic matches a filter into queues.

    Attributes:
        told_by: a level of the topic, counted from 1, and the member of the message that has to say the same.
        only: the types that a message may have; any for none.
        never: the types that it must not have.
    """

    name: str
    topic_filter: str
    queue_urls: Sequence[str]
    told_by: tuple[int, str] | None = None
    only: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Route:
    """One route of an HTTP API."""

    method: str
    path: str
    function_arn: str


@dataclass(frozen=True)
class Api:
    """An HTTP API, served under a base path."""

    name: str
    base: str
    routes: Sequence[Route]


@dataclass
class Template:
    """Everything that the platform serves."""

    tables: dict[str, Table] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    queues: dict[str, Queue] = field(default_factory=dict)
    state_machines: dict[str, StateMachine] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)
    topic_rules: list[TopicRule] = field(default_factory=list)
    buckets: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    buses: list[str] = field(default_factory=lambda: ["default"])
    apis: list[Api] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of all functions; one process serves them all.

        Raises:
            PlatformError: when two functions give one name different values.
        """
        merged: dict[str, tuple[str, str]] = {}
        for function in self.functions.values():
            for name, value in function.environment.items():
                known, owner = merged.setdefault(name, (value, function.name))
                if known != value:
                    raise PlatformError(
                        f"the environment variable {name} is {known!r} in {owner} and {value!r} in {function.name}"
                    )
        return {name: value for name, (value, _) in merged.items()}


def load(path: Path, endpoint: str, parameters: Mapping[str, str] | None = None) -> Template:
    """Read the template at ``path`` and the templates nested in it.

    Args:
        path: the root template.
        endpoint: the URL of this machine's AWS endpoint, from which queue URLs are made.
        parameters: values for the root template's parameters, over their defaults.

    Raises:
        PlatformError: for a resource type, property or reference that cannot be served.
    """
    root = Stack(path, "kickstand", endpoint, parameters or {})
    template = Template()
    for resource in root.walk():
        if reader := _READERS.get(resource.type):
            reader(resource, template)
        elif resource.type not in SERVED:
            _ = resource.name, resource.properties  # refuses an unknown type and a reference that leads nowhere
    _check(template)
    return template


def _table(resource: Resource, template: Template) -> None:
    properties = resource.properties
    kept = (
        "AttributeDefinitions",
        "KeySchema",
        "GlobalSecondaryIndexes",
        "LocalSecondaryIndexes",
        "BillingMode",
        "ProvisionedThroughput",
    )
    definition = {key: properties[key] for key in kept if key in properties} | {"TableName": resource.name}
    if stream := properties.get("StreamSpecification"):
        definition["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream["StreamViewType"]}
    ttl = properties.get("TimeToLiveSpecification", {})
    template.tables[resource.name] = Table(
        resource.name, resource.arn, definition, ttl.get("AttributeName") if _truth(ttl.get("Enabled")) else None
    )


def _function(resource: Resource, template: Template) -> None:
    properties = resource.properties
    if "Handler" not in properties:
        raise PlatformError(f"{resource} has no handler; only zipped Python functions are served")
    variables = properties.get("Environment", {}).get("Variables", {})
    invocation = properties.get("EventInvokeConfig", {}).get("DestinationConfig", {}).get("OnFailure", {})
    function = Function(
        name=resource.name,
        arn=resource.arn,
        handler=properties["Handler"],
        timeout=int(properties.get("Timeout", 3)),
        memory=int(properties.get("MemorySize", 128)),
        environment={name: _text(value) for name, value in variables.items()},
        dead_letter_arn=invocation.get("Destination") or properties.get("DeadLetterQueue", {}).get("TargetArn"),
    )
    template.functions[function.arn] = function
    for name, event in properties.get("Events", {}).items():
        _event(resource, name, event, function.arn, template)


def _event(resource: Resource, name: str, event: Document, target_arn: str, template: Template) -> None:
    """An entry of ``Events`` of a function or a state machine."""
    properties = event.get("Properties", {})
    identity = f"{resource.name}-{name}"
    target = Target(target_arn, properties.get("Input"), properties.get("DeadLetterConfig", {}).get("Arn"))
    match event["Type"]:
        case "DynamoDB":
            template.sources.append(_source(target_arn, properties["Stream"], properties))
        case "SQS":
            template.sources.append(_source(target_arn, properties["Queue"], properties))
        case "EventBridgeRule":
            bus = str(properties.get("EventBusName", "default")).rsplit("/", 1)[-1]
            template.rules.append(Rule(identity, bus, compile_pattern(properties["Pattern"]), [target]))
        case "Schedule":
            arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{identity}"
            _schedule(identity, arn, properties, properties["Schedule"], [target], template)
        case "ScheduleV2":
            arn = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{identity}"
            _schedule(identity, arn, properties, properties["ScheduleExpression"], [target], template)
        case kind:
            raise PlatformError(f"{resource}: the event {name} is of the type {kind}, which is not served")


def _schedule(
    name: str, arn: str, properties: Document, expression: str, targets: Sequence[Target], template: Template
) -> None:
    if properties.get("State", "ENABLED") == "DISABLED" or properties.get("Enabled") is False:
        return
    timezone = properties.get("ScheduleExpressionTimezone", "UTC")
    template.schedules.append(Schedule(name, arn, expression, timezone, targets))


def _mapping(resource: Resource, template: Template) -> None:
    properties = resource.properties
    name = str(properties["FunctionName"]).rsplit(":", 1)[-1]
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    template.sources.append(_source(arn, properties["EventSourceArn"], properties))


def _source(function_arn: str, source_arn: str, properties: Document) -> Source:
    if not _truth(properties.get("Enabled", True)):
        raise PlatformError(f"the source {source_arn} of {function_arn} is disabled; leave it out instead")
    filters = properties.get("FilterCriteria", {}).get("Filters", [])
    is_queue = ":sqs:" in source_arn
    return Source(
        function_arn=function_arn,
        source_arn=source_arn,
        batch_size=int(properties.get("BatchSize", 10 if is_queue else 100)),
        filters=[compile_pattern(_json(criterion["Pattern"])) for criterion in filters],
        partial_responses="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
        bisect=_truth(properties.get("BisectBatchOnFunctionError", False)),
        retries=int(properties.get("MaximumRetryAttempts", -1)),
        record_age=int(properties.get("MaximumRecordAgeInSeconds", -1)),
        on_failure_arn=properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"),
        concurrency=min(int(properties.get("ScalingConfig", {}).get("MaximumConcurrency", 1)), _MOST_AT_A_TIME),
    )


def _queue(resource: Resource, template: Template) -> None:
    properties = resource.properties
    if _truth(properties.get("FifoQueue", False)):
        raise PlatformError(f"{resource}: FIFO queues are not served")
    redrive = _json(properties.get("RedrivePolicy", {}))
    template.queues[resource.arn] = Queue(
        name=resource.name,
        arn=resource.arn,
        url=resource.reference,
        visibility_timeout=int(properties.get("VisibilityTimeout", 30)),
        delay=int(properties.get("DelaySeconds", 0)),
        dead_letter_arn=redrive.get("deadLetterTargetArn"),
        max_receive_count=int(redrive.get("maxReceiveCount", 0)),
    )


def _state_machine(resource: Resource, template: Template) -> None:
    properties = resource.properties
    inline = properties.get("Definition", properties.get("DefinitionString"))
    if inline is None:
        path = resource.stack.path.parent / str(properties["DefinitionUri"])
        inline = json.dumps(read_yaml(path))
    definition = inline if isinstance(inline, str) else json.dumps(inline)
    for name, value in properties.get("DefinitionSubstitutions", {}).items():
        definition = definition.replace("${" + name + "}", _text(value))
    if left := re.search(r"\$\{\w+\}", definition):
        raise PlatformError(f"{resource}: the definition's placeholder {left.group()} has no substitution")
    role = str(properties.get("Role") or properties.get("RoleArn") or f"arn:aws:iam::{ACCOUNT}:role/{resource.name}")
    template.state_machines[resource.arn] = StateMachine(resource.name, resource.arn, role, definition)
    for name, event in properties.get("Events", {}).items():
        _event(resource, name, event, resource.arn, template)


def _rule(resource: Resource, template: Template) -> None:
    properties = resource.properties
    targets = [_target(resource, target) for target in properties.get("Targets", [])]
    if "ScheduleExpression" in properties:
        _schedule(resource.name, resource.arn, properties, properties["ScheduleExpression"], targets, template)
    if "EventPattern" in properties:
        bus = str(properties.get("EventBusName", "default")).rsplit("/", 1)[-1]
        template.rules.append(Rule(resource.name, bus, compile_pattern(properties["EventPattern"]), targets))


def _target(resource: Resource, target: Document) -> Target:
    known = {"Id", "Arn", "Input", "RoleArn", "DeadLetterConfig", "RetryPolicy"}
    if unknown := target.keys() - known:
        raise PlatformError(f"{resource}: a target's {', '.join(sorted(unknown))} is not served")
    return Target(target["Arn"], target.get("Input"), target.get("DeadLetterConfig", {}).get("Arn"))


def _scheduler(resource: Resource, template: Template) -> None:
    properties = resource.properties
    target = _target(resource, properties["Target"])
    _schedule(resource.name, resource.arn, properties, properties["ScheduleExpression"], [target], template)


def _topic_rule(resource: Resource, template: Template) -> None:
    payload = resource.properties["TopicRulePayload"]
    selection = _SELECT_ALL.match(payload["Sql"])
    if selection is None:
        raise PlatformError(
            f"{resource}: only a selection of all from a topic filter is served, and as its condition only that a level"
            f" of the topic equals a member, and that the type is one of some, or none of them: {payload['Sql']}"
        )
    topic_filter, level, member, types = selection.groups()
    actions = payload["Actions"]
    if any(set(action) != {"Sqs"} for action in actions):
        raise PlatformError(f"{resource}: only Sqs actions are served")
    if any(_truth(action["Sqs"].get("UseBase64")) for action in actions):
        raise PlatformError(f"{resource}: UseBase64 is not served")
    urls = [action["Sqs"]["QueueUrl"] for action in actions]
    named = frozenset(re.findall(r"'(\w+)'", types or ""))
    only, never = (named, frozenset[str]()) if types and types.startswith("(") else (frozenset[str](), named)
    told_by = (int(level), member) if level else None
    template.topic_rules.append(TopicRule(resource.name, topic_filter, urls, told_by, only, never))


def _http_api(resource: Resource, template: Template) -> None:
    properties = resource.properties
    body = properties.get("DefinitionBody")
    if body is None:
        raise PlatformError(f"{resource}: an API needs its routes in DefinitionBody")
    base = str(resource.metadata.get("Base", resource.stack.base)).rstrip("/")
    routes = []
    for path, operations in body.get("paths", {}).items():
        for method, operation in operations.items():
            if method not in _METHODS:
                raise PlatformError(f"{resource}: {method} {path} is not a method of a route")
            uri = operation.get("x-amazon-apigateway-integration", {}).get("uri", "")
            invocation = _INVOCATION.search(uri)
            if invocation is None:
                raise PlatformError(f"{resource}: {method.upper()} {path} leads to no function")
            if path.endswith("/") and path != "/":
                raise PlatformError(f"{resource}: API Gateway takes no route that ends in a slash: {path}")
            routes.append(Route(method.upper(), path, invocation.group(1)))
    template.apis.append(Api(resource.name, base, routes))


_READERS = {
    "AWS::DynamoDB::Table": _table,
    "AWS::Events::EventBus": lambda resource, template: template.buses.append(resource.name),
    "AWS::Events::Rule": _rule,
    "AWS::IoT::TopicRule": _topic_rule,
    "AWS::Lambda::EventSourceMapping": _mapping,
    "AWS::S3::Bucket": lambda resource, template: template.buckets.append(resource.name),
    "AWS::SQS::Queue": _queue,
    "AWS::Scheduler::Schedule": _scheduler,
    "AWS::SecretsManager::Secret": lambda resource, template: template.secrets.append(resource.arn),
    "AWS::Serverless::Function": _function,
    "AWS::Serverless::HttpApi": _http_api,
    "AWS::Serverless::StateMachine": _state_machine,
    "AWS::StepFunctions::StateMachine": _state_machine,
}


def _check(template: Template) -> None:
    """Refuse references between resources that lead nowhere."""
    _check_routes(template)
    _check_sources(template)
    known = template.queues.keys() | template.functions.keys() | template.state_machines.keys()
    for arn in _destinations(template):
        if arn not in known:
            raise PlatformError(f"{arn} is a destination, but nothing that is served")
    for rule in template.rules:
        if rule.bus not in template.buses:
            raise PlatformError(f"the rule {rule.name} is for the bus {rule.bus}, which does not exist")
    urls = {queue.url for queue in template.queues.values()}
    for topic_rule in template.topic_rules:
        if missing := set(topic_rule.queue_urls) - urls:
            raise PlatformError(f"the topic rule {topic_rule.name} leads to {', '.join(missing)}, not a queue")


def _check_routes(template: Template) -> None:
    for api in template.apis:
        for route in api.routes:
            if route.function_arn not in template.functions:
                where = f"{api.name}: {route.method} {route.path}"
                raise PlatformError(f"{where} leads to {route.function_arn}, not a function")


def _check_sources(template: Template) -> None:
    streams = {table.arn for table in template.tables.values() if "StreamSpecification" in table.definition}
    for source in template.sources:
        if source.function_arn not in template.functions:
            raise PlatformError(f"{source.source_arn} is a source of {source.function_arn}, not a function")
        if source.source_arn not in template.queues and source.source_arn.split("/stream/")[0] not in streams:
            raise PlatformError(f"{source.source_arn} is neither a queue nor a stream")


def _destinations(template: Template) -> Iterator[str]:
    for queue in template.queues.values():
        if queue.dead_letter_arn:
            yield queue.dead_letter_arn
    for source in template.sources:
        if source.on_failure_arn:
            yield source.on_failure_arn
    for function in template.functions.values():
        if function.dead_letter_arn:
            yield function.dead_letter_arn
    for target in (
        target for group in (template.rules, template.schedules) for item in group for target in item.targets
    ):
        yield target.arn
        if target.dead_letter_arn:
            yield target.dead_letter_arn


def _json(value: Json) -> dict[str, Json]:
    return dict(json.loads(value) if isinstance(value, str) else value)


def _text(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _truth(value: Json) -> bool:
    return str(value).lower() == "true"
