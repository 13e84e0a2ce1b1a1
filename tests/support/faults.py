"""What can break around the platform."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import EndpointConnectionError

from kickstand.kernel import items


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
