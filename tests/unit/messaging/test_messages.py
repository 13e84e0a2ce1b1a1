from datetime import timedelta
from typing import Any

import pytest

from kickstand.billing.model import Invoice, InvoiceLine, InvoiceState, Subject
from kickstand.fleet.model import RentTimings
from kickstand.kernel.events import Event
from kickstand.messaging import rules, templates
from kickstand.messaging.model import Mail, Template
from kickstand.rental.model import EndReason, Rental
from kickstand.sales.model import OrderLine
from tests.support import invoices, samples


def event(name: str, **data: Any) -> Event:
    return Event(id=9, name=name, at=samples.START + timedelta(hours=3, minutes=1), data=data)


def mail(template: Template, rental: Rental | None = None, **changes: Any) -> Mail:
    rider, network = samples.rider(), samples.network(**changes)
    if template is Template.VEHICLE_REPAIRED:
        return templates.write_repaired(rider, samples.rental().vehicle_code, network)
    return templates.write(template, rider, rental or samples.ended_rental(), network, event("").at)


@pytest.mark.parametrize(
    ("rental", "happened", "template"),
    [
        (samples.rental(), event("RentalTooLong", notice=1), Template.RIDE_TOO_LONG),
        (samples.rental(notices=4), event("RentalTooLong", notice=5), Template.RIDE_TOO_LONG),
        (samples.rental(), event("RentalPaused", automatic=True), Template.RIDE_PAUSED),
        (samples.rental(), event("RentalPaused", automatic=False), None),
        (samples.rental(), event("RentalStarted"), None),
        (samples.rental(), event("RentalUnlocked"), None),
        (samples.rental(), event("RentalResumed", unlock=True), None),
        (samples.ended_rental(), event("RentalEnding", reason="rider", fine=0, warned=False), None),
        (
            samples.ended_rental(end_reason=EndReason.OPERATOR),
            event("RentalEnding", reason="operator"),
            Template.RIDE_ENDED,
        ),
        (samples.ended_rental(end_reason=EndReason.TOO_LONG), event("RentalEnding"), Template.RIDE_ENDED),
        (samples.ended_rental(end_reason=EndReason.PAUSED_TOO_LONG), event("RentalEnding"), Template.RIDE_ENDED),
        (samples.ended_rental(end_reason=EndReason.STOLEN), event("RentalEnding"), Template.RIDE_ENDED),
        (
            samples.ended_rental(end_reason=EndReason.LEFT_UNLOCKED),
            event("RentalEnding", warned=True),
            Template.LEFT_UNLOCKED_WARNING,
        ),
        (samples.ended_rental(), event("RentalEnding", warned=True), Template.LEFT_UNLOCKED_WARNING),
        (
            samples.ended_rental(end_reason=EndReason.LEFT_UNLOCKED, fine=2_500),
            event("RentalEnding", fine=2_500),
            Template.LEFT_UNLOCKED_FINE,
        ),
        (samples.ended_rental(end_reason=EndReason.UNLOCK_REJECTED), event("RentalCancelled"), None),
        (samples.ended_rental(), event("RentalCompleted"), None),
    ],
)
def test_riders_are_told_what_they_did_not_do_themselves(
    rental: Rental, happened: Event, template: Template | None
) -> None:
    assert rules.template_for(rental, happened) is template


@pytest.mark.parametrize("template", [each for each in Template if each.startswith(("left_", "ride_", "vehicle_"))])
def test_every_message_greets_names_the_vehicle_and_is_signed(template: Template) -> None:
    written = mail(template, samples.ended_rental(fine=2_500))
    assert written.text.startswith("Hi Kari,\n\n")
    assert written.text.endswith("\n\nÆgir Łukasz Mobilitet AS\nreceipts@kickstand.example\n")
    assert "XR4Y" in written.subject
    assert "XR4Y" in written.text
    assert "\n" not in written.subject


def owed(**changes: object) -> Invoice:
    """An invoice over 43.75 for a ride."""
    line = InvoiceLine(text="Ride", net=3_500, vat_percent=25, vat=875)
    values = {
        "id": 8,
        "client_id": 5,
        "rider_id": samples.RIDER_ID,
        "network_id": samples.NETWORK_ID,
        "subject": Subject.RENTAL,
        "subject_id": samples.RENTAL_ID,
        "year": 2025,
        "currency": "EUR",
        "lines": (line,),
        "total": 4_375,
        "paid": 375,
        "state": InvoiceState.OPEN,
        "token": "t",
        "recorded_at": samples.START,
        "event": event("InvoiceRecorded"),
    }
    return Invoice.model_validate(values | changes)


PRICE = "EUR\N{NO-BREAK SPACE}40.00"


@pytest.mark.parametrize(("tried", "words"), [(True, "from your card"), (False, "no card saved")])
def test_who_owes_something_is_told_how_much_and_what_to_do(tried: bool, words: str) -> None:
    written = templates.write_debt(samples.rider(), owed(), samples.network(), tried=tried)
    assert PRICE in written.subject
    assert f"{PRICE} for your ride" in written.text
    assert words in written.text
    assert "save a card there" in written.text
    reserved = templates.write_debt(samples.rider(), owed(subject=Subject.RESERVATION), samples.network(), tried=tried)
    assert "your reservation" in reserved.text


def test_who_has_to_confirm_a_payment_is_told_where() -> None:
    link = "https://rides.example/checkout/payments/t"
    written = templates.write_payment_waits(samples.rider(), owed(), 4_000, samples.network(), link)
    assert PRICE in written.subject
    assert f"\n\n{link}\n\n" in written.text
    assert written.text.startswith("Hi Kari,\n\n")


def test_nobody_is_greeted_without_a_name() -> None:
    anonymous = samples.rider(first_name=None)
    written = templates.write(Template.RIDE_PAUSED, anonymous, samples.rental(), samples.network(), samples.START)
    assert written.text.startswith("Hi,\n")


def test_a_notice_says_for_how_long_the_ride_has_been_running() -> None:
    assert "for 3 hours and 1 minute, and" in mail(Template.RIDE_TOO_LONG, samples.rental()).text


def test_a_pause_says_when_it_ends_the_ride() -> None:
    assert "after 30 minutes" in mail(Template.RIDE_PAUSED).text
    assert "A pause ends" not in mail(Template.RIDE_PAUSED, timings=RentTimings(max_pause_s=0)).text


def test_an_end_says_why_and_what_it_costs() -> None:
    text = mail(Template.RIDE_ENDED, samples.ended_rental(end_reason=EndReason.TOO_LONG)).text
    assert "because it reached the longest time" in text
    assert "EUR\u00a03.33, VAT included" in text


def test_a_receipt_speaks_of_vat_where_there_is_some() -> None:
    money = OrderLine(offer_id=None, name="Wallet deposit", unit_price=10_000, vat_percent=None)
    texts = [
        templates.write_invoice(template, samples.rider(), invoice, "https://a.example", samples.network()).text
        for template in (Template.INVOICE_PAID, Template.INVOICE_CREDITED)
        for invoice in (invoices.paid(), invoices.paid(lines=[money]))
    ]
    assert [", VAT included." in text for text in texts] == [True, False, True, False]
    assert [text.count("EUR\u00a0100.00.") for text in texts] == [0, 1, 0, 1]


def test_a_free_ride_costs_nothing() -> None:
    rental = samples.ended_rental(minutes=1, end_reason=EndReason.OPERATOR)
    assert "You pay nothing for this ride." in mail(Template.RIDE_ENDED, rental).text


def test_a_warning_says_what_the_next_time_will_cost() -> None:
    assert "a fee of EUR\u00a025.00" in mail(Template.LEFT_UNLOCKED_WARNING).text
    assert "fee" not in mail(Template.LEFT_UNLOCKED_WARNING, left_unlocked_fine=0).text


def test_a_fine_is_named_and_part_of_the_price() -> None:
    text = mail(Template.LEFT_UNLOCKED_FINE, samples.ended_rental(fine=2_500)).text
    assert "a fee of EUR\u00a025.00 has been added" in text
    assert "EUR\u00a028.33" in text
