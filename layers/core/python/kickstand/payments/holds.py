"""Use cases about holds: amounts that a bank keeps for us until we take them, or a part of them, or give them back.

What is to become of a hold is decided here, in one write; :func:`kickstand.payments.intents.observe` carries it out at
the provider, and whoever repeats that gets the same. Of a hold and the one that takes its place, one is captured at
most.
"""

from kickstand.kernel import clock, store
from kickstand.payments import intents, rules, service
from kickstand.payments.errors import MethodNotFound
from kickstand.payments.model import PaymentIntent, PaymentState, Purpose, PurposeKind


def place(
    tx: store.Transaction,
    *,
    client_id: int,
    rider_id: int,
    network_id: int,
    rental_id: int,
    amount: int,
    currency: str,
    off_session: bool = False,
) -> PaymentIntent:
    """Decide to hold an amount for a rental on the rider's saved card; the provider is asked after the transaction.

    Args:
        tx: what it belongs to.
        client_id: whose rider it is.
        rider_id: who rides.
        network_id: who gets the money.
        rental_id: what for.
        amount: minor units of ``currency``.
        currency: ISO 4217.
        off_session: whether the rider is not there to answer the bank.

    Raises:
        MethodNotFound: the rider has no saved card.
    """
    card = service.profile(rider_id).card
    if card is None:
        raise MethodNotFound
    hold = intents.draft(
        client_id=client_id,
        rider_id=rider_id,
        network_id=network_id,
        purpose=Purpose(kind=PurposeKind.HOLD, id=rental_id),
        amount=amount,
        currency=currency,
        card=card.ref,
        hold=True,
        off_session=off_session,
    )
    intents.create(tx, hold)
    return hold


def capture(payment_id: int, amount: int, *, invoice_id: int | None = None) -> PaymentIntent:
    """Decide to take ``amount`` of a hold, in minor units, and to give back the rest; 0 gives back all.

    Deciding the same again changes nothing. Where another hold has taken the place of this one, it is taken of that.
    The answer is the hold that was decided about, which is to be carried out next.

    Args:
        payment_id: the hold.
        amount: in minor units.
        invoice_id: what is paid with it.

    Raises:
        PaymentNotFound: there is no such payment.
        AmountExceeded: less is held.
        PaymentStateRefused: something else was decided, or the hold is over.
    """

    def attempt() -> PaymentIntent:
        with store.Transaction() as tx:
            return want(tx, payment_id, amount, invoice_id=invoice_id)

    return store.again(attempt)


def release(payment_id: int) -> PaymentIntent:
    """Decide to give a hold back; otherwise like :func:`capture`."""
    return capture(payment_id, 0)


def want(tx: store.Transaction, payment_id: int, amount: int, *, invoice_id: int | None = None) -> PaymentIntent:
    """:func:`capture` as a part of ``tx``, which is refused with ``Contention`` where somebody else was faster."""
    now = clock.now()
    chain = _chain(payment_id)
    there = [each for each in chain if _is_there(each) and (each.to_capture != 0 or not amount)]
    chosen = there[-1] if there else chain[-1]
    decided = rules.wanted(chosen, amount, invoice_id, now)
    if decided is not chosen:
        intents.record(tx, chosen, decided)
    for other in chain:
        if other is not chosen and other.to_capture is None and (other.is_open or other.state is PaymentState.HELD):
            intents.record(tx, other, rules.wanted(other, 0, None, now))
    return decided


def _chain(payment_id: int) -> list[PaymentIntent]:
    """A hold, the one that has taken its place, and so on."""
    chain = [intents.find(payment_id)]
    while (successor := chain[-1].replaced_by) is not None:
        chain.append(intents.find(successor))
    return chain


def _is_there(hold: PaymentIntent) -> bool:
    return hold.state in {PaymentState.HELD, PaymentState.SUCCEEDED}


def renew(payment_id: int) -> PaymentIntent | None:
    """Put another hold in the place of one that the bank will soon give back; ``None`` where that is not to be.

    The other one is decided here and asked for by its own workflow; this one is given back once the other is held.
    """

    def attempt() -> PaymentIntent | None:
        hold, now = intents.find(payment_id), clock.now()
        if not rules.can_be_renewed(hold, now):
            return None
        draft = intents.draft(
            client_id=hold.client_id,
            rider_id=hold.rider_id,
            network_id=hold.network_id,
            purpose=hold.purpose,
            amount=hold.amount,
            currency=hold.currency,
            card=hold.card,
            hold=True,
            off_session=True,
        )
        replaced, successor = rules.renewed(hold, draft, now)
        with store.Transaction() as tx:
            intents.record(tx, hold, replaced)
            intents.create(tx, successor)
        return successor

    return store.again(attempt)


def give_back_replaced(hold: PaymentIntent) -> None:
    """Decide to give back the hold in whose place this one is held."""
    replaced_id = hold.replaces
    if replaced_id is None or hold.state is not PaymentState.HELD or hold.to_capture == 0:
        return

    def attempt() -> None:
        replaced = intents.find(replaced_id)
        if replaced.state is PaymentState.HELD and replaced.to_capture is None:
            with store.Transaction() as tx:
                intents.record(tx, replaced, rules.wanted(replaced, 0, None, clock.now()))

    store.again(attempt)
