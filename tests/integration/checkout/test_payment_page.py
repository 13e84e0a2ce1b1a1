"""The page on which a rider makes a payment, or answers the bank, and sees what has become of it."""

import json
from contextlib import suppress
from io import StringIO
from typing import Any

import pytest

from kickstand.billing import settlement
from kickstand.billing.settlement import Means
from kickstand.http import surface
from kickstand.kernel import ids, store
from kickstand.payments import intents, rules
from kickstand.payments.model import PaymentIntent, PaymentState, Purpose, PurposeKind
from tests.support.api import Reply
from tests.support.capacity import measured
from tests.support.html import Document
from tests.support.provider import OK, PROVED_ALWAYS, BrowserRefused


def settings(reply: Reply) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Document(reply.body.decode()).one("main").attributes["data-settings"])
    return found


def heading(reply: Reply) -> str:
    return Document(reply.body.decode()).one("h1").text


def refused(reply: Reply) -> tuple[int, str | None]:
    return reply.status, reply.error_on_page


def put_aside(payment: PaymentIntent, **changes: Any) -> PaymentIntent:
    """Keep a payment in a state that the provider does not bring about here."""
    after = payment.model_copy(update={"version": payment.version + 1, **changes})
    store.begin()
    with store.Transaction() as tx:
        intents.record(tx, payment, after)
    return after


def test_a_rider_pays_with_a_card(till: Any) -> None:
    payment = till.pay()
    page = till.show_payment(payment.token)
    assert page.status == 200
    asked = settings(page)
    assert (asked["secret"], asked["setup"], asked["entry"], asked["method"]) == (payment.secret, False, True, None)
    document = Document(page.body.decode())
    assert document.one("button").text == heading(page) == "Pay NOK\u00a050.00"
    assert "To Oslo Rides AS" in document.one("main").text
    till.provider.confirm(payment.secret, OK)
    page = till.show_payment(payment.token)
    assert heading(page) == "Paid"
    assert "secret" not in page.body.decode()
    assert till.wallet() == 5000


def test_a_rider_proves_to_the_bank_who_pays(till: Any) -> None:
    till.provider.save_card(till.rider_id, PROVED_ALWAYS)
    payment = till.pay()
    assert payment.state is PaymentState.REQUIRES_ACTION
    page = till.show_payment(payment.token, "sv")
    assert heading(page) == "Bekräfta NOK\u00a050.00"
    asked = settings(page)
    assert (asked["entry"], asked["method"]) == (False, None)
    assert asked["secret"] == payment.secret
    till.provider.authenticate(payment.secret)
    assert heading(till.show_payment(payment.token, "sv")) == "Betalt"
    assert till.wallet() == 5000


def test_a_rider_who_fails_to_prove_it_sees_that_nothing_was_paid(till: Any) -> None:
    till.provider.save_card(till.rider_id, PROVED_ALWAYS)
    payment = till.pay()
    with suppress(BrowserRefused):
        till.provider.authenticate(payment.secret, ok=False)
    page = till.show_payment(payment.token)
    assert heading(page) == "Not paid"
    assert till.payment(payment.id).state is PaymentState.FAILED
    assert till.wallet() == 0


def away(till: Any) -> PaymentIntent:
    """A payment that was tried while the rider was away, whose bank wants the rider."""
    card = till.provider.save_card(till.rider_id, PROVED_ALWAYS)
    store.begin()
    draft = intents.draft(
        client_id=till.client.id,
        rider_id=till.rider_id,
        network_id=1,
        purpose=Purpose(kind=PurposeKind.HOLD, id=ids.new_id()),
        amount=7700,
        currency="NOK",
        card=card,
        hold=True,
        off_session=True,
    )
    with store.Transaction() as tx:
        intents.create(tx, draft)
    store.begin()
    return settlement.advance(draft.id)


def test_a_card_that_was_charged_while_the_rider_was_away_is_named_again(till: Any) -> None:
    payment = away(till)
    assert payment.state is PaymentState.REQUIRES_ACTION
    asked = settings(till.show_payment(payment.token))
    assert (asked["entry"], asked["method"], asked["secret"]) == (False, payment.card, payment.secret)
    till.provider.authenticate(payment.secret)
    page = till.show_payment(payment.token)
    assert heading(page) == "Reserved"
    assert "NOK\u00a077.00" in Document(page.body.decode()).one("main").text


@pytest.mark.parametrize(
    ("state", "title"),
    [
        (PaymentState.SUCCEEDED, "Paid"),
        (PaymentState.HELD, "Reserved"),
        (PaymentState.FAILED, "Not paid"),
        (PaymentState.CANCELLED, "No longer possible"),
        (PaymentState.RELEASED, "Given back"),
        (PaymentState.EXPIRED, "Given back"),
    ],
)
def test_what_is_decided_is_said_without_asking_anybody(till: Any, state: PaymentState, title: str) -> None:
    payment = put_aside(till.pay(), state=state, secret=None)
    asked = till.provider.calls
    page = till.show_payment(payment.token)
    assert (page.status, heading(page)) == (200, title)
    assert Document(page.body.decode()).all("script") == []
    assert till.provider.calls == asked


def test_what_was_taken_counts_and_not_what_was_held(till: Any) -> None:
    payment = put_aside(till.pay(), state=PaymentState.SUCCEEDED, captured=1250)
    text = Document(till.show_payment(payment.token).body.decode()).one("main").text
    assert "NOK\u00a012.50" in text
    assert "NOK\u00a050.00" not in text


def test_what_a_bank_has_not_answered_can_be_looked_at_again(till: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = put_aside(till.pay(), state=PaymentState.PROCESSING)
    with monkeypatch.context() as patch:
        patch.setattr(settlement, "advance", lambda _payment_id: payment)
        page = till.show_payment(payment.token)
    document = Document(page.body.decode())
    assert (document.one("h1").text, document.one("a").attributes["href"]) == ("One moment", "")


def test_what_needs_more_than_a_card_is_left_to_the_app(till: Any) -> None:
    payment = put_aside(till.pay(), types=("blik",))
    page = till.show_payment(payment.token)
    assert heading(page) == "Go on in the app"
    assert Document(page.body.decode()).all("script") == []


def test_what_took_too_long_is_over(till: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = till.pay()
    put_aside(payment, deadline=payment.created_at - rules.ON_SESSION)
    assert heading(till.show_payment(payment.token)) == "No longer possible"
    assert till.payment(payment.id).state is PaymentState.CANCELLED


def test_a_link_that_names_nothing_leads_nowhere(till: Any) -> None:
    payment = till.pay(means=Means.ANY)
    other = ids.new_token(payment.id)
    for strange in ("", "x", payment.token[:-1], payment.token + "A", other, "A" * 43, "_" * 43, "ü" * 43, "\ud800"):
        assert refused(till.show_payment(strange)) == (404, "link_not_found"), strange
    assert till.show_payment(payment.token).status == 200


def test_a_provider_that_does_not_answer_is_a_page_to_be_loaded_again(till: Any) -> None:
    payment = till.pay()
    till.provider.fail_next()
    page = till.show_payment(payment.token, "nb")
    assert refused(page) == (503, "try_again")
    assert heading(page) == "Prøv igjen"
    assert till.show_payment(payment.token).status == 200


def test_no_page_is_kept_or_tells_where_it_was(till: Any) -> None:
    payment = till.pay()
    token, _ = till.begin_setup()
    for page in (till.show_payment(payment.token), till.show_payment("x"), till.show_card(token), till.show_card("x")):
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


def test_neither_token_nor_secret_is_in_the_log(till: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = till.pay()
    token, secret = till.begin_setup()
    written = StringIO()
    for handler in surface.logger.handlers:
        monkeypatch.setattr(handler, "stream", written)
    till.show_payment(payment.token)
    till.show_card(token)
    till.provider.fail_next()
    till.show_payment(payment.token)
    logged = written.getvalue()
    assert '"operation":"show_payment"' in logged
    assert "operation failed" in logged
    assert not any(each in logged for each in (payment.token, payment.secret, token, secret))


def test_a_page_of_an_open_payment_costs_two_reads(till: Any) -> None:
    payment = till.pay()
    with measured() as usage:
        assert till.show_payment(payment.token).status == 200
    assert usage.calls == ["BatchGetItem", "BatchGetItem"]
    assert usage.write_units == 0
