"""Use cases about riders who pay us for riding: what they owe, what is collected of it, and what is held meanwhile.

A ride is charged in one transaction: what it costs, the invoice, the ledger, and the payment of what the wallet does
not hold. No bank is asked here. The payment's own workflow does that, and whatever it comes to, the ride is over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from kickstand.billing import invoices, rules, service
from kickstand.billing.model import Charge, ChargeState, Debt, Debts, Invoice, InvoiceState, RideHold, Subject
from kickstand.billing.store import ChargeItem, DebtsItem, RideHoldItem
from kickstand.fleet import service as fleet
from kickstand.identity import service as identity
from kickstand.identity.model import user_key
from kickstand.kernel import clock, store
from kickstand.kernel.events import Event
from kickstand.ledger import service as ledger
from kickstand.ledger.errors import InsufficientFunds
from kickstand.ledger.model import Account, Movement, Reason
from kickstand.payments import holds, intents
from kickstand.payments import service as payments
from kickstand.payments.model import PaymentIntent, PaymentProfile, PaymentState, Purpose, PurposeKind
from kickstand.rental.model import Rental, Reservation

_REASONS: Final = {Subject.RENTAL: Reason.RIDE, Subject.RESERVATION: Reason.RESERVATION}
_WAITS: Final = "PaymentActionWanted"
_TROUBLES: Final = frozenset({_WAITS, "PaymentFailed", "PaymentCancelled"})
_OVERDUE: Final = "DebtOverdue"
_MAY_YET_BE_HELD: Final = frozenset({PaymentState.CREATED, PaymentState.PROCESSING, PaymentState.HELD})

# ── Charging ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def charge_rental(rental: Rental) -> Charge:
    """Record what an ended rental costs and, where the rider pays us, begin to collect it: once, however often called.

    Raises:
        NotSettled: the rental has not ended.
    """
    if not rental.rider_pays:
        return service.record_charge(rental)
    return _charge(rules.charge(rental, service.fare_of(rental), clock.now()), rental.external_rider_id)


def charge_reservation(reservation: Reservation) -> Charge | None:
    """:func:`charge_rental` for a reservation that is over; ``None`` where reserving costs nothing."""
    if reservation.is_active or reservation.fare is None or not reservation.fare.lines:
        return None
    charge = rules.reservation_charge(reservation, reservation.fare, clock.now())
    if not reservation.rider_pays:
        return service.record(charge)
    return _charge(charge, reservation.external_rider_id)


def _charge(charge: Charge, external_id: str | None) -> Charge:
    key = user_key(charge.client_id, external_id) if external_id is not None else None
    return store.again(lambda: _charge_once(charge, key))


def _charge_once(charge: Charge, key: str | None) -> Charge:
    wallet = Account.wallet(charge.rider_id, charge.fare.currency)
    store.expect(ChargeItem.key_of(charge), DebtsItem.key(charge.rider_id), RideHoldItem.key(charge.id))
    payments.expect_profile(charge.rider_id)
    ledger.expect(wallet)
    fleet.expect_network(charge.network_id)
    known = store.load(ChargeItem.key_of(charge))
    if known is not None:
        found: Charge = known.entity
        return found
    mark = store.load(RideHoldItem.key(charge.id)) if charge.subject is Subject.RENTAL else None
    hold = _counting(mark.entity) if mark is not None else None
    invoice = _invoice(charge) if charge.state is ChargeState.DUE else None
    if invoice is not None:
        charge = charge.model_copy(update={"invoice_id": invoice.id})
    with _anew(), store.Transaction() as tx:
        tx.create(ChargeItem.of(charge))
        if invoice is not None:
            _begin(tx, charge, invoice, wallet, hold, key)
        elif hold is not None:
            _give_back(tx, hold)
        if mark is None and charge.subject is Subject.RENTAL:  # nothing is held for it from now on, either
            tx.require(RideHoldItem.key(charge.id), RideHoldItem.pk.does_not_exist(), otherwise=store.Contention)
    return charge


def _invoice(charge: Charge) -> Invoice:
    return rules.for_ride(
        charge.fare,
        fleet.network(charge.network_id),
        charge.recorded_at,
        subject=charge.subject,
        subject_id=charge.id,
        client_id=charge.client_id,
        rider_id=charge.rider_id,
    )


@contextmanager
def _anew() -> Iterator[None]:
    """Have a decision taken anew where the wallet holds less by now."""
    try:
        yield
    except InsufficientFunds:
        raise store.Contention from None


def _begin(
    tx: store.Transaction,
    charge: Charge,
    invoice: Invoice,
    wallet: Account,
    hold: PaymentIntent | None,
    key: str | None,
) -> None:
    """Write a ride's invoice, book it, and begin to collect it: from the wallet, from what is held, from the card."""
    by_wallet = min(ledger.balance(wallet), invoice.total)
    rest = invoice.total - by_wallet
    payment_id = _secured(tx, invoice, rest, hold)
    overdue = False
    if rest and payment_id is None:
        intent = _draft(invoice, rest, payments.profile(charge.rider_id))
        if intent is not None:
            intents.create(tx, intent)
            payment_id = intent.id
        overdue = intent is None
    paid = {
        "paid": by_wallet,
        "paid_at": charge.recorded_at if by_wallet else None,
        "state": InvoiceState.OPEN if rest else InvoiceState.PAID,
        "payment_id": payment_id,
    }
    invoice = invoice.model_copy(update=paid)
    invoices.create(tx, invoice)
    ledger.post(tx, _booked(charge, wallet, by_wallet))
    if rest:
        before = _debts(charge.rider_id)
        more = (*before.debts, Debt(invoice_id=invoice.id, currency=invoice.currency, overdue=overdue))
        _change(tx, before.model_copy(update={"user_key": key}), more, _incurred(invoice, overdue=overdue))


def _booked(charge: Charge, wallet: Account, by_wallet: int) -> list[Movement]:
    """What a ride costs is owed; what the wallet holds is paid at once."""
    debt = Account.debt(charge.rider_id, charge.fare.currency)
    revenue = Account.revenue(charge.network_id, charge.fare.currency)
    name = f"{charge.subject}-{charge.id}"
    owed = Movement(
        id=name,
        source=debt,
        target=revenue,
        amount=charge.fare.total,
        reason=_REASONS[charge.subject],
        document=charge.id,
        at=charge.recorded_at,
    )
    if not by_wallet:
        return [owed]
    paid = {"id": f"{name}-wallet", "source": wallet, "target": debt, "amount": by_wallet, "reason": Reason.SETTLEMENT}
    return [owed, owed.model_copy(update=paid)]


def _draft(invoice: Invoice, amount: int, profile: PaymentProfile) -> PaymentIntent | None:
    """A payment of an invoice by the saved card, while the rider is not there; ``None`` without a card."""
    if profile.card is None:
        return None
    return intents.draft(
        client_id=invoice.client_id,
        rider_id=invoice.rider_id,
        network_id=invoice.network_id,
        purpose=Purpose(kind=PurposeKind.INVOICE, id=invoice.id),
        amount=amount,
        currency=invoice.currency,
        card=profile.card.ref,
        off_session=True,
    )


# ── Holding ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def secure(rental: Rental) -> PaymentIntent | None:
    """Hold an amount for a rental that has begun, where the network wants that and the rider has a card: once.

    The bank is asked by the payment's workflow. A rental that has been charged meanwhile has nothing held for it.
    """
    if not rental.rider_pays:
        return None
    network = fleet.known_network(rental.network_id)
    if not network.hold:
        return None
    payments.expect_profile(rental.rider_id)
    store.expect(ChargeItem.key(rental.id))
    known = store.load(RideHoldItem.key(rental.id))
    if known is not None or store.load(ChargeItem.key(rental.id)) is not None:
        return intents.find(known.entity.payment_id) if known is not None else None
    if payments.profile(rental.rider_id).card is None:
        return None
    with store.Transaction() as tx:
        hold = holds.place(
            tx,
            client_id=rental.client_id,
            rider_id=rental.rider_id,
            network_id=rental.network_id,
            rental_id=rental.id,
            amount=network.hold,
            currency=rental.tariff.currency,
            off_session=True,
        )
        tx.create(RideHoldItem.of(RideHold(rental_id=rental.id, payment_id=hold.id)))
        tx.require(ChargeItem.key(rental.id), ChargeItem.pk.does_not_exist(), otherwise=store.Contention)
    return hold


def _counting(mark: RideHold) -> PaymentIntent:
    """The hold of a rental that counts: the first one, or what has taken its place."""
    hold = intents.find(mark.payment_id)
    while hold.replaced_by is not None and hold.state is not PaymentState.HELD:
        hold = intents.find(hold.replaced_by)
    return hold


def _secured(tx: store.Transaction, invoice: Invoice, amount: int, hold: PaymentIntent | None) -> int | None:
    """Let as much as possible of an amount be taken of what is held; the payment's id, or ``None`` for none."""
    if hold is None:
        return None
    if not amount or hold.state not in _MAY_YET_BE_HELD:
        _give_back(tx, hold)
        return None
    return holds.want(tx, hold.id, min(amount, hold.amount), invoice_id=invoice.id).id


def _give_back(tx: store.Transaction, hold: PaymentIntent) -> None:
    if hold.is_open or hold.state is PaymentState.HELD:
        holds.want(tx, hold.id, 0)


# ── Collecting ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Collection:
    """How to collect what a rider owes.

    Attributes:
        overdue: also what could not be collected before.
        by_card: the saved card, too, and not only the wallet.
    """

    overdue: bool = False
    by_card: bool = True


REST: Final = Collection()
"""What nobody has tried to collect yet, as when less was held than a ride costs."""

WITH_NEW_CARD: Final = Collection(overdue=True)
FROM_WALLET: Final = Collection(overdue=True, by_card=False)


def collect(rider_id: int, how: Collection = REST) -> None:
    """Begin to collect what a rider owes, oldest first: from the wallet, and the rest from the saved card.

    What a payment is under way for is left to it. Whoever repeats this collects nothing twice.
    """
    payments.expect_profile(rider_id)
    due = [debt for debt in _debts(rider_id).debts if how.overdue or not debt.overdue]
    for debt in due:
        invoices.expect(debt.invoice_id)
        ledger.expect(Account.wallet(rider_id, debt.currency))
    for debt in due:
        store.again(partial(_collect, rider_id, debt.invoice_id, how))


def _collect(rider_id: int, invoice_id: int, how: Collection) -> None:
    invoice = invoices.find(rider_id, invoice_id)
    if not invoice.due or invoice.payment_id is not None:
        return
    wallet = Account.wallet(rider_id, invoice.currency)
    by_wallet = min(ledger.balance(wallet), invoice.due)
    if by_wallet:
        with _anew(), store.Transaction() as tx:
            pay_off(tx, invoice, by_wallet, wallet, f"invoice-{invoice.id}-{invoice.version}")
        invoice = invoices.find(rider_id, invoice_id)
    if not invoice.due or not how.by_card:
        return
    intent = _draft(invoice, invoice.due, payments.profile(rider_id))
    with store.Transaction() as tx:
        if intent is not None:
            intents.create(tx, intent)
            invoices.claim(tx, invoice, intent.id)
        else:
            _mark(tx, invoice, _incurred(invoice, overdue=True))


def pay_off(tx: store.Transaction, invoice: Invoice, amount: int, source: Account, name: str) -> None:
    """Keep that ``amount`` of an invoice has been paid from an account, and book it as the movement ``name``.

    The transaction raises:
        InsufficientFunds: the account is a wallet and does not hold it.
        Contention: the invoice or the rider's debts have changed.
    """
    now = clock.now()
    debt = Account.debt(invoice.rider_id, invoice.currency)
    movement = Movement(
        id=name, source=source, target=debt, amount=amount, reason=Reason.SETTLEMENT, document=invoice.id, at=now
    )
    paid(tx, invoices.pay(tx, invoice, amount, at=now))
    ledger.post(tx, [movement])


# ── Telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def troubled(intent: PaymentIntent, event: Event) -> Invoice | None:
    """The invoice of which the rider has to be told because of a payment's event; ``None`` where nothing has to be.

    That is one whose payment, made without the rider, waits for the rider or has come to nothing. News can be old:
    what has been settled or begun anew meanwhile is not told.
    """
    if intent.purpose.kind is not PurposeKind.INVOICE or not intent.off_session or event.name not in _TROUBLES:
        return None
    invoice = invoices.find(intent.rider_id, intent.purpose.id)
    under_way = intent.id if event.name == _WAITS else None
    return invoice if invoice.due and invoice.payment_id == under_way else None


def unpayable(debts: Debts, event: Event) -> Invoice | None:
    """The invoice that a rider without a card has to pay, if an event says so and it is so still."""
    if event.name != _OVERDUE:
        return None
    invoice = invoices.find(debts.rider_id, event.data["invoice_id"])
    return invoice if invoice.due and invoice.payment_id is None else None


# ── Debts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def paid(tx: store.Transaction, invoice: Invoice) -> None:
    """Strike an invoice off what its rider owes, once nothing of it is due; ``invoice`` is as it will be."""
    before = _debts(invoice.rider_id)
    left = tuple(debt for debt in before.debts if debt.invoice_id != invoice.id)
    if not invoice.due and len(left) < len(before.debts):
        _change(tx, before, left, Event.new("DebtPaid", invoice_id=invoice.id))


def stalled(tx: store.Transaction, invoice: Invoice) -> None:
    """Count an invoice as overdue whose payment does not get on without the rider."""
    _mark(tx, invoice, Event.new("DebtStalled", invoice_id=invoice.id))


def _mark(tx: store.Transaction, invoice: Invoice, event: Event) -> None:
    before = _debts(invoice.rider_id)
    debt = Debt(invoice_id=invoice.id, currency=invoice.currency)
    if debt in before.debts:
        late = debt.model_copy(update={"overdue": True})
        _change(tx, before, tuple(late if each == debt else each for each in before.debts), event)


def _debts(rider_id: int) -> Debts:
    item = store.load(DebtsItem.key(rider_id))
    return Debts(rider_id=rider_id) if item is None else item.entity


def _incurred(invoice: Invoice, *, overdue: bool) -> Event:
    """What is owed from now on; overdue at once without a card to charge."""
    return Event.new(_OVERDUE if overdue else "DebtIncurred", invoice_id=invoice.id)


def _change(tx: store.Transaction, before: Debts, debts: tuple[Debt, ...], event: Event) -> None:
    after = before.model_copy(update={"debts": debts, "version": before.version + 1, "event": event})
    unchanged = DebtsItem.version == before.version if before.version else DebtsItem.pk.does_not_exist()
    tx.put(DebtsItem.of(after), condition=unchanged, otherwise=store.Contention)
    if after.is_overdue != before.is_overdue:
        identity.note_debt(tx, after.rider_id, after.user_key, in_debt=after.is_overdue)
