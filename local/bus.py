"""Delivery to the targets of rules and schedules, and the event bus itself."""

import json
import uuid
from collections.abc import Mapping, Sequence

from local.clock import Clock
from local.functions import Functions, Invocation
from local.outbox import Outbox
from local.queues import Queues
from local.stacks import ACCOUNT, REGION
from local.template import Rule, Target
from local.types import Json
from local.workflows import Workflows


class Delivery:
    """Hands an event to a target: a function, a queue or a state machine."""

    def __init__(self, functions: Functions, queues: Queues, workflows: Workflows) -> None:
        self._functions = functions
        self._queues = queues
        self._workflows = workflows

    def deliver(self, target: Target, event: Json) -> None:
        """Deliver ``event``, or the target's own input when it has one."""
        body = json.dumps(event) if target.input is None else target.input
        if self._functions.knows(target.arn):

            def park(queue: str, invocation: Invocation) -> None:
                failure = {
                    "version": "1.0",
                    "requestContext": {"functionArn": target.arn, "condition": "RetriesExhausted"},
                    "requestPayload": json.loads(body),
                    "responsePayload": invocation.error,
                }
                self._queues.send(queue, json.dumps(failure))

            self._functions.invoke_async(target.arn, json.loads(body), park)
        elif target.arn in self._queues.queues:
            self._queues.send(target.arn, body)
        else:
            self._workflows.start(target.arn, str(uuid.uuid4()), body)


class Bus:
    """EventBridge: events go to the outbox and to the targets of every rule that matches."""

    def __init__(
        self, rules: Sequence[Rule], buses: Sequence[str], delivery: Delivery, outbox: Outbox, clock: Clock
    ) -> None:
        self._rules = rules
        self._buses = set(buses)
        self._delivery = delivery
        self._outbox = outbox
        self._clock = clock

    def put(self, entry: Mapping[str, Json]) -> dict[str, str]:
        """Accept one entry of PutEvents; answers its id, or why it was refused."""
        bus = str(entry.get("EventBusName") or "default").rsplit("/", 1)[-1]
        if bus not in self._buses:
            return {"ErrorCode": "ResourceNotFoundException", "ErrorMessage": f"Event bus {bus} does not exist."}
        if not all(entry.get(name) for name in ("Source", "DetailType", "Detail")):
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": "Source, DetailType and Detail are required."}
        try:
            detail = json.loads(entry["Detail"])
        except ValueError:
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": entry["DetailType"],
            "source": entry["Source"],
            "account": ACCOUNT,
            "time": self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": list(entry.get("Resources", [])),
            "detail": detail,
        }
        self._outbox.add("events", {"bus": bus, **event})
        for rule in self._rules:
            if rule.bus == bus and rule.matches(event):
                for target in rule.targets:
                    self._delivery.deliver(target, event)
        return {"EventId": event["id"]}
