import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from kickstand.billing import documents, rules
from kickstand.billing.errors import CreditRefused
from kickstand.billing.model import Invoice, InvoiceKind, InvoiceLine, InvoiceState, Subject
from kickstand.kernel import clock
from kickstand.sales.model import OrderLine
from tests.support import invoices, samples

NEW_YEAR = datetime(2025, 12, 31, 23, 0, tzinfo=UTC)
"""The first moment of 2026 in Oslo."""


def document(invoice: Invoice, original: Invoice | None = None, position: int = 123) -> bytes:
    number = rules.series_number(invoice, position)
    return documents.render_invoice(rules.invoice_document(invoice, number, samples.network(), original))


def pages(content: bytes) -> list[str]:
    found = PdfReader(io.BytesIO(content)).pages
    return [page.extract_text().replace("\u00a0", " ").replace("\0", "") for page in found]


def text_of(invoice: Invoice, original: Invoice | None = None) -> str:
    (page,) = pages(document(invoice, original))
    return page


def row(text: str, label: str) -> str:
    return next(line.removeprefix(label).strip() for line in text.splitlines() if line.startswith(label))


# ── What an invoice is ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_invoice_of_an_order_has_its_lines_and_is_paid() -> None:
    lines = [
        OrderLine(name="Month", quantity=3, unit_price=1_000, discount=501, vat_percent=25),
        OrderLine(name="Gift code", unit_price=5_000),
    ]
    order = invoices.order(lines, receipt_email="boss@example.com", payment_id=77)
    invoice = rules.for_order(order, samples.network(), clock.now())
    month, gift = invoice.lines
    assert (month.text, month.quantity, month.net, month.vat, month.gross) == ("Month", 3, 1_999, 500, 2_499)
    assert (gift.net, gift.vat, gift.vat_percent) == (5_000, 0, None)
    assert (invoice.total, invoice.paid, invoice.due, invoice.state) == (7_499, 7_499, 0, InvoiceState.PAID)
    assert (invoice.subject, invoice.subject_id, invoice.payment_id) == (Subject.ORDER, order.id, 77)
    assert invoice.receipt_email == "boss@example.com"
    assert sum(line.vat for line in invoice.lines) == order.vat


def test_the_invoice_of_a_ride_is_owed() -> None:
    invoice = invoices.owed(1_000, 333, fine=2_500)
    assert (invoice.total, invoice.paid, invoice.due) == (1_190 + 396 + 2_500, 0, 4_086)
    assert invoice.state is InvoiceState.OPEN
    assert invoice.number is None


def test_of_a_ride_that_costs_nothing_nothing_is_owed() -> None:
    assert invoices.owed(0).state is InvoiceState.PAID


def test_an_invoice_belongs_to_the_year_in_which_its_network_lives() -> None:
    assert invoices.owed(at=NEW_YEAR - timedelta(microseconds=1)).year == 2025
    assert invoices.owed(at=NEW_YEAR).year == 2026
    assert invoices.owed(at=NEW_YEAR, network=samples.network(timezone="Europe/London")).year == 2025


def test_an_invoice_is_paid_when_all_of_it_is() -> None:
    invoice, now = invoices.owed(1_000), clock.now()
    part = rules.paid(invoice.model_copy(update={"payment_id": 9}), 500, now)
    assert (part.state, part.due, part.payment_id, part.version) == (InvoiceState.OPEN, 690, None, 2)
    whole = rules.paid(part, 690, now)
    assert (whole.state, whole.due, whole.paid_at) == (InvoiceState.PAID, 0, now)
    assert whole.event.name == "InvoicePaid"


def test_numbers_say_network_kind_and_year() -> None:
    invoice = invoices.owed(at=NEW_YEAR)
    assert rules.series_number(invoice, 123) == "7-2026-000123"
    assert rules.series_number(invoice, 12_345_678) == "7-2026-12345678"
    note = invoice.model_copy(update={"kind": InvoiceKind.CREDIT_NOTE})
    assert rules.series_number(note, 123) == "7-C2026-000123"


def test_a_name_that_is_told_is_not_shown() -> None:
    invoice = invoices.paid(receipt_email="boss@example.com")
    assert invoice.token not in repr(invoice)
    assert "boss" not in repr(invoice)


# ── Credit notes ─────────────────────────────────────────────────────────────────────────────────────────────────────


def credit(invoice: Invoice, amount: int) -> tuple[Invoice, Invoice]:
    note = rules.credit_note(invoice, amount, samples.network(), clock.now())
    return note, rules.credited(invoice, note, clock.now())


def test_a_credit_note_of_all_is_the_mirror_of_its_invoice() -> None:
    invoice = rules.paid(invoices.owed(1_000, 333, fine=2_500), 4_086, clock.now())
    note, after = credit(invoice, 4_086)
    assert [(line.net, line.vat, line.vat_percent, line.quantity) for line in note.lines] == [
        (-line.net, -line.vat, line.vat_percent, line.quantity) for line in invoice.lines
    ]
    assert (note.total, note.kind, note.credits, note.due) == (-4_086, InvoiceKind.CREDIT_NOTE, invoice.id, 0)
    assert (after.credited, after.due, after.state) == (4_086, 0, InvoiceState.PAID)


def test_a_part_is_taken_off_all_lines_and_their_vat_alike() -> None:
    invoice = rules.paid(invoices.owed(1_000, 2_000), 3_570, clock.now())
    note, _ = credit(invoice, 1_785)
    assert [(line.net, line.vat) for line in note.lines] == [(-500, -95), (-1_000, -190)]


@pytest.mark.parametrize("amount", [0, -1, 501, 1_190])
def test_no_more_is_taken_back_than_was_paid(amount: int) -> None:
    invoice = rules.paid(invoices.owed(1_000), 500, clock.now())
    with pytest.raises(CreditRefused):
        credit(invoice, amount)


def test_what_is_given_back_is_not_paid_twice() -> None:
    invoice = rules.paid(invoices.owed(1_000), 700, clock.now())
    _, after = credit(invoice, 200)  # 990 are left of the invoice, and 500 of what was paid
    assert (after.due, after.state) == (490, InvoiceState.OPEN)
    done = rules.paid(after, 490, clock.now())
    assert (done.due, done.state) == (0, InvoiceState.PAID)


def test_parts_count_together_and_a_credit_note_has_none() -> None:
    note, after = credit(rules.paid(invoices.owed(1_000), 1_190, clock.now()), 1_000)
    with pytest.raises(CreditRefused):
        credit(after, 191)
    with pytest.raises(CreditRefused):
        credit(note, 1)


LINES = st.builds(
    lambda net, percent: InvoiceLine(text="x", net=net, vat_percent=percent, vat=round(net * (percent or 0) / 100)),
    st.integers(-50_000, 1_000_000),
    st.sampled_from([None, 0, 7, 19, 25]),
)


@given(st.lists(LINES, min_size=1, max_size=6), st.lists(st.integers(1, 2_000_000), max_size=5))
def test_parts_of_any_size_add_up_to_the_invoice(lines: list[InvoiceLine], amounts: list[int]) -> None:
    total = sum(line.gross for line in lines)
    if total <= 0:
        return
    paid = {"lines": tuple(lines), "total": total, "paid": total, "state": InvoiceState.PAID}
    invoice = invoices.owed().model_copy(update=paid)
    notes: list[Invoice] = []
    for amount in [*amounts, total]:
        left = invoice.total - invoice.credited
        if not left:
            break
        note, invoice = credit(invoice, min(amount, left))
        notes.append(note)
        assert sum(line.gross for line in note.lines) == note.total == -min(amount, left)
    assert invoice.credited == total
    for percent in {line.vat_percent for line in lines}:
        back = [line for note in notes for line in note.lines if line.vat_percent == percent]
        there = [line for line in lines if line.vat_percent == percent]
        assert sum(line.net for line in back) == -sum(line.net for line in there)
        assert sum(line.vat for line in back) == -sum(line.vat for line in there)


# ── Documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_invoice_shows_issuer_number_date_lines_vat_and_total() -> None:
    at = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    lines = [
        OrderLine(name="A month of rides", quantity=2, unit_price=11_900, vat_percent=19),
        OrderLine(name="Gift code", unit_price=5_000),
    ]
    invoice = rules.for_order(invoices.order(lines), samples.network(), at)
    text = text_of(invoice)
    for expected in (
        "Ægir Łukasz Mobilitet AS",
        "VAT number NO 923 456 789 MVA",
        "No. 7-2026-000123",
        "Date 2 March 2026, 00:30 CET",
        f"Order {invoice.subject_id}",
        "Paid on 2 March 2026",
    ):
        assert expected in text
    assert text.splitlines().count("Invoice") == 1
    assert row(text, "A month of rides") == "2 19 % 200.00 38.00 238.00"
    assert row(text, "Gift code") == "1 none 50.00 0.00 50.00"
    assert row(text, "Total incl. VAT") == "EUR 288.00"
    assert row(text, "VAT 19 %") == "200.00 38.00 238.00"
    assert row(text, "Outside the scope of VAT") == "50.00 0.00 50.00"


def test_what_is_owed_is_said_to_be_and_kept_apart_from_what_is_paid() -> None:
    invoice = invoices.owed(1_000).model_copy(update={"number": "7-2026-000123"})
    part = rules.paid(invoice, 190, clock.now())
    assert "To be paid: EUR 11.90" in text_of(invoice)
    assert "To be paid: EUR 10.00" in text_of(part)
    paid = rules.paid(part, 1_000, clock.now())
    assert "Paid on " in text_of(paid)
    assert rules.invoice_key(invoice) == f"invoices/7/{invoice.year}/7-2026-000123-due-1190.pdf"
    assert rules.invoice_key(part) == f"invoices/7/{invoice.year}/7-2026-000123-due-1000.pdf"
    assert rules.invoice_key(paid) == f"invoices/7/{invoice.year}/7-2026-000123.pdf"


def test_of_nothing_there_is_nothing_to_pay() -> None:
    assert "There is nothing to pay" in text_of(invoices.owed(0))


def test_a_credit_note_names_the_invoice_that_it_takes_back() -> None:
    invoice = invoices.paid(at=datetime(2026, 3, 1, 12, tzinfo=UTC)).model_copy(update={"number": "7-2026-000009"})
    note, _ = credit(invoice, 19_900)
    text = text_of(note, invoice)
    assert "Credit note" in text.splitlines()
    assert "This credit note takes back invoice 7-2026-000009 of 1 March 2026" in text
    assert "EUR 199.00 in your favour" in text
    assert row(text, "Total incl. VAT") == "EUR -199.00"


def test_the_same_invoice_is_the_same_document() -> None:
    invoice = invoices.paid()
    assert document(invoice) == document(invoice)


def test_an_invoice_keeps_the_rider_out() -> None:
    invoice = invoices.paid(receipt_email="boss@example.com")
    content = document(invoice)
    for personal in ("boss@example.com", invoice.token, "Kari"):
        assert personal not in text_of(invoice)
        assert personal.encode() not in content


def test_a_long_name_takes_the_lines_that_it_needs() -> None:
    name = "Everything that moves " * 11
    text = text_of(invoices.paid(lines=[OrderLine(name=name, unit_price=19_900, vat_percent=19)]))
    assert text.replace("\n", " ").count("Everything that moves") == 11
    assert "167.23 31.77 199.00" in text


def test_many_lines_go_on_on_another_page() -> None:
    lines = [OrderLine(name=f"Product {n} " + "with a name " * 12, unit_price=100, vat_percent=19) for n in range(40)]
    found = pages(document(invoices.paid(lines=lines)))
    assert len(found) > 1
    assert sum(page.count("Product ") for page in found) == 40


def test_other_scripts_are_written() -> None:
    assert "月間パス" in text_of(invoices.paid(lines=[OrderLine(name="月間パス", unit_price=100, vat_percent=10)]))


def test_metadata_name_the_document() -> None:
    metadata: Any = PdfReader(io.BytesIO(document(invoices.paid()))).metadata
    assert metadata.title.startswith("Invoice 7-")
