"""Notes about the webhooks that leave the platform.

A host whose name ends in ``.example`` is nobody's and never will be (RFC 2606): what is sent there counts as taken, and
is seen in the outbox only.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from unittest.mock import patch
from urllib.parse import urlsplit

from kickstand.webhooks import gateway
from kickstand.webhooks.model import Outcome
from local.outbox import Outbox

_NOBODYS = ".example"
_TAKEN = 204


@contextmanager
def noted(outbox: Outbox) -> Iterator[None]:
    """Put every attempt to deliver a webhook into the outbox, for the length of a block."""
    post = gateway.post

    def noting(url: str, body: str, stamp: Callable[[], Mapping[str, str]], *, about: str) -> Outcome:
        headers: dict[str, str] = {}

        def stamped() -> Mapping[str, str]:
            headers.update(stamp())
            return headers

        if (urlsplit(url).hostname or "").endswith(_NOBODYS):
            stamped()
            outcome = Outcome(failure=None, status=_TAKEN)
        else:
            outcome = post(url, body, stamped, about=about)
        sent = {"to": url, "headers": headers, "body": json.loads(body)}
        outbox.add("webhooks", {**sent, "failure": outcome.failure, "status": outcome.status})
        return outcome

    with patch.object(gateway, "post", noting):
        yield
