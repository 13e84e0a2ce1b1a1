"""An invoice's life: written, paid, taken back, and told to its rider."""

import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.session import Session
from moto.ses.models import ses_backends

from kickstand.billing import gateway, invoices, rules
from kickstand.billing.errors import CreditRefused, InvoiceInPayment, InvoiceNotFound, InvoicePaid
from kickstand.billing.model import Invoice, InvoiceState
from kickstand.billing.store import InvoiceItem
from kickstand.fleet.store import NetworkItem
from kickstand.identity.store import RiderItem
from kickstand.kernel import aws as kernel_aws
from kickstand.kernel import clock, ids, store
from kickstand.kernel.consumers import Stuck
from kickstand.kernel.errors import Contention
from reactions.billing import follow_billing_table
from tests.support import invoices as samples_of_invoices
from tests.support import samples, streams

ACCOUNT = "123456789012"
"""moto's."""

owed, paid = samples_of_invoices.owed, samples_of_invoices.paid


@pytest.fixture(autouse=True)
def world(aws: Session) -> Iterator[Session]:
    kernel_aws.disconnect()
    store.begin()
    s3: Any = aws.create_client("s3")
    s3.create_bucket(Bucket="documents", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    ses: Any = aws.create_client("sesv2")
    ses.create_email_identity(EmailIdentity="rides@kickstand.example")
    NetworkItem.of(samples.network()).save()
    RiderItem.of(samples.rider()).save()
    yield aws
    kernel_aws.disconnect()


def written(invoice: Invoice) -> Invoice:
    store.begin()
    with store.Transaction() as tx:
        invoices.create(tx, invoice)
    return invoice


def stored(invoice: Invoice) -> Invoice:
    store.begin()
    return invoices.find(invoice.rider_id, invoice.id)


def pay(invoice: Invoice, amount: int) -> Invoice:
    with store.Transaction() as tx:
        return invoices.pay(tx, invoice, amount, at=clock.now())


def credit(invoice: Invoice, amount: int) -> Invoice:
    with store.Transaction() as tx:
        return invoices.credit(tx, invoice, amount, samples.network(), at=clock.now())


def follow(*invoices_: Invoice, shuffle: random.Random | None = None) -> None:
    """Deliver every change of these invoices, from their creation until nothing follows any more."""
    seen: dict[int, Invoice | None] = {each.id: None for each in invoices_}
    while True:
        changes: list[streams.Pair] = []
        for each in invoices_:
            now, old = stored(each), seen[each.id]
            if now != old:
                changes.append((InvoiceItem.of(old) if old else None, InvoiceItem.of(now)))
                seen[each.id] = now
        if not changes:
            return
        if shuffle:
            changes += changes
            shuffle.shuffle(changes)
        assert deliver(changes) == []


def deliver(changes: list[streams.Pair]) -> list[dict[str, str]]:
    failures: list[dict[str, str]] = follow_billing_table(streams.batch(*changes), None)["batchItemFailures"]
    return failures


def sent() -> list[Any]:
    return list(ses_backends[ACCOUNT]["eu-north-1"].sent_messages)


def body_of(aws: Session, key: str | None) -> bytes:
    s3: Any = aws.create_client("s3")
    content: bytes = s3.get_object(Bucket="documents", Key=key)["Body"].read()
    return content


# ── Paying ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_invoice_is_its_riders_and_nobody_elses() -> None:
    invoice = written(owed())
    assert stored(invoice) == invoice
    for rider_id, invoice_id in ((invoice.rider_id + 1, invoice.id), (invoice.rider_id, invoice.id + 1)):
        store.begin()
        with pytest.raises(InvoiceNotFound):
            invoices.find(rider_id, invoice_id)


def test_an_invoice_is_written_once() -> None:
    invoice = written(owed())
    with pytest.raises(Contention):
        written(invoice)


def test_one_payment_at_a_time() -> None:
    invoice = written(owed())
    with store.Transaction() as tx:
        claimed = invoices.claim(tx, invoice, 901)
    assert stored(invoice) == claimed
    with store.Transaction() as tx, pytest.raises(InvoiceInPayment):
        invoices.claim(tx, claimed, 902)
    with pytest.raises(Contention), store.Transaction() as tx:
        invoices.claim(tx, invoice, 902)  # read before the other one came
    assert stored(invoice).payment_id == 901


def test_a_payment_that_came_to_nothing_lets_the_next_one_in() -> None:
    invoice = written(owed())
    with store.Transaction() as tx:
        claimed = invoices.claim(tx, invoice, 901)
    with store.Transaction() as tx:
        assert invoices.let_go(tx, claimed, 900) is claimed  # another's
    assert stored(invoice).payment_id == 901
    with store.Transaction() as tx:
        free = invoices.let_go(tx, stored(invoice), 901)
    with store.Transaction() as tx:
        assert invoices.let_go(tx, free, 901) is free  # told again
        invoices.claim(tx, free, 902)
    assert stored(invoice).payment_id == 902


def test_what_has_been_paid_is_not_paid_again() -> None:
    invoice = written(owed())
    with store.Transaction() as tx:
        claimed = invoices.claim(tx, invoice, 901)
    done = pay(claimed, invoice.total)
    assert stored(invoice) == done
    assert (done.state, done.payment_id, done.paid) == (InvoiceState.PAID, None, invoice.total)
    with store.Transaction() as tx, pytest.raises(InvoicePaid):
        invoices.claim(tx, done, 902)
    with pytest.raises(Contention):
        pay(claimed, invoice.total)


def test_an_order_is_invoiced_as_paid() -> None:
    invoice = written(paid())
    with store.Transaction() as tx, pytest.raises(InvoicePaid):
        invoices.claim(tx, invoice, 901)


def test_a_credit_note_is_written_with_what_it_takes_back() -> None:
    invoice = written(paid())
    note = credit(invoice, 5_000)
    assert stored(note) == note
    after = stored(invoice)
    assert (after.credited, after.state, note.total) == (5_000, InvoiceState.PAID, -5_000)
    with pytest.raises(Contention):
        credit(invoice, 19_900)  # read before the other one came
    with pytest.raises(CreditRefused):
        credit(after, 14_901)
    assert stored(invoice) == after


# ── Numbers, documents and mails ─────────────────────────────────────────────────────────────────────────────────────


def test_a_paid_invoice_gets_its_number_its_document_and_a_mail(world: Session) -> None:
    invoice = written(paid())
    follow(invoice)
    done = stored(invoice)
    assert done.number == f"7-{done.year}-000001"
    assert done.document == f"invoices/7/{done.year}/{done.number}.pdf"
    assert body_of(world, done.document).startswith(b"%PDF-")
    (mail,) = sent()
    assert mail.destinations == {"ToAddresses": ["kari.nordmann@example.com"]}
    assert mail.subject == f"Your receipt {done.number}"
    assert f"https://rides.example/checkout/invoices/{invoice.token}" in mail.body
    assert "EUR\N{NO-BREAK SPACE}199.00" in mail.body


def test_the_address_given_for_the_receipt_counts_more_than_the_riders() -> None:
    follow(written(paid(receipt_email="boss@example.com")))
    (mail,) = sent()
    assert mail.destinations == {"ToAddresses": ["boss@example.com"]}


def test_what_is_owed_has_a_document_and_a_mail_only_when_it_is_paid(world: Session) -> None:
    invoice = written(owed())
    follow(invoice)
    before = stored(invoice)
    assert before.document == f"invoices/7/{before.year}/{before.number}-due-1190.pdf"
    assert sent() == []
    pay(before, 190)
    follow(invoice)
    rest = stored(invoice)
    assert (rest.document, sent()) == (f"invoices/7/{before.year}/{before.number}-due-1000.pdf", [])
    pay(stored(invoice), 1_000)
    follow(invoice)
    after = stored(invoice)
    assert (after.number, after.document) == (before.number, f"invoices/7/{before.year}/{before.number}.pdf")
    assert len({body_of(world, each.document) for each in (before, rest, after)}) == 3
    assert [mail.subject for mail in sent()] == [f"Your receipt {after.number}"]


def test_what_is_paid_before_it_has_a_number_is_told_once() -> None:
    invoice = written(owed())
    created = stored(invoice)
    pay(created, created.total)
    deliver([(None, InvoiceItem.of(created)), (InvoiceItem.of(created), InvoiceItem.of(stored(invoice)))])
    follow(invoice)
    assert len(sent()) == 1
    assert stored(invoice).document == rules.invoice_key(stored(invoice))


def test_of_nothing_nothing_is_told() -> None:
    invoice = written(owed(0))
    follow(invoice)
    assert stored(invoice).document
    assert sent() == []


def test_credit_notes_have_numbers_of_their_own_and_name_their_invoice() -> None:
    invoice = written(paid())
    note = credit(invoice, 5_000)
    follow(note, invoice)
    assert stored(note).number == f"7-C{note.year}-000001"
    assert stored(invoice).number == f"7-{note.year}-000001"
    assert {mail.subject for mail in sent()} == {
        f"Your receipt 7-{note.year}-000001",
        f"Your credit note 7-C{note.year}-000001",
    }


def test_a_credit_note_waits_until_its_invoice_has_a_number() -> None:
    invoice = written(paid())
    note = credit(invoice, 5_000)
    invoices.number([note])
    created, numbered = note, stored(note)
    assert deliver([(InvoiceItem.of(created), InvoiceItem.of(numbered))]) != []
    follow(invoice)
    assert deliver([(InvoiceItem.of(created), InvoiceItem.of(numbered))]) == []
    assert stored(note).document


def test_records_twice_and_out_of_order_change_nothing() -> None:
    chance = random.Random(7)
    for _ in range(5):
        ones = [written(paid()) for _ in range(4)]
        follow(*ones, shuffle=chance)
        follow(*ones, shuffle=chance)
    assert len(sent()) == 20
    numbers = [str(item.number) for item in InvoiceItem.scan() if item.kind == "invoice"]
    assert sorted(numbers) == [f"7-{clock.now().year}-{n:06d}" for n in range(1, 21)]


def test_a_document_that_cannot_be_kept_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = written(paid())
    invoices.number([invoice])
    record: streams.Pair = (InvoiceItem.of(invoice), InvoiceItem.of(stored(invoice)))

    def refuse(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(gateway, "put", refuse)
    assert deliver([record]) != []
    with pytest.raises(Stuck):
        deliver([record, record])
    assert stored(invoice).document is None
    monkeypatch.undo()
    assert deliver([record]) == []
    assert stored(invoice).document


def test_a_death_between_a_document_and_its_note_writes_the_same_document_again(
    world: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = written(paid())
    invoices.number([invoice])
    keep = gateway.put

    def keep_and_die(key: str, content: bytes, name: str) -> None:
        keep(key, content, name)
        raise KeyboardInterrupt  # nothing of ours runs after it, as after a crash

    monkeypatch.setattr(gateway, "put", keep_and_die)
    with pytest.raises(KeyboardInterrupt):
        invoices.issue_document(stored(invoice))
    monkeypatch.undo()
    first = body_of(world, rules.invoice_key(stored(invoice)))
    follow(invoice)
    assert body_of(world, stored(invoice).document) == first
    assert len(sent()) == 1


def test_an_invoice_that_is_paid_while_its_document_is_written_gets_that_of_a_paid_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invoice = written(owed())
    invoices.number([invoice])
    keep = gateway.put

    def keep_and_pay(key: str, content: bytes, name: str) -> None:
        keep(key, content, name)
        monkeypatch.undo()
        pay(stored(invoice), invoice.total)

    monkeypatch.setattr(gateway, "put", keep_and_pay)
    invoices.issue_document(stored(invoice))
    assert stored(invoice).document == f"invoices/7/{invoice.year}/{stored(invoice).number}.pdf"


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_whoever_has_the_address_reads_the_document() -> None:
    invoice = written(paid())
    with pytest.raises(InvoiceNotFound):
        invoices.document_link(invoice.token)  # not written yet
    follow(invoice)
    store.begin()
    link = urlsplit(invoices.document_link(invoice.token))
    assert link.path == f"/{stored(invoice).document}"


@pytest.mark.parametrize("token", ["", "x" * 43, "ø" * 43])
def test_no_token_names_nothing(token: str) -> None:
    with pytest.raises(InvoiceNotFound):
        invoices.document_link(token)


def test_a_guessed_token_names_nothing() -> None:
    invoice = written(paid())
    follow(invoice)
    store.begin()
    with pytest.raises(InvoiceNotFound):
        invoices.document_link(ids.new_token(invoice.id))


def test_the_item_holds_every_field() -> None:
    assert set(InvoiceItem.get_attributes()) >= set(Invoice.model_fields)
