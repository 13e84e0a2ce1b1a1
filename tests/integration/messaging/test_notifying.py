import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.session import Session
from moto.ses.models import ses_backends

from kickstand.fleet.store import NetworkItem
from kickstand.identity.store import RiderItem
from kickstand.kernel import aws as kernel_aws
from kickstand.kernel import clock, consumers, store
from kickstand.kernel.events import Event
from kickstand.messaging import gateway, service
from kickstand.messaging.model import Mail, Message, MessageState, Template
from kickstand.messaging.store import MessageItem
from kickstand.rental.model import EndReason, Rental
from kickstand.rental.store import RentalItem
from reactions.messaging import notify_riders
from tests.support import samples

ACCOUNT = "123456789012"
"""moto's."""


@pytest.fixture(autouse=True)
def world(aws: Session) -> Iterator[None]:
    kernel_aws.disconnect()
    store.begin()
    ses: Any = aws.create_client("sesv2")
    ses.create_email_identity(EmailIdentity="rides@kickstand.example")
    NetworkItem.of(samples.network()).save()
    RiderItem.of(samples.rider()).save()
    yield
    kernel_aws.disconnect()


def sent() -> list[Any]:
    return list(ses_backends[ACCOUNT]["eu-north-1"].sent_messages)


def paused(rental: Rental | None = None) -> Rental:
    return (rental or samples.rental()).model_copy(update={"event": Event.new("RentalPaused", automatic=True)})


def record(old: Rental | None, new: Rental) -> dict[str, Any]:
    images = {
        name: RentalItem.of(each).to_dynamodb_dict() for name, each in (("OldImage", old), ("NewImage", new)) if each
    }
    keys = {name: images["NewImage"][name] for name in ("pk", "sk")}
    return {"dynamodb": {"Keys": keys, "SequenceNumber": "1", **images}}


def test_a_rider_gets_one_mail_for_an_event_however_often_it_is_delivered() -> None:
    before, after = samples.rental(), paused()
    batch = {"Records": [record(before, after), record(before, after)]}
    for _ in range(2):
        assert notify_riders(batch, None) == {"batchItemFailures": []}
    (mail,) = sent()
    assert mail.destinations == {"ToAddresses": ["kari.nordmann@example.com"]}
    assert mail.source == "rides@kickstand.example"
    assert mail.subject == "Your ride on XR4Y is paused"
    assert MessageItem.get(f"MESSAGE#{after.event.id}", f"RIDER#{after.rider_id}").state is MessageState.SENT


@pytest.mark.parametrize(
    ("address", "written"), [("kari@bl\u00e5b\u00e6r.no", ["kari@xn--blbr-roah.no"]), ("k\u00e5ri@mail.example", None)]
)
def test_mails_go_to_addresses_in_ascii(address: str, written: list[str] | None) -> None:
    RiderItem.of(samples.rider(email=address)).save()
    rental = paused()
    message = service.notify(rental, rental.event)
    assert message
    assert message.state is (MessageState.SENT if written else MessageState.REFUSED)
    assert [mail.destinations["ToAddresses"] for mail in sent()] == ([written] if written else [])


def test_a_change_without_news_sends_nothing() -> None:
    rental = paused()
    notify_riders({"Records": [record(rental, rental.model_copy(update={"version": 2}))]}, None)
    assert sent() == []


def test_every_repetition_of_a_notice_is_a_mail_of_its_own() -> None:
    for notice in (1, 2):
        rental = samples.rental(notices=notice, event=Event.new("RentalTooLong", notice=notice))
        service.notify(rental, rental.event)
    assert len(sent()) == 2


def test_a_mail_that_failed_is_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rental = paused()
    monkeypatch.setattr(gateway, "send", _raising(TimeoutError()))
    with pytest.raises(TimeoutError):
        service.notify(rental, rental.event)
    monkeypatch.undo()
    message = service.notify(rental, rental.event)
    assert message
    assert message.state is MessageState.SENT
    assert len(sent()) == 1


def test_whoever_died_while_sending_is_replaced_when_the_lease_has_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rental = paused()
    monkeypatch.setattr(
        gateway, "send", _raising(KeyboardInterrupt())
    )  # nothing of ours runs after it, as after a crash
    with pytest.raises(KeyboardInterrupt):
        service.notify(rental, rental.event)
    monkeypatch.undo()
    with pytest.raises(service.MessageInFlight):
        service.notify(rental, rental.event)
    assert sent() == []
    later = clock.now() + service.LEASE
    monkeypatch.setattr(clock, "now", lambda: later)
    assert service.notify(rental, rental.event)
    assert len(sent()) == 1


def test_a_live_claim_makes_the_stream_come_again() -> None:
    rental = paused()
    now = clock.now()
    claim = Message(
        event_id=rental.event.id,
        rider_id=rental.rider_id,
        template=Template.RIDE_PAUSED,
        state=MessageState.PENDING,
        lease_until=now + timedelta(seconds=10),
    )
    MessageItem.of(claim, expires_at=1).save()
    answer = notify_riders({"Records": [record(samples.rental(), rental)]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}


def test_what_the_mail_service_refuses_is_not_tried_again(aws: Session) -> None:
    ses: Any = aws.create_client("sesv2")
    ses.delete_email_identity(EmailIdentity="rides@kickstand.example")
    rental = paused()
    message = service.notify(rental, rental.event)
    assert message
    assert message.state is MessageState.REFUSED
    assert service.notify(rental, rental.event) is None
    assert sent() == []


def test_nobody_is_written_to_who_is_gone() -> None:
    rental = paused(samples.rental(rider_id=77))
    message = service.notify(rental, rental.event)
    assert message
    assert message.state is MessageState.REFUSED
    assert sent() == []


def test_a_rider_without_address_is_not_reached() -> None:
    RiderItem.of(samples.rider(id=78, email=None)).save()
    rental = paused(samples.rental(rider_id=78))
    message = service.notify(rental, rental.event)
    assert message
    assert message.state is MessageState.UNREACHABLE
    assert service.notify(rental, rental.event) is None
    assert sent() == []


def test_a_fine_is_told() -> None:
    rental = samples.ended_rental(
        end_reason=EndReason.LEFT_UNLOCKED, fine=2_500, event=Event.new("RentalEnding", fine=2_500, warned=False)
    )
    service.notify(rental, rental.event)
    assert "EUR\u00a025.00" in sent()[0].body


def test_neither_logs_nor_records_know_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    logged = io.StringIO()
    for handler in consumers.logger.handlers:
        monkeypatch.setattr(handler, "stream", logged)
    rental = paused()
    address = str(samples.rider().email)
    batch = {"Records": [record(samples.rental(), rental)]}
    with monkeypatch.context() as broken:
        broken.setattr(gateway, "send", _raising(ValueError(f"no mail to {address}")))
        assert notify_riders(batch, None) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert notify_riders(batch, None) == {"batchItemFailures": []}
    assert "record failed" in logged.getvalue()
    assert '"state":"sent"' in logged.getvalue()
    assert address not in logged.getvalue()
    (item,) = MessageItem.scan()
    assert address not in json.dumps(item.to_dynamodb_dict())


def test_the_item_holds_every_field() -> None:
    assert set(MessageItem.get_attributes()) >= set(Message.model_fields)


def _raising(error: BaseException) -> Any:
    def send(mail: Mail, recipient: str, reply_to: str) -> None:
        raise error

    return send
