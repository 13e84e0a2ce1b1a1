"""Webhooks per second, from their publishing to their acknowledgement, beside a bare loop of signed requests."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from kickstand.kernel import items, store
from kickstand.webhooks import gateway, rules, service
from kickstand.webhooks.model import EVERYTHING, Endpoint, SignatureScheme
from kickstand.webhooks.stringify import stringify
from local.server import Tables
from local.testing import running_platform
from reactions.webhooks import deliver_webhooks
from tests.support.bench import Table, milliseconds
from tests.support.receivers import Receiver, running_receiver

pytestmark = pytest.mark.bench

EVENTS = 400
PER_TRIP = 4
WORKERS = (1, 8)
SCHEME = SignatureScheme(signature_header="Urbansharing-Signature", id_header="uowid")
PLACE = {"type": "Point", "coordinates": [10.751817, 59.910073], "accuracy": 7.5}
TRIP: dict[str, Any] = {
    "type": "MAAS_TRIP_STATE_UPDATE",
    "clientId": "6e859af2-4fcd-46b4-952c-ab5c7aefd487",
    "userId": "user-4711",
    "state": "completed",
    "startedAtLocation": PLACE,
    "endedAtLocation": PLACE,
    "totalDistance": 1250.5,
    "vehicle": {"id": 4711, "name": "XR4Y", "category": "scooter", "location": PLACE, "note": "x" * 1_000},
    "pricing": {"totalAmountIncludingVat": 3750, "currency": "NOK"},
}
_names = count(1)


def test_rate(engine: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_TARGETS", "any")
    items.connect()
    table = Table(
        f"Webhooks of {len(stringify(TRIP)):,} bytes to a receiver in this process",
        "what",
        "at a time",
        "per second",
        "ms each",
    )
    rates = {}
    with running_receiver() as receiver:
        for workers in WORKERS:
            rates["bare", workers] = bare(receiver, workers)
            table.row(
                "bare loop: sign, connect, send, read the answer", workers, *both(rates["bare", workers], workers)
            )
        for workers in WORKERS:
            rates["engine", workers] = engine_alone(receiver, workers, monkeypatch)
            table.row(
                "published before, then delivered from a queue", workers, *both(rates["engine", workers], workers)
            )
        table.row("publishing alone", 1, *both(publishing(receiver, monkeypatch), 1))
    table.show("a delivery is one read and three writes around the request; the engine of the tables is the local one")
    assert rates["engine", 8] > 20


def test_rate_on_the_platform(tmp_path: Any) -> None:
    table = Table("Webhooks on the local platform", "what", "per second", "ms each")
    with running_platform(tmp_path, seed=False), running_receiver() as receiver:
        endpoint = registered(receiver)
        started = time.perf_counter()
        publish(endpoint)
        acknowledged(receiver)
        table.row("published by one, and delivered meanwhile", *both(EVENTS / (time.perf_counter() - started), 1))
    table.show("queue, functions, tables and receiver share one process and its two cores")


def test_serializing() -> None:
    table = Table("Bodies of webhooks", "what", "ms")
    table.row(
        f"{len(stringify(TRIP)):,} bytes as JavaScript would write them", milliseconds(lambda: stringify(TRIP), 200)
    )
    table.show()


def both(rate: float, workers: int) -> tuple[float, float]:
    return rate, workers * 1000 / rate


def registered(receiver: Receiver) -> Endpoint:
    receiver.got.clear()
    store.begin()
    return service.register(next(_names), receiver.url, [EVERYTHING], SCHEME)


def publish(endpoint: Endpoint) -> None:
    for number in range(EVENTS):
        store.begin()
        payload = {"id": number, **TRIP}
        service.publish(endpoint.client_id, "/trips/events", f"trip-{number // PER_TRIP}", str(number), payload)


def acknowledged(receiver: Receiver) -> None:
    """Wait for all events; they are in order, and none came twice."""
    deadline = time.monotonic() + 120
    while len(receiver.got) < EVENTS:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    heard = [each["id"] for each in receiver.documents()]
    assert sorted(heard) == list(range(EVENTS))
    for trip in range(EVENTS // PER_TRIP):
        ours = [number for number in heard if number // PER_TRIP == trip]
        assert ours == sorted(ours)


def bare(receiver: Receiver, workers: int) -> float:
    endpoint = registered(receiver)
    body = stringify({"id": 1, **TRIP})

    def send(_: int) -> None:
        signed = lambda: {"Urbansharing-Signature": rules.signature(endpoint, body, datetime.now(UTC))}  # noqa: E731
        assert gateway.post(f"{receiver.url}/trips/events", body, signed, about="bench").failure is None

    return per_second(send, workers)


def per_second(work: Callable[[int], None], workers: int) -> float:
    with ThreadPoolExecutor(workers) as pool:
        started = time.perf_counter()
        list(pool.map(work, range(EVENTS)))
        return EVENTS / (time.perf_counter() - started)


def engine_alone(receiver: Receiver, workers: int, monkeypatch: pytest.MonkeyPatch) -> float:
    with waiting(monkeypatch) as messages:
        publish(registered(receiver))
        started = time.perf_counter()
        threads = [threading.Thread(target=deliver, args=(messages,)) for _ in range(workers)]
        for thread in threads:
            thread.start()
        acknowledged(receiver)
        for thread in threads:
            thread.join()
        return EVENTS / (time.perf_counter() - started)


def publishing(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> float:
    with waiting(monkeypatch):
        endpoint = registered(receiver)
        started = time.perf_counter()
        publish(endpoint)
        return EVENTS / (time.perf_counter() - started)


@contextmanager
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator["queue.SimpleQueue[str]"]:
    """A queue in memory; what is to come later comes at once."""
    messages: queue.SimpleQueue[str] = queue.SimpleQueue()

    def ask(errands: Sequence[Any], *, delay_s: int = 0) -> None:
        if not delay_s:
            for errand in errands:
                messages.put(errand.model_dump_json())

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "ask", ask)
        yield messages


def deliver(messages: "queue.SimpleQueue[str]") -> None:
    while True:
        try:
            body = messages.get_nowait()
        except queue.Empty:
            return
        assert deliver_webhooks({"Records": [{"messageId": "1", "body": body}]}, None) == {"batchItemFailures": []}
