import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kickstand.webhooks import rules
from kickstand.webhooks.errors import EndpointExists, SecretRefused, TargetRefused, TooManyEndpoints
from kickstand.webhooks.model import (
    EVERYTHING,
    Delivery,
    DeliveryState,
    DeliveryStatus,
    DisabledReason,
    Endpoint,
    Endpoints,
    EndpointState,
    Failure,
    Lane,
    LaneState,
    Name,
    SignatureScheme,
    Wake,
)
from tests.support.receivers import is_genuine

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
NOW_MS = 1_772_366_400_123
DAY = timedelta(days=1)


def endpoint(**fields: Any) -> Endpoint:
    known: dict[str, Any] = {
        "id": 7,
        "client_id": 1,
        "url": "https://receiver.example/hooks",
        "events": frozenset({EVERYTHING}),
        "scheme": SignatureScheme(signature_header="Signature", id_header="id"),
        "secret": "a" * 32,
        "created_at": NOW,
    }
    return Endpoint(**known | fields)


def lane(**fields: Any) -> Lane:
    known: dict[str, Any] = {"client_id": 1, "endpoint_id": 7, "subject": "trip-1", "pending": ("1", "2")}
    return Lane(**known | fields)


def delivery(**fields: Any) -> Delivery:
    known: dict[str, Any] = {"client_id": 1, "endpoint_id": 7, "subject": "trip-1", "event_id": "1", "path": "/trips"}
    return Delivery(**known | {"body": "{}", "published_at": NOW} | fields)


# ── Signatures ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("vector", VECTORS["signatures"], ids=range(len(VECTORS["signatures"])))
def test_signatures_are_those_that_javascript_computes(vector: dict[str, Any]) -> None:
    at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=vector["timestamp"])
    header = rules.signature(endpoint(secret=vector["secret"]), vector["body"], at)
    assert header == f"t={vector['timestamp']},v0={vector['v0']}"
    assert is_genuine(vector["secret"], header, vector["body"].encode())


def test_a_signature_is_of_its_moment_its_secret_and_its_body() -> None:
    header = rules.signature(endpoint(), "{}", NOW)
    assert header.startswith(f"t={NOW_MS},v0=")
    assert is_genuine("a" * 32, header, b"{}", now_ms=NOW_MS + 4_999)
    assert not is_genuine("a" * 32, header, b"{}", now_ms=NOW_MS + 5_001)
    assert not is_genuine("b" * 32, header, b"{}")
    assert not is_genuine("a" * 32, header, b'{"a":1}')
    assert not is_genuine("a" * 32, header.replace(f"{NOW_MS}", f"{NOW_MS + 1}"), b"{}")


def test_after_a_rotation_both_secrets_sign_and_the_old_one_comes_last() -> None:
    rotated = rules.rotated(endpoint(), "b" * 32, NOW, DAY)
    assert rotated.secret == "b" * 32
    during = rules.signature(rotated, "{}", NOW + DAY - timedelta(seconds=1))
    assert during.count("v0=") == 2
    assert is_genuine("a" * 32, during, b"{}")  # who looks at the last one, and has not switched yet
    newest = ",".join(during.split(",")[:2])
    assert is_genuine("b" * 32, newest, b"{}")
    after = rules.signature(rotated, "{}", NOW + DAY)
    assert after.count("v0=") == 1
    assert is_genuine("b" * 32, after, b"{}")


def test_a_rotation_that_nobody_heard_of_leaves_the_secret_that_is_known() -> None:
    lost = rules.rotated(endpoint(), "b" * 32, NOW, DAY)
    rotated = rules.rotated(lost, "c" * 32, NOW + timedelta(minutes=1), DAY)
    header = rules.signature(rotated, "{}", NOW + timedelta(minutes=2))
    assert header.count("v0=") == 3
    assert is_genuine("a" * 32, header, b"{}")


def test_a_rotation_to_the_same_secret_changes_nothing() -> None:
    assert rules.rotated(endpoint(), "a" * 32, NOW, DAY) == endpoint()


def test_a_rotation_without_overlap_ends_all_former_secrets() -> None:
    twice = rules.rotated(rules.rotated(endpoint(), "b" * 32, NOW, DAY), "c" * 32, NOW, timedelta(0))
    assert rules.signature(twice, "{}", NOW).count("v0=") == 1


def test_a_shorter_overlap_shortens_that_of_older_secrets() -> None:
    hour = timedelta(hours=1)
    twice = rules.rotated(rules.rotated(endpoint(), "b" * 32, NOW, DAY), "c" * 32, NOW, hour)
    assert rules.signature(twice, "{}", NOW + hour).count("v0=") == 1


def test_no_more_than_three_former_secrets_sign() -> None:
    known = endpoint()
    for letter in "bcdefg":
        known = rules.rotated(known, letter * 32, NOW, DAY)
    assert [each.secret[0] for each in known.old_secrets] == ["f", "e", "d"]


def test_secrets_are_not_shown() -> None:
    shown = repr(rules.rotated(endpoint(), "b" * 32, NOW, DAY))
    assert "aaaa" not in shown
    assert "bbbb" not in shown


@pytest.mark.parametrize("secret", ["", "a" * 31, "a" * 256, "a" * 31 + " ", "a" * 31 + "\n", "æ" * 32])
def test_weak_secrets_are_refused(secret: str) -> None:
    with pytest.raises(SecretRefused):
        rules.checked_secret(secret)


@pytest.mark.parametrize("secret", ["a" * 32, "~!" * 127])
def test_other_secrets_are_taken(secret: str) -> None:
    assert rules.checked_secret(secret) == secret


# ── Targets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://receiver.example", "https://receiver.example"),
        ("https://Receiver.Example/", "https://receiver.example"),
        ("https://receiver.example:443/Hooks/", "https://receiver.example/Hooks"),
        ("https://receiver.example:8443/a/b", "https://receiver.example:8443/a/b"),
        ("https://203.0.113.9/a", "https://203.0.113.9/a"),
        ("https://[2001:DB8::1]:8443/a", "https://[2001:db8::1]:8443/a"),
        ("HTTPS://receiver.example/a%20b", "https://receiver.example/a%20b"),
    ],
)
def test_a_url_is_kept_in_one_form(given: str, kept: str) -> None:
    assert rules.base_url(given, anywhere=False) == kept


@pytest.mark.parametrize(
    "url",
    [
        "",
        "receiver.example",
        "http://receiver.example",
        "ftp://receiver.example",
        "file:///etc/passwd",
        "https:///path",
        "https://",
        "https://user@receiver.example",
        "https://user:password@receiver.example",
        "https://receiver.example@127.0.0.1",
        "https://receiver.example/a?b=c",
        "https://receiver.example/a?",
        "https://receiver.example/#a",
        "https://receiver.example:0/",
        "https://receiver.example:65536/",
        "https://receiver.example:port/",
        "https://receiver.example\\@127.0.0.1/",
        "https://receiver.example/a b",
        "https://receiver.example/a\nHost: other",
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://bodø.example/",
        "https://re%63eiver.example/",
        "https://" + "a" * 1000,
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(TargetRefused):
        rules.base_url(url, anywhere=False)


def test_on_a_developers_machine_plain_http_will_do() -> None:
    assert rules.base_url("http://127.0.0.1:3000/", anywhere=True) == "http://127.0.0.1:3000"
    assert rules.target("http://127.0.0.1/a", anywhere=True) == rules.Target("http", "127.0.0.1", 80, "/a")
    with pytest.raises(TargetRefused):
        rules.base_url("ftp://127.0.0.1", anywhere=True)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "52.94.236.248", "2600:1f18::1", "2a00:1450:4001:801::200e"])
def test_public_addresses(address: str) -> None:
    assert rules.is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.1", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.8.9.10"),
        *("169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1"),
        *("192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255"),
        *("240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1"),
        *("::ffff:8.8.8.8", "::ffff:127.0.0.1", "::8.8.8.8", "64:ff9b::808:808", "64:ff9b:1::1", "2002:808:808::1"),
        *("2001::1", "2001:db8::1", "2001:20::1", "3fff::1", "2620:4f:8000::1", "5f00::1"),
    ],
)
def test_addresses_with_a_purpose_are_not_public(address: str) -> None:
    assert not rules.is_public(address)


# ── Endpoints ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_client_has_no_more_than_twenty_endpoints() -> None:
    known = Endpoints(client_id=1, version=0)
    for number in range(20):
        known = rules.added(known, endpoint(id=number, url=f"https://receiver.example/{number}"))
    assert known.version == 20
    with pytest.raises(TooManyEndpoints):
        rules.added(known, endpoint(id=99, url="https://receiver.example/99"))
    assert len(rules.removed(known, 3).endpoints) == 19


def test_an_address_is_registered_once() -> None:
    known = rules.added(Endpoints(client_id=1, version=0), endpoint())
    with pytest.raises(EndpointExists):
        rules.added(known, endpoint(id=8))
    two = rules.added(known, endpoint(id=8, url="https://receiver.example/other"))
    with pytest.raises(EndpointExists):
        rules.changed(two, endpoint(id=8))
    assert rules.changed(two, endpoint(id=7, secret="z" * 32)).find(7) == endpoint(id=7, secret="z" * 32)


def test_who_wants_what() -> None:
    some = endpoint(events=frozenset({"/trips/events"}))
    assert some.wants("/trips/events")
    assert not some.wants("/reservations")
    assert endpoint().wants("/anything")
    assert not rules.disabled(endpoint(), DisabledReason.PAUSED).wants("/anything")


def test_the_first_reason_for_disabling_stays() -> None:
    gone = rules.disabled(endpoint(), DisabledReason.GONE)
    assert rules.disabled(gone, DisabledReason.PAUSED).disabled_reason is DisabledReason.GONE
    again = rules.enabled(gone)
    assert (again.state, again.disabled_reason) == (EndpointState.ACTIVE, None)


# ── Deliveries ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_waits_grow_for_three_days(chance: float) -> None:
    now, attempts, waits = NOW, 1, []
    while (due := rules.next_attempt(attempts, NOW, now, chance)) is not None:
        waits.append((due - now).total_seconds())
        now, attempts = due, attempts + 1
    assert now == NOW + rules.PERSEVERANCE
    assert 12 <= len(waits) <= 17
    assert waits[:4] == pytest.approx([each * (0.8 + 0.4 * chance) for each in (5, 30, 120, 600)])
    assert waits[:9] == sorted(waits[:9])
    assert max(waits) <= 12 * 3600 * 1.2


def test_the_last_attempt_is_the_last_one() -> None:
    end = NOW + rules.PERSEVERANCE
    assert rules.next_attempt(14, NOW, end - timedelta(seconds=1), 0.5) == end
    assert rules.next_attempt(15, NOW, end, 0.5) is None


def test_an_endpoint_that_keeps_us_waiting_is_left_alone_for_longer_each_time() -> None:
    spans = [rules.suspension(timeouts).total_seconds() for timeouts in (1, 2, 3, 4, 5, 1000)]
    assert spans == [4, 8, 16, 30, 30, 30]
    assert spans[0] <= rules.DELAYS[0].total_seconds() * (1 - rules.SPREAD)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_success(status: int) -> None:
    assert rules.outcome(status).failure is None


@pytest.mark.parametrize("status", [101, 300, 301, 302, 307, 308, 400, 401, 404, 409, 429, 500, 503, 999])
def test_everything_else_is_a_failure(status: int) -> None:
    assert (rules.outcome(status).failure, rules.outcome(status).status) == (Failure.STATUS, status)


def test_gone_is_gone() -> None:
    assert rules.outcome(410).failure is Failure.GONE


def test_names_are_read_as_they_are_written() -> None:
    name = Name(7, "trip-1", "started_5")
    assert str(name) == "7.trip-1.started_5"
    assert rules.parse_name(str(name)) == name
    for text in ("", "7.trip-1", "7.trip-1.5.6", "x.trip-1.5", "7..5", "7.trip 1.5", "\u0667.trip.5", "-7.trip.5"):
        assert rules.parse_name(text) is None


@pytest.mark.parametrize(
    ("state", "owner", "release", "given_up", "expected"),
    [
        (LaneState.OPEN, None, None, 0, True),
        (LaneState.RETRYING, "w", None, 0, False),
        (LaneState.RETRYING, "w", "w", 0, True),
        (LaneState.RETRYING, "w", "former", 0, False),
        (LaneState.PARKED, "w", None, 2, False),
        (LaneState.PARKED, "w", None, 1, True),  # something has come since it was parked
        (LaneState.PARKED, "w", "w", 2, True),
    ],
)
def test_which_lanes_messages_look_after(
    state: LaneState, owner: str | None, release: str | None, given_up: int, expected: bool
) -> None:
    wake = Wake(client_id=1, endpoint_id=7, subject="trip-1", release=release)
    assert rules.is_for_the_queue(lane(state=state, owner=owner, given_up=given_up), wake) is expected


def test_how_far_a_delivery_is() -> None:
    failing = {"attempts": 3, "failure": Failure.STATUS, "status": 500, "due_at": NOW + DAY}
    for state, expected in (
        (LaneState.OPEN, DeliveryStatus.PENDING),
        (LaneState.RETRYING, DeliveryStatus.RETRYING),
        (LaneState.PARKED, DeliveryStatus.PARKED),
    ):
        oldest = rules.standing(delivery(), lane(state=state, **failing))
        assert (oldest.status, oldest.attempts, oldest.due_at) == (expected, 3, NOW + DAY)
        assert oldest.outcome is not None
        assert oldest.outcome.status == 500
        behind = rules.standing(delivery(event_id="2"), lane(state=state, **failing))
        assert (behind.status, behind.attempts, behind.outcome) == (expected, 0, None)
    done = delivery(state=DeliveryState.DELIVERED, attempts=4, delivered_at=NOW)
    assert rules.standing(done, lane(**failing)).status is DeliveryStatus.DELIVERED
    assert rules.standing(done, None).attempts == 4
