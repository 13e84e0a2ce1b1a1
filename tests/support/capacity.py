"""Counts what a piece of code asks of DynamoDB."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kickstand.kernel import items


@dataclass
class Usage:
    """Round trips one after the other, and the units they consumed."""

    calls: list[str] = field(default_factory=list)
    read_units: float = 0
    write_units: float = 0

    @property
    def round_trips(self) -> int:
        return len(self.calls)


_READS = {"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"}


@contextmanager
def measured() -> Iterator[Usage]:
    """What happens inside, as the engine itself counts it."""
    usage = Usage()
    events = items.connection().client.meta.events

    def ask(params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def count(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        usage.calls.append(model.name)
        consumed = parsed.get("ConsumedCapacity", [])
        for each in consumed if isinstance(consumed, list) else [consumed]:
            if model.name in _READS:
                usage.read_units += each["CapacityUnits"]
            else:
                usage.write_units += each["CapacityUnits"]

    events.register("provide-client-params.dynamodb", ask)
    events.register("after-call.dynamodb", count)
    try:
        yield usage
    finally:
        events.unregister("provide-client-params.dynamodb", ask)
        events.unregister("after-call.dynamodb", count)
