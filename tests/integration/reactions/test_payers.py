"""What riders who pay for riding, and their client, are told; and when what they owe is collected again."""

import json
import os
from typing import Any

import pytest

from kickstand.billing import rides
from kickstand.billing.model import InvoiceState, Subject
from kickstand.identity import service as identity
from kickstand.identity.model import ExternalUser
from kickstand.kernel import ids, store
from kickstand.kernel.events import Event
from kickstand.messaging import gateway as mails
from kickstand.messaging.model import Mail
from kickstand.payments import intents
from kickstand.payments import service as payment_service
from kickstand.payments.model import PaymentState, Purpose, PurposeKind
from kickstand.rental.model import Rental, Reservation
from kickstand.rental.store import RentalItem, ReservationItem
from kickstand.webhooks import gateway
from kickstand.webhooks import service as webhooks
from kickstand.webhooks.model import EVERYTHING, SignatureScheme
from local.server import Tables
from maas import events
from reactions import payers as consumers
from reactions.rides import charge_reservations, secure_rentals
from tests.support import samples
from tests.support.bank import Plastic
from tests.support.rides import TOTAL, Payers, balances, invoice, invoices_of, is_barred, payments
from tests.support.world import Streams

SCHEME = SignatureScheme(signature_header="Urbansharing-Signature", id_header="uowid")
OF_PAYMENTS = (
    consumers.mail_of_payments,
    consumers.collect_by_new_cards,
    consumers.collect_from_wallets,
    events.tell_of_payments,
)
CONSUMERS = {"PAYMENTS_TABLE": OF_PAYMENTS, "BILLING_TABLE": (consumers.mail_of_debts, events.tell_of_debts)}


class Told:
    """A client with an endpoint, riders with addresses, and what all of them are told."""

    def __init__(self, payers: Payers, patch: pytest.MonkeyPatch) -> None:
        self.payers = payers
        self.mails: list[tuple[Mail, str]] = []
        patch.setattr(gateway, "ask", lambda _: None)
        patch.setattr(gateway, "check", lambda _: None)
        patch.setattr(mails, "send", lambda mail, recipient, _: self.mails.append((mail, recipient)))
        url = f"https://hooks.example/{ids.new_id()}"
        self.endpoint = webhooks.register(payers.client.id, url, (EVERYTHING,), SCHEME)
        self.streams = Streams(*CONSUMERS)

    def user(self, plastic: Plastic | None = None, address: str | None = "agatha@mail.example") -> ExternalUser:
        user = self.payers.user(plastic)
        with store.Transaction() as tx:
            identity.keep_contact(tx, user, identity.Contact(email=address))
        self.settle()
        store.begin()
        return user

    def settle(self) -> None:
        """Bring everything that was committed to whoever follows it, twice, until nothing is new."""
        while any(found := {variable: self.streams.new(variable) for variable in CONSUMERS}.values()):
            for followers, records in zip(CONSUMERS.values(), found, strict=True):
                for follow in followers if records else ():
                    assert follow({"Records": [*records, *records]}, None) == {"batchItemFailures": []}

    def messages(self) -> list[dict[str, Any]]:
        store.begin()
        page = webhooks.deliveries(self.payers.client.id, self.endpoint.id, most=100)
        assert all(each.delivery.path == events.MESSAGES for each in page.deliveries)
        return [json.loads(each.delivery.body) for each in reversed(page.deliveries)]


@pytest.fixture
def told(engine: Tables, monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(Payers(monkeypatch), monkeypatch)


def parameters(message: dict[str, Any]) -> dict[str, str]:
    return {each["key"]: each["value"] for each in message["parameters"]}


def test_who_has_to_confirm_is_told_once_where(told: Told) -> None:
    user = told.user(Plastic.PROVED)
    rental = told.payers.rental(user)
    made = told.payers.charge(rental)
    assert made is not None
    (intent,) = told.payers.follow(user)
    told.settle()
    url = f"{os.environ['CHECKOUT_URL']}/payments/{intent.token}"
    ((mail, recipient),) = told.mails
    assert recipient == "agatha@mail.example"
    assert mail.subject == "Please confirm your payment of NOK\N{NO-BREAK SPACE}43.75"
    assert url in mail.text
    (message,) = told.messages()
    assert (message["messageType"], message["userId"]) == ("payment_action_required", told.payers.name_of(user))
    assert parameters(message) == {
        "invoiceId": str(made.id),
        "amount": str(TOTAL),
        "currency": "NOK",
        "tripId": str(rental.id),
        "url": url,
    }
    told.payers.bank.prove(intent.ref or "")
    told.payers.follow(user)
    told.settle()
    assert (len(told.mails), len(told.messages())) == (1, 1)


def test_whose_card_is_declined_is_told_and_a_new_card_is_charged(told: Told) -> None:
    user = told.user(Plastic.DECLINED)
    made = told.payers.charge(told.payers.rental(user))
    assert made is not None
    told.payers.follow(user)
    told.settle()
    ((mail, _),) = told.mails
    assert mail.subject == "Your payment of NOK\N{NO-BREAK SPACE}43.75 has failed"
    assert [each["messageType"] for each in told.messages()] == ["payment_failed"]
    assert len(payments(user)) == 1  # the same card is not tried again
    told.payers.bank.give_card(user.rider_id)
    told.settle()
    assert len(payments(user)) == 2
    assert told.payers.follow(user)[-1].state is PaymentState.SUCCEEDED
    told.settle()
    assert invoice(made.id, user.rider_id).state is InvoiceState.PAID
    assert (len(told.mails), len(told.messages()), len(payments(user))) == (1, 1, 2)
    assert not is_barred(told.payers, user)


def test_who_has_no_card_is_told(told: Told) -> None:
    user = told.user()
    store.begin()
    over = told.payers.reservation(user)
    rides.charge_reservation(over)
    told.settle()
    ((mail, _),) = told.mails
    assert mail.subject == "Please pay NOK\N{NO-BREAK SPACE}15.00"
    assert "your reservation" in mail.text
    (message,) = told.messages()
    assert message["messageType"] == "payment_due"
    assert parameters(message)["reservationId"] == str(over.id)


def test_nobody_is_told_what_goes_well_or_what_riders_do_themselves(told: Told) -> None:
    user = told.user(Plastic.GOOD)
    told.payers.holding(3_000)
    rental = told.payers.rental(user)
    rides.secure(rental)
    told.payers.follow(user)
    told.payers.charge(rental)
    told.payers.follow(user)
    there = told.user(Plastic.PROVED)
    store.begin()
    with store.Transaction() as tx:
        intent = intents.draft(
            client_id=told.payers.client.id,
            rider_id=there.rider_id,
            network_id=1,
            purpose=Purpose(kind=PurposeKind.INVOICE, id=invoices_of(user)[0].id),
            amount=100,
            currency="NOK",
            card="pm_1",
        )
        intents.create(tx, intent.model_copy(update={"event": Event.new("PaymentActionWanted")}))
    told.settle()
    assert (told.mails, told.messages()) == ([], [])


def test_a_user_without_an_address_is_told_by_the_client_only(told: Told) -> None:
    user = told.user(address=None)
    told.payers.charge(told.payers.rental(user))
    told.settle()
    assert told.mails == []
    assert len(told.messages()) == 1


def test_a_deposit_pays_what_is_owed(told: Told) -> None:
    user = told.user()
    made = told.payers.charge(told.payers.rental(user))
    assert made is not None
    told.payers.deposit(user, TOTAL)
    store.begin()
    with store.Transaction() as tx:
        intent = intents.draft(
            client_id=told.payers.client.id,
            rider_id=user.rider_id,
            network_id=1,
            purpose=Purpose(kind=PurposeKind.ORDER, id=1),
            amount=TOTAL,
            currency="NOK",
        )
        intents.create(tx, intent)
    told.settle()
    assert balances(user) == (TOTAL, -TOTAL)
    store.begin()
    paid = intent.model_copy(
        update={"state": PaymentState.SUCCEEDED, "version": 2, "event": Event.new("PaymentSucceeded")}
    )
    with store.Transaction() as tx:
        intents.record(tx, intent, paid)
    told.settle()
    assert balances(user) == (0, 0)
    assert invoice(made.id, user.rider_id).state is InvoiceState.PAID


def test_what_is_forgotten_of_a_card_collects_nothing(told: Told) -> None:
    user = told.user(Plastic.DECLINED)
    told.payers.charge(told.payers.rental(user))
    told.payers.follow(user)
    told.settle()
    known = payment_service.profile(user.rider_id)
    payment_service.keep(known, known.model_copy(update={"cards": ()}))
    told.settle()
    assert len(payments(user)) == 1


# ── What the rental table's stream brings ────────────────────────────────────────────────────────────────────────────


def stream(item: Any, entity: Rental | Reservation) -> dict[str, Any]:
    image = item.of(entity).to_dynamodb_dict()
    keys = {name: image[name] for name in ("pk", "sk")}
    record = {"dynamodb": {"Keys": keys, "NewImage": image, "SequenceNumber": "1"}}
    return {"Records": [record, record]}


def test_reservations_are_charged_by_the_stream(told: Told) -> None:
    user = told.user(Plastic.GOOD)
    over = told.payers.reservation(user)
    for _ in range(2):
        assert charge_reservations(stream(ReservationItem, over), None) == {"batchItemFailures": []}
    (made,) = invoices_of(user)
    assert (made.subject, made.total, len(payments(user))) == (Subject.RESERVATION, 1_500, 1)


def test_amounts_are_held_by_the_stream(told: Told) -> None:
    user = told.user(Plastic.GOOD)
    told.payers.holding(3_000)
    rental = told.payers.rental(user)
    for name in ("RentalUnlocked", "RentalStarted", "RentalStarted"):
        begun = rental.model_copy(update={"event": Event.new(name, samples.START)})
        assert secure_rentals(stream(RentalItem, begun), None) == {"batchItemFailures": []}
    assert [(each.hold, each.amount) for each in payments(user)] == [(True, 3_000)]
