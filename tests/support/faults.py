"""What can break around the platform."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from kickstand.kernel import items

_OK: Final = 200


@contextmanager
def unreachable_database() -> Iterator[None]:
    """No call reaches the database."""
    client = items.connection().client
    fault = EndpointConnectionError(endpoint_url="https://dynamodb.example")

    def fail(**_: Any) -> None:
        raise fault

    client.meta.events.register_first("before-call.dynamodb", fail)
    try:
        yield
    finally:
        client.meta.events.unregister("before-call.dynamodb", fail)


class Kind(StrEnum):
    """How a call of the database fails."""

    LOST = "lost"
    """It does not reach the database."""
    UNANSWERED = "unanswered"
    """It has been carried out, and the answer gets lost."""


_WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"})


@dataclass
class Calls:
    """Counts the calls of the database inside the block, and lets one of them fail.

    Attributes:
        at: the number of the call that fails, from 1; ``None`` for none.
        made: the operations, in their order.
    """

    at: int | None = None
    kind: Kind = Kind.LOST
    made: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether the call that fails has been made."""
        return self.at is not None and len(self.made) >= self.at

    def faults(self) -> Iterator[tuple[int, Kind]]:
        """Every way in which one of the calls that were made can fail; of a read, only one makes a difference."""
        for number, operation in enumerate(self.made, 1):
            yield number, Kind.LOST
            if operation in _WRITES:
                yield number, Kind.UNANSWERED

    def __enter__(self) -> Self:
        self._events = items.connection().client.meta.events
        self._events.register_first("before-call.dynamodb", self._before)
        self._events.register_last("after-call.dynamodb", self._after)
        return self

    def __exit__(self, *_: object) -> None:
        self._events.unregister("before-call.dynamodb", self._before)
        self._events.unregister("after-call.dynamodb", self._after)

    def _before(self, model: Any, **_: Any) -> None:
        self.made.append(model.name)
        if self.kind is Kind.LOST and len(self.made) == self.at:
            raise EndpointConnectionError(endpoint_url="https://dynamodb.example")

    def _after(self, http_response: Any, **_: Any) -> None:
        if self.kind is Kind.UNANSWERED and len(self.made) == self.at and http_response.status_code == _OK:
            raise ReadTimeoutError(endpoint_url="https://dynamodb.example")
