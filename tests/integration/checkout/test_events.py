"""What the provider tells: proved, looked up, and dealt with however often and in whatever order it comes."""

import json
import time
from typing import Any

import pytest
import stripe
from botocore.session import Session

from kickstand.billing import settlement
from kickstand.kernel import store
from kickstand.payments import service as payments
from kickstand.payments.model import PaymentState
from local.payments import KEYS
from tests.support.api import Reply
from tests.support.capacity import measured
from tests.support.faults import unreachable_database
from tests.support.provider import DECLINED_ON_CHARGE, OK, PROVED_ALWAYS

SUCCEEDED = "payment_intent.succeeded"


def everything(session: Session) -> list[Any]:
    client: Any = session.create_client("dynamodb")
    tables = client.list_tables()["TableNames"]
    return [sorted(client.scan(TableName=name)["Items"], key=str) for name in tables]


def taken(reply: Reply) -> bool:
    return (reply.status, reply.json if reply.status == 200 else None) == (200, {"received": True})


def test_an_event_brings_the_news_of_a_payment(till: Any) -> None:
    payment = till.pay()
    till.provider.confirm(payment.secret, OK)
    assert till.payment(payment.id).state is PaymentState.REQUIRES_METHOD
    assert taken(till.send(till.event(SUCCEEDED)))
    assert till.payment(payment.id).state is PaymentState.SUCCEEDED
    assert till.wallet() == 5000


def test_an_event_that_comes_twice_is_looked_up_once(till: Any) -> None:
    payment = till.pay()
    till.provider.confirm(payment.secret, OK)
    event = till.event(SUCCEEDED)
    assert taken(till.send(event))
    asked = till.provider.calls
    for _ in range(3):
        assert taken(till.send(event))
    assert till.provider.calls == asked
    assert till.wallet() == 5000
    assert till.provider.charges() == 1


def test_events_in_any_order_say_the_same(till: Any) -> None:
    payment = till.pay()
    assert till.provider.confirm(payment.secret, PROVED_ALWAYS)["status"] == "requires_action"
    till.provider.authenticate(payment.secret)
    wanted, done = till.event("payment_intent.requires_action"), till.event(SUCCEEDED)
    assert taken(till.send(done))
    assert taken(till.send(wanted))
    assert till.payment(payment.id).state is PaymentState.SUCCEEDED
    assert till.wallet() == 5000


def test_what_an_event_says_is_not_believed(till: Any) -> None:
    payment = till.pay()
    till.provider.confirm(payment.secret, OK)
    event = till.event(SUCCEEDED)
    other = till.pay(9900)
    lie = {**event, "id": "evt_lie", "data": {"object": {**event["data"]["object"], "id": other.ref}}}
    lie["data"]["object"]["metadata"] = {"payment_id": str(other.id)}
    assert taken(till.send(lie))
    assert till.payment(other.id).state is PaymentState.REQUIRES_METHOD
    assert till.wallet() == 0


def test_a_card_that_was_declined_can_be_replaced_by_another(till: Any) -> None:
    payment = till.pay()
    with pytest.raises(Exception, match="card_declined"):
        till.provider.confirm(payment.secret, DECLINED_ON_CHARGE)
    assert taken(till.send(till.event("payment_intent.payment_failed")))
    assert till.payment(payment.id).state is PaymentState.REQUIRES_METHOD
    till.provider.confirm(payment.secret, OK)
    assert taken(till.send(till.event(SUCCEEDED)))
    assert till.wallet() == 5000


def test_a_saved_card_is_taken_over(till: Any) -> None:
    _, secret = till.begin_setup()
    till.provider.confirm(secret, OK)
    assert till.profile().cards == ()
    for _ in range(2):
        assert taken(till.send(till.event("setup_intent.succeeded")))
    assert [card.last4 for card in till.profile().cards] == ["4242"]


@pytest.mark.parametrize(
    ("kind", "metadata"),
    [
        (SUCCEEDED, {}),
        (SUCCEEDED, {"payment_id": "12345678901"}),
        (SUCCEEDED, {"payment_id": "9" * 400}),
        (SUCCEEDED, {"payment_id": "-1"}),
        (SUCCEEDED, {"payment_id": "x"}),
        (SUCCEEDED, None),
        ("setup_intent.succeeded", {}),
        ("setup_intent.succeeded", {"setup_id": "12345678901"}),
        ("setup_intent.succeeded", {"setup_id": "9" * 400}),
        ("charge.refunded", {}),
        ("customer.created", {"payment_id": "1"}),
        ("a.kind.to.come", {}),
    ],
)
def test_what_is_about_nothing_of_ours_is_not_to_be_sent_again(till: Any, kind: str, metadata: Any) -> None:
    about = {"id": "pi_1", "object": "payment_intent", "payment_intent": "pi_1", "metadata": metadata}
    event = {"id": "evt_1", "object": "event", "type": kind, "data": {"object": about}}
    assert taken(till.send(event))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"id": 7}', b'{"type": "x", "data": 1}'])
def test_a_body_that_is_no_event_is_refused_though_it_is_signed(till: Any, body: bytes) -> None:
    text = body.decode(errors="surrogateescape")
    signature = stripe.WebhookSignature.generate_signature_header(body.decode(errors="replace"), KEYS["webhook_secret"])
    reply = till.browser.call("take_stripe_event", raw=text, headers={"stripe-signature": signature})
    assert (reply.status, reply.json["code"]) == (400, "invalid_signature")


def test_who_is_not_the_provider_changes_nothing(till: Any, aws: Session) -> None:
    payment = till.pay()
    till.provider.confirm(payment.secret, OK)
    event = till.event(SUCCEEDED)
    body = json.dumps(event)
    now = int(time.time())
    header = stripe.WebhookSignature.generate_signature_header
    good = header(body, KEYS["webhook_secret"])
    before, asked = everything(aws), till.provider.calls
    for signature in (
        *(header(body, "whsec_of somebody else"), header(body + " ", KEYS["webhook_secret"])),
        *(header(body, KEYS["webhook_secret"], timestamp=now - 366 * 86400), f"t={now}", f"t={now},v1=", "v1=,t=", "x"),
        *(
            good.replace("v1=", "v0="),
            good.replace("t=", "t=1"),
            good[:-1],
            "ü" * 50,
            "t=-1,v1=0",
            f"t={'9' * 50},v1=0",
        ),
    ):
        reply = till.send(event, signature)
        assert (reply.status, reply.json["code"]) == (400, "invalid_signature"), signature
    reply = till.browser.call("take_stripe_event", raw=body)
    assert (reply.status, reply.json["code"]) == (400, "invalid_request")
    reply = till.browser.call("take_stripe_event", raw="x" * (256 * 1024 + 1), headers={"stripe-signature": good})
    assert (reply.status, reply.json["code"]) == (400, "invalid_request")
    assert (everything(aws), till.provider.calls) == (before, asked)
    assert taken(till.send(event, good))


def test_any_type_of_content_will_do(till: Any) -> None:
    payment = till.pay()
    till.provider.confirm(payment.secret, OK)
    body, signature = till.provider.signed(till.event(SUCCEEDED))
    headers = {"stripe-signature": signature, "content-type": "application/x-www-form-urlencoded"}
    assert taken(till.browser.call("take_stripe_event", raw=body.decode(), headers=headers))
    assert till.wallet() == 5000


def test_what_the_provider_did_not_answer_is_sent_again(till: Any) -> None:
    payment = till.pay()
    till.provider.confirm(payment.secret, OK)
    event = till.event(SUCCEEDED)
    till.provider.fail_next()
    reply = till.send(event)
    assert (reply.status, reply.json["code"]) == (503, "try_again")
    assert till.wallet() == 0
    assert taken(till.send(event))
    assert till.wallet() == 5000


def test_what_the_database_did_not_take_is_sent_again(till: Any) -> None:
    payment = till.pay()
    till.provider.confirm(payment.secret, OK)
    event = till.event(SUCCEEDED)
    with unreachable_database():
        reply = till.send(event)
    assert (reply.status, reply.json["code"]) == (503, "try_again")
    assert "dynamodb" not in reply.body.decode()
    assert taken(till.send(event))
    assert till.wallet() == 5000


def test_a_crash_before_the_note_repeats_the_work_and_loses_nothing(till: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = till.pay()
    till.provider.confirm(payment.secret, OK)
    event = till.event(SUCCEEDED)

    def crash(_event: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(payments, "dealt_with", crash)
        assert till.send(event).status == 503
    assert till.wallet() == 5000
    assert taken(till.send(event))
    assert till.wallet() == 5000


def test_a_crash_before_the_work_loses_nothing(till: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = till.pay()
    till.provider.confirm(payment.secret, OK)
    event = till.event(SUCCEEDED)

    def crash(_payment_id: int) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(settlement, "advance", crash)
        assert till.send(event).status == 503
    assert taken(till.send(event))
    assert till.wallet() == 5000


def test_an_event_that_was_dealt_with_costs_one_read(till: Any) -> None:
    payment = till.pay()
    till.provider.confirm(payment.secret, OK)
    event = till.event(SUCCEEDED)
    till.send(event)
    store.begin()
    with measured() as usage:
        assert taken(till.send(event))
    assert usage.calls == ["BatchGetItem"]
