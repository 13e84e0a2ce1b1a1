from pathlib import Path

import pytest

from kickstand.webhooks import gateway
from kickstand.webhooks.model import Failure, Outcome
from local import webhooks
from local.clock import Clock
from local.outbox import Outbox
from local.state import State


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        ("https://partner.example/trips/events", Outcome(failure=None, status=204)),
        ("https://partner.test/trips/events", Outcome(failure=Failure.UNREACHABLE)),
    ],
)
def test_what_is_sent_to_nobody_counts_as_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, outcome: Outcome
) -> None:
    monkeypatch.setattr(gateway, "post", lambda *_, **__: Outcome(failure=Failure.UNREACHABLE))
    state = State(tmp_path / "state.db")
    clock = Clock(state)
    outbox = Outbox(state, clock)
    with webhooks.noted(outbox):
        assert gateway.post(url, '{"id": 7}', lambda: {"signed": "yes"}, about="a trip") == outcome
    clock.stop()
    (kept,) = outbox.entries()["webhooks"]
    state.close()
    assert (kept["to"], kept["body"], kept["status"]) == (url, {"id": 7}, outcome.status)
