"""Notes about the webhooks that leave the platform."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from unittest.mock import patch

from kickstand.webhooks import gateway
from kickstand.webhooks.model import Outcome
from local.outbox import Outbox


@contextmanager
def noted(outbox: Outbox) -> Iterator[None]:
    """Put every attempt to deliver a webhook into the outbox, for the length of a block."""
    post = gateway.post

    def noting(url: str, body: str, stamp: Callable[[], Mapping[str, str]], *, about: str) -> Outcome:
        headers: dict[str, str] = {}

        def stamped() -> Mapping[str, str]:
            headers.update(stamp())
            return headers

        outcome = post(url, body, stamped, about=about)
        sent = {"to": url, "headers": headers, "body": json.loads(body)}
        outbox.add("webhooks", {**sent, "failure": outcome.failure, "status": outcome.status})
        return outcome

    with patch.object(gateway, "post", noting):
        yield
