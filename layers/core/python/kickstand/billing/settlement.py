"""Use cases that settle what is owed: by wallet at once, or by a payment that is followed until it is decided.

The transaction that decides a payment also books what follows from it: the ledger, the invoice, and what was bought.
So money that has been taken is always for something, whatever breaks in between.
"""

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from kickstand.billing import invoices, rides, rules
from kickstand.billing.errors import InvoiceNotFound
from kickstand.billing.model import Invoice, InvoiceKind
from kickstand.clients.model import ApiClient
from kickstand.fleet import service as fleet
from kickstand.identity import service as identity
from kickstand.kernel import clock, store
from kickstand.ledger import service as ledger
from kickstand.ledger.errors import InsufficientFunds
from kickstand.ledger.model import Account, Movement, Reason
from kickstand.payments import intents, methods
from kickstand.payments import rules as payment_rules
from kickstand.payments import service as payments
from kickstand.payments.errors import MethodNotAvailable, ProviderUnavailable
from kickstand.payments.model import PaymentIntent, PaymentProfile, PaymentState, Purpose, PurposeKind
from kickstand.payments.provider import ProviderUnreachable
from kickstand.sales import orders, subscriptions
from kickstand.sales.errors import OfferClosed, OrderClosed, OrderNotFound, SubscriptionExists, SubscriptionNotFound
from kickstand.sales.model import Order, OrderKind, OrderState

BLIK_CURRENCY: Final = "PLN"

_WAITING: Final = frozenset({PaymentState.REQUIRES_METHOD, PaymentState.REQUIRES_ACTION})


class Means(StrEnum):
    """What a rider wants to pay with."""

    CARD = "card"
    WALLET = "wallet"
    BLIK = "blik"
    ANY = "any"
    """The wallet where it suffices, else the saved card, else what the rider chooses."""


@dataclass(frozen=True)
class Wish:
    """How a rider wants to pay.

    Attributes:
        save: whether a card that the rider chooses may be charged again without the rider.
        auto_renew: whether the subscription that is paid renews itself; ``None`` leaves it as it was ordered.
        key: by which the client names this wish; it gets one payment.
    """

    means: Means
    save: bool = False
    auto_renew: bool | None = None
    key: str | None = None

    def about(self, document: Purpose) -> str:
        """What is wished, in one line."""
        return f"{document.kind}/{document.id}/{self.means}/{self.save}/{self.auto_renew}"


@dataclass(frozen=True)
class Outcome:
    """What has become of the wish to pay.

    Attributes:
        state: of the payment; succeeded, too, where no provider was needed or where it had been paid before.
        payment: at the provider, where one was needed.
        profile: what the provider knows of the rider.
        order: what is paid for, as it was before, unless it is an invoice.
    """

    state: PaymentState
    payment: PaymentIntent | None
    profile: PaymentProfile
    order: Order | None

    @classmethod
    def of(cls, payment: PaymentIntent, profile: PaymentProfile, order: Order | None) -> Self:
        """What has become of it by a payment at the provider."""
        return cls(payment.state, payment, profile, order)


# ── Paying ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def pay(client: ApiClient, user_id: str, document: Purpose, wish: Wish) -> Outcome:
    """Let a user pay an order or an invoice, as far as that goes without the user.

    An order or an invoice has one payment under way at a time: whoever asks again learns how that one stands, unless
    something else is wished; then it is given up first. What has been paid is not paid again.

    Args:
        client: the caller.
        user_id: the client's own id of the user.
        document: an order or an invoice.
        wish: how.

    Raises:
        RiderNotFound: the client has no such user.
        OrderNotFound, InvoiceNotFound: the user has none.
        OrderClosed: the order has been cancelled, or has expired.
        InsufficientFunds: the wallet does not hold enough.
        MethodNotAvailable: it cannot be paid like this.
        OfferClosed: it is to renew itself, and cannot.
        KeyReused: the client's key named another wish before.
        ProviderUnavailable: the provider did not answer; what was begun is finished without the caller.
    """
    rider_id = identity.external(client, user_id).rider_id
    _expect(client, rider_id, document, wish)

    def attempt() -> Outcome:
        asked = intents.asked(client.id, rider_id, wish.key, wish.about(document)) if wish.key is not None else None
        if asked is not None:
            order = orders.find(rider_id, document.id) if document.kind is PurposeKind.ORDER else None
            return Outcome.of(advance(asked.id), payments.profile(rider_id), order)
        if document.kind is PurposeKind.ORDER:
            return _pay_order(rider_id, document, wish)
        return _pay_invoice(rider_id, document, wish)

    try:
        return store.again(attempt)
    except (ProviderUnreachable, intents.PaymentUnknown):
        raise ProviderUnavailable from None


def _expect(client: ApiClient, rider_id: int, document: Purpose, wish: Wish) -> None:
    payments.expect_profile(rider_id)
    if document.kind is PurposeKind.ORDER:
        orders.expect_for_payment(client, rider_id, document.id)
        subscriptions.expect(rider_id)
    else:
        invoices.expect(document.id)
    if wish.key is not None:
        intents.expect_request(client.id, rider_id, wish.key)


def _pay_order(rider_id: int, document: Purpose, wish: Wish) -> Outcome:
    order = orders.find(rider_id, document.id)
    if order.state is OrderState.PENDING and wish.auto_renew and (order.offer is None or not order.offer.renewable):
        raise OfferClosed("The product does not renew itself")
    if order.payment_id is not None:
        standing = _standing(order.payment_id, wish, order)
        if standing is not None:
            return standing
        order = orders.find(rider_id, document.id)
        if order.payment_id is not None:
            raise store.Contention  # another payment was begun in this moment
    profile = payments.profile(rider_id)
    if order.state is OrderState.COMPLETED:
        return Outcome(PaymentState.SUCCEEDED, None, profile, order)
    orders.payable(order, clock.now())
    if order.kind is OrderKind.SUBSCRIPTION:
        subscriptions.check_free(rider_id)  # before a bank is asked for money that would have to be given back
    wallet = Account.wallet(order.rider_id, order.currency)
    if order.total == 0 or _by_wallet(wish, wallet, order.total, allowed=order.kind is not OrderKind.WALLET_DEPOSIT):
        return Outcome(PaymentState.SUCCEEDED, None, profile, from_wallet(order, wish.auto_renew))
    intent = _draft(wish, profile, order, document, order.total)
    return _begin(intent, wish, profile, order)


def _pay_invoice(rider_id: int, document: Purpose, wish: Wish) -> Outcome:
    invoice = invoices.find(rider_id, document.id)
    if invoice.payment_id is not None:
        standing = _standing(invoice.payment_id, wish, None)
        store.forget()
        invoice = invoices.find(rider_id, document.id)
        if standing is not None and (not invoice.due or _is_of(standing, invoice.payment_id)):
            return standing
        if invoice.payment_id is not None:
            raise store.Contention  # another payment was begun in this moment, as of what is left of the invoice
    profile = payments.profile(rider_id)
    if invoice.kind is not InvoiceKind.INVOICE:
        raise InvoiceNotFound  # a credit note is nothing to be paid
    if invoice.due == 0:
        return Outcome(PaymentState.SUCCEEDED, None, profile, None)
    wallet = Account.wallet(invoice.rider_id, invoice.currency)
    if _by_wallet(wish, wallet, invoice.due, allowed=True):
        with store.Transaction() as tx:
            rides.pay_off(tx, invoice, invoice.due, wallet, f"invoice-{invoice.id}-{invoice.version}")
        return Outcome(PaymentState.SUCCEEDED, None, profile, None)
    intent = _draft(wish, profile, invoice, document, invoice.due)
    return _begin(intent, wish, profile, invoice)


def _is_of(outcome: Outcome, payment_id: int | None) -> bool:
    return outcome.payment is not None and outcome.payment.id == payment_id


def _begin(intent: PaymentIntent, wish: Wish, profile: PaymentProfile, document: Order | Invoice) -> Outcome:
    """Commit a payment together with the claim on what it pays, then ask the provider."""
    profile = payments.ensure_customer(profile)
    with store.Transaction() as tx:
        intents.create(tx, intent)
        if wish.key is not None:
            intents.remember(tx, intent, wish.key, wish.about(intent.purpose))
        if isinstance(document, Order):
            orders.claim(tx, document, intent.id, auto_renew=wish.auto_renew)
        else:
            invoices.claim(tx, document, intent.id)
    intents.expect(intent.id)
    _expect_booking(intent)
    return Outcome.of(advance(intent.id), profile, document if isinstance(document, Order) else None)


def _by_wallet(wish: Wish, wallet: Account, amount: int, *, allowed: bool) -> bool:
    """Whether the wallet pays; that it still holds enough then is up to the condition of the write."""
    if wish.means is Means.WALLET:
        if not allowed:
            raise MethodNotAvailable("A wallet cannot be filled from itself")
        if ledger.balance(wallet) < amount:
            raise InsufficientFunds
        return True
    return allowed and wish.means is Means.ANY and ledger.balance(wallet) >= amount


def _draft(
    wish: Wish, profile: PaymentProfile, document: Order | Invoice, purpose: Purpose, amount: int
) -> PaymentIntent:
    if wish.means is Means.BLIK and document.currency != BLIK_CURRENCY:
        raise MethodNotAvailable(f"BLIK takes {BLIK_CURRENCY} only")
    saved = None if wish.means is Means.BLIK else profile.card
    types: tuple[str, ...] = ("blik",) if wish.means is Means.BLIK else ("card",)
    if wish.means is Means.ANY and document.currency == BLIK_CURRENCY:
        types = ("card", "blik")
    return intents.draft(
        client_id=document.client_id,
        rider_id=document.rider_id,
        network_id=document.network_id,
        purpose=purpose,
        amount=amount,
        currency=document.currency,
        card=saved.ref if saved else None,
        types=types,
        save=saved is None and "card" in types and _keeps_card(wish, document),
    )


def _renews(wish: Wish, order: Order) -> bool:
    """Whether the subscription that is paid is to renew itself."""
    return order.auto_renew if wish.auto_renew is None else wish.auto_renew


def _keeps_card(wish: Wish, document: Order | Invoice | None) -> bool:
    """Whether a card that the rider chooses is saved: as it is wished, and for what renews itself."""
    renews = isinstance(document, Order) and document.kind is OrderKind.SUBSCRIPTION and _renews(wish, document)
    return wish.save or renews


def _standing(payment_id: int, wish: Wish, order: Order | None) -> Outcome | None:
    """How the payment that is under way stands; ``None`` where it is over, or was given up for another wish."""
    try:
        intent = advance(payment_id)
    except (ProviderUnreachable, intents.PaymentUnknown):
        intent = intents.find(payment_id)
        if intent.ref is not None:
            raise
        # Whoever has begun it asks for it in this moment, or was not heard; its workflow sees to it, or people do.
        return Outcome(PaymentState.PROCESSING, intent, payments.profile(intent.rider_id), order)
    profile = payments.profile(intent.rider_id)
    if intent.is_open and not _fits(intent, wish, order, profile):
        intent = give_up(payment_id)
    if not intent.is_open and intent.state not in {PaymentState.HELD, PaymentState.SUCCEEDED}:
        store.forget()
        return None
    return Outcome.of(intent, profile, order)


def _fits(intent: PaymentIntent, wish: Wish, order: Order | None, profile: PaymentProfile) -> bool:
    """Whether the payment under way is the one that is wished."""
    if wish.means is not Means.ANY:
        other_type = ("blik" in intent.types) != (wish.means is Means.BLIK)
        if other_type or wish.means is Means.WALLET:
            return False
    if intent.state not in _WAITING or "card" not in intent.types:
        return True
    if order is not None and order.kind is OrderKind.SUBSCRIPTION and _renews(wish, order) != order.auto_renew:
        return False
    saved = profile.card.ref if profile.card is not None else None
    if intent.state is PaymentState.REQUIRES_ACTION and intent.card is None:  # the rider has chosen, and is answering
        return not intent.saves or _keeps_card(wish, order)
    if intent.card is not None or saved is not None:
        return intent.card == saved
    return intent.saves == _keeps_card(wish, order)


# ── Following payments ───────────────────────────────────────────────────────────────────────────────────────────────


def advance(payment_id: int) -> PaymentIntent:
    """See how a payment stands at the provider, and book what follows; any number of times, by whoever has reason to.

    Raises:
        PaymentNotFound: there is none.
        ProviderUnreachable: the provider did not say; nothing has changed.
    """
    return store.again(lambda: _advance(payment_id, unwanted=False))


def give_up(payment_id: int) -> PaymentIntent:
    """Give a payment up, if it is not too late; answers how it stands then."""
    return store.again(lambda: _advance(payment_id, unwanted=True))


def _advance(payment_id: int, *, unwanted: bool) -> PaymentIntent:
    intent = intents.find(payment_id)
    if intent.is_open or intent.state is PaymentState.HELD:
        _expect_booking(intent)
        profile = payments.ensure_customer(payments.profile(intent.rider_id))
        after = intents.observe(intent, profile, unwanted=unwanted or _is_in_vain(intent))
        if after is not intent:
            _decide(intent, after)
            intent = after
    _afterwards(intent)
    return intent


def _is_in_vain(intent: PaymentIntent) -> bool:
    """Whether nothing can come of a payment that waits for its rider: a subscription, and there is one by now."""
    if intent.state not in _WAITING or intent.purpose.kind is not PurposeKind.ORDER:
        return False
    if orders.find(intent.rider_id, intent.purpose.id).kind is not OrderKind.SUBSCRIPTION:
        return False
    try:
        subscriptions.check_free(intent.rider_id)
    except SubscriptionExists:
        return True
    return False


def _expect_booking(intent: PaymentIntent) -> None:
    """Announce what the decision of a payment will need."""
    payments.expect_profile(intent.rider_id)
    if intent.purpose.kind is PurposeKind.ORDER:
        orders.expect(intent.rider_id, intent.purpose.id)
        subscriptions.expect(intent.rider_id)
    elif intent.purpose.kind is PurposeKind.INVOICE:
        invoices.expect(intent.purpose.id)


def _decide(before: PaymentIntent, after: PaymentIntent) -> None:
    """Keep what has become of a payment together with everything that follows."""
    try:
        with store.Transaction() as tx:
            intents.record(tx, before, after)
            if after.state is PaymentState.SUCCEEDED:
                _book(tx, after)
            elif not after.is_open and after.state is not PaymentState.HELD:
                _let_go(tx, after)
            elif after.state in _WAITING and after.off_session and after.purpose.kind is PurposeKind.INVOICE:
                rides.stalled(tx, invoices.find(after.rider_id, after.purpose.id))
    except (OrderClosed, SubscriptionExists, SubscriptionNotFound):
        # Paid, and impossible in the meantime: the money is the rider's.
        with store.Transaction() as tx:
            intents.record(tx, before, after)
            _credit(tx, after)


def _book(tx: store.Transaction, intent: PaymentIntent) -> None:
    provider = Account.provider(intent.network_id, intent.currency)
    if intent.purpose.kind is PurposeKind.ORDER:
        _fulfil(tx, orders.find(intent.rider_id, intent.purpose.id), provider)
        return
    invoice = _invoice(intent)
    if invoice is not None:
        rides.pay_off(tx, invoice, intent.captured, provider, f"payment-{intent.id}")
    else:  # taken of a hold for nothing that is owed
        _credit(tx, intent)


def _let_go(tx: store.Transaction, intent: PaymentIntent) -> None:
    """Free what a payment was for, so that it can be paid in another way."""
    if intent.purpose.kind is PurposeKind.ORDER:
        order = orders.find(intent.rider_id, intent.purpose.id)
        after = orders.let_go(tx, order, intent.id)
        if order.kind is OrderKind.RENEWAL:
            with suppress(SubscriptionNotFound):  # it has ended meanwhile, and nothing is to be tried again
                subscriptions.renewal_failed(tx, after, clock.now())
        return
    invoice = _invoice(intent)
    if invoice is not None:
        invoices.let_go(tx, invoice, intent.id)
        if intent.off_session and intent.purpose.kind is PurposeKind.INVOICE:
            rides.stalled(tx, invoice)


def _invoice(intent: PaymentIntent) -> Invoice | None:
    """What a payment pays, unless it is an order or nothing yet."""
    invoice_id = intent.invoice_id if intent.purpose.kind is PurposeKind.HOLD else intent.purpose.id
    return invoices.find(intent.rider_id, invoice_id) if invoice_id is not None else None


def _afterwards(intent: PaymentIntent) -> None:
    """What follows from a decided payment without being part of the decision; repeating it changes nothing."""
    if intent.state is PaymentState.SUCCEEDED and intent.saves and intent.card is not None:
        methods.adopt_paid(intent.rider_id, intent.card)
        with store.Transaction() as tx:
            intents.record(tx, intent, payment_rules.card_saved(intent, clock.now()))
    if intent.invoice_id is not None and not intent.is_open and intent.state is not PaymentState.HELD:
        rides.collect(intent.rider_id)


# ── Booking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def from_wallet(order: Order, auto_renew: bool | None = None) -> Order:
    """Complete an order from its rider's wallet; one that costs nothing takes nothing.

    Raises:
        OrderClosed, OrderInPayment: it cannot be paid now.
        InsufficientFunds: the wallet does not hold enough.
        Contention: somebody else has changed it meanwhile.
    """
    orders.payable(order, clock.now())
    if auto_renew is not None:
        order = order.model_copy(update={"auto_renew": auto_renew})
    with store.Transaction() as tx:
        return _fulfil(tx, order, Account.wallet(order.rider_id, order.currency))


def _fulfil(tx: store.Transaction, order: Order, source: Account) -> Order:
    now = clock.now()
    invoice = rules.for_order(order, fleet.known_network(order.network_id), now) if order.total else None
    if invoice is not None:
        invoices.create(tx, invoice)
    done, movements = orders.complete(tx, order, source=source, invoice_id=invoice.id if invoice else None, at=now)
    ledger.post(tx, movements)
    return done


def _credit(tx: store.Transaction, intent: PaymentIntent) -> None:
    try:
        order = orders.find(intent.rider_id, intent.purpose.id)
    except OrderNotFound:
        order = None
    if order is not None and order.state is OrderState.PENDING:
        orders.fail(tx, order)
    movement = Movement(
        id=f"payment-{intent.id}",
        source=Account.provider(intent.network_id, intent.currency),
        target=Account.wallet(intent.rider_id, intent.currency),
        amount=intent.captured,
        reason=Reason.CORRECTION,
        document=intent.purpose.id,
        at=clock.now(),
    )
    ledger.post(tx, [movement])
