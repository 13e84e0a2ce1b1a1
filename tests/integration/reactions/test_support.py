"""What follows from a repair: mails to who asked."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.session import Session
from moto.ses.models import ses_backends

from kickstand.fleet.model import Vehicle
from kickstand.identity.store import RiderItem
from kickstand.kernel import aws as kernel_aws
from kickstand.kernel import consumers, store
from kickstand.messaging import gateway
from kickstand.messaging.model import Mail
from kickstand.support import service as support
from kickstand.support.model import Maintenance
from kickstand.support.store import MaintenanceItem
from reactions.support import follow_maintenances
from tests.support.city import City

ACCOUNT = "123456789012"
"""moto's."""
BRAKES, BELL = 1, 7


@pytest.fixture
def city(aws: Session) -> Iterator[City]:
    kernel_aws.disconnect()
    ses: Any = aws.create_client("sesv2")
    ses.create_email_identity(EmailIdentity="rides@kickstand.example")
    yield City()
    kernel_aws.disconnect()


def sent() -> list[Any]:
    return list(ses_backends[ACCOUNT]["eu-north-1"].sent_messages)


def report(city: City, vehicle: Vehicle, user: str, *damages: int, notify: bool = True) -> int:
    store.begin()
    report = support.report_damage(city.client, vehicle.id, user, damages or [BELL], notify_on_repair=notify)
    return report.maintenance_id


def report_with_address(city: City, vehicle: Vehicle, user: str) -> int:
    """A report of a rider with an address of the own."""
    rider = city.rider(user)
    store.change(RiderItem.key(rider.id), [RiderItem.email.set(f"{user}@mail.example")])
    return report(city, vehicle, user)


def completed(maintenance_id: int) -> dict[str, Any]:
    """The stream's record of a completion."""
    store.begin()
    before = support.maintenance(maintenance_id)
    store.begin()
    return record(before, support.complete_maintenance(maintenance_id))


def record(old: Maintenance | None, new: Maintenance) -> dict[str, Any]:
    pairs = (("OldImage", old), ("NewImage", new))
    images = {name: MaintenanceItem.of(each).to_dynamodb_dict() for name, each in pairs if each}
    keys = {name: images["NewImage"][name] for name in ("pk", "sk")}
    return {"dynamodb": {"Keys": keys, "SequenceNumber": "1", **images}}


def react(*records: dict[str, Any]) -> bool:
    """Whether everything was taken."""
    return follow_maintenances({"Records": list(records)}, None) == {"batchItemFailures": []}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    text = io.StringIO()
    for handler in consumers.logger.handlers:
        monkeypatch.setattr(handler, "stream", text)
    return text


# ── Mails ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_asked_is_told_once_however_often_it_is_delivered(city: City, logged: io.StringIO) -> None:
    vehicle = city.vehicle(code="AB12")
    city.rider("asked")
    city.rider("did-not-ask")
    report(city, vehicle, "asked")
    maintenance_id = report(city, vehicle, "asked")
    report(city, vehicle, "did-not-ask", notify=False)
    news = completed(maintenance_id)
    assert react(news, news)
    assert react(news)
    (mail,) = sent()
    assert mail.destinations == {"ToAddresses": ["agatha@mail.example"]}
    assert mail.subject == "AB12 has been repaired"
    assert "agatha" not in logged.getvalue()


def test_everybody_who_asked_gets_a_mail_of_the_own(city: City) -> None:
    vehicle = city.vehicle()
    maintenance_ids = [report_with_address(city, vehicle, user) for user in ("one", "two", "three")]
    assert react(completed(maintenance_ids[0]))
    assert sorted(each.destinations["ToAddresses"][0] for each in sent()) == [
        "one@mail.example",
        "three@mail.example",
        "two@mail.example",
    ]


def test_who_has_no_address_is_noted_as_unreachable(city: City, logged: io.StringIO) -> None:
    maintenance_id = report(city, city.vehicle(), "nobody-knows-where")
    assert react(completed(maintenance_id))
    assert sent() == []
    assert '"state":"unreachable"' in logged.getvalue()


def test_a_mail_that_fails_does_not_keep_the_others_waiting(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    vehicle = city.vehicle()
    maintenance_ids = [report_with_address(city, vehicle, user) for user in ("one", "two")]
    news, send = completed(maintenance_ids[0]), gateway.send

    def failing(mail: Mail, recipient: str, reply_to: str) -> None:
        if recipient.startswith("one"):
            raise TimeoutError
        send(mail, recipient, reply_to)

    monkeypatch.setattr(gateway, "send", failing)
    assert not react(news)
    assert len(sent()) == 1
    monkeypatch.undo()
    assert react(news)
    assert len(sent()) == 2


def test_nobody_is_told_before_the_repair(city: City) -> None:
    city.rider("asked")
    maintenance_id = report(city, city.vehicle(), "asked", BRAKES)
    assert react(record(None, support.maintenance(maintenance_id)))
    assert sent() == []


def test_a_second_maintenance_is_news_of_its_own(city: City) -> None:
    vehicle = city.vehicle()
    city.rider("asked")
    for _ in range(2):
        assert react(completed(report(city, vehicle, "asked")))
    assert len(sent()) == 2
