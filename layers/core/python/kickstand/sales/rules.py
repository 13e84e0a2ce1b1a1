"""What orders cost, what codes take off, and what money moves; pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from kickstand.kernel.currencies import decimals
from kickstand.kernel.money import round_half_up
from kickstand.ledger.model import Account, AccountKind, Movement, Reason
from kickstand.sales.errors import AmountNotValid, DiscountNotValid, OfferClosed, OrderClosed, OrderInPayment
from kickstand.sales.model import (
    NO_PRICE,
    AppliedDiscount,
    DiscountCode,
    Offer,
    OfferKind,
    OfferState,
    Order,
    OrderKind,
    OrderLine,
    OrderState,
    PaymentMethod,
    Voucher,
    VoucherState,
)

PAYABLE_FOR: Final = timedelta(hours=24)
"""How long an order waits for its payment."""
RENEWABLE_FOR: Final = timedelta(days=30)
"""How long a renewal can be paid; its subscription is given up long before."""
MOST_CODES: Final = 50
"""So many gift codes an order can have; they are issued in the transaction that completes it."""
_LEAST_DEPOSIT: Final = 1
_MOST_DEPOSIT: Final = 5_000
"""Of the currency's unit."""
_DEPOSIT: Final = "Wallet deposit"

# ── Lines ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def subscription_lines(offer: Offer) -> tuple[OrderLine, ...]:
    """What a subscription or its renewal costs.

    Raises:
        OfferClosed: it is no subscription.
    """
    if offer.kind is not OfferKind.SUBSCRIPTION:
        raise OfferClosed
    return (_line(offer, 1),)


def deposit_lines(amount: int, currency: str) -> tuple[OrderLine, ...]:
    """An amount that goes into a wallet; money is outside the scope of VAT.

    Raises:
        AmountNotValid: it is too little or too much.
    """
    unit = 10 ** decimals(currency)
    least, most = _LEAST_DEPOSIT * unit, _MOST_DEPOSIT * unit
    if not least <= amount <= most:
        raise AmountNotValid(f"A deposit is at least {least} and at most {most} minor units of {currency}")
    return (OrderLine(name=_DEPOSIT, unit_price=amount),)


def voucher_lines(offers: Sequence[tuple[Offer, int]]) -> tuple[OrderLine, ...]:
    """What gift codes cost; a product that is named twice makes one line.

    Raises:
        OfferClosed: one of the products is no gift code.
        AmountNotValid: they are too many for an order, or none, or cost more than anything can.
    """
    wanted: dict[int, tuple[Offer, int]] = {}
    for offer, quantity in offers:
        if offer.kind is not OfferKind.GIFT_CODE:
            raise OfferClosed
        wanted[offer.id] = offer, wanted.get(offer.id, (offer, 0))[1] + quantity
    if not 1 <= sum(quantity for _, quantity in wanted.values()) <= MOST_CODES:
        raise AmountNotValid(f"An order has 1 to {MOST_CODES} gift codes")
    lines = tuple(_line(offer, quantity) for offer, quantity in wanted.values())
    if totals(lines)[0] >= NO_PRICE:
        raise AmountNotValid("The order costs too much")
    return lines


def _line(offer: Offer, quantity: int) -> OrderLine:
    # A gift code is money in another form: what is bought with it is taxed, not the code.
    vat_percent = None if offer.kind is OfferKind.GIFT_CODE else offer.vat_percent
    return OrderLine(
        offer_id=offer.id, name=offer.name, quantity=quantity, unit_price=offer.price, vat_percent=vat_percent
    )


def totals(lines: Iterable[OrderLine]) -> tuple[int, int]:
    """What is to be paid for all lines, and the VAT inside it; both are sums of the lines' own."""
    known = tuple(lines)
    return sum(line.gross for line in known), sum(line.vat for line in known)


# ── Discounts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def discounted(order: Order, code: DiscountCode, now: datetime) -> Order:
    """An order with a discount code, in place of any other it has.

    Raises:
        DiscountNotValid: the code is not for this order, or not now.
    """
    if order.kind not in {OrderKind.SUBSCRIPTION, OrderKind.VOUCHER_CODES}:
        raise DiscountNotValid("Orders of this kind take no discount codes")
    if code.state is not OfferState.ACTIVE or not code.valid_from <= now < code.valid_until:
        raise DiscountNotValid
    if code.currency not in {None, order.currency}:
        raise DiscountNotValid
    plain = [line.model_copy(update={"discount": 0}) for line in order.lines]
    concerned = [line.gross if _is_for(code, line) else 0 for line in plain]
    amount = taken_off(code, sum(concerned))
    if not amount:
        raise DiscountNotValid
    shares = allocated(amount, concerned)
    lines = tuple(line.model_copy(update={"discount": share}) for line, share in zip(plain, shares, strict=True))
    applied = AppliedDiscount(code=code.code, amount=amount, percent=code.percent, once=code.once)
    return _repriced(order, lines, applied)


def undiscounted(order: Order) -> Order:
    """An order at its full price."""
    lines = tuple(line.model_copy(update={"discount": 0}) for line in order.lines)
    return _repriced(order, lines, None)


def _repriced(order: Order, lines: tuple[OrderLine, ...], applied: AppliedDiscount | None) -> Order:
    total, vat = totals(lines)
    return order.model_copy(update={"lines": lines, "discount": applied, "total": total, "vat": vat})


def _is_for(code: DiscountCode, line: OrderLine) -> bool:
    return not code.offer_ids or line.offer_id in code.offer_ids


def taken_off(code: DiscountCode, gross: int) -> int:
    """What a code takes off an amount, in minor units; never more than all of it."""
    wanted = code.amount if code.amount is not None else round_half_up(gross * (code.percent or 0), 100)
    return min(wanted, gross)


def allocated(amount: int, weights: Sequence[int]) -> list[int]:
    """``amount`` in shares as the ``weights`` are, none above its weight; the largest rests are rounded up.

    Args:
        amount: from nought to the sum of the weights.
        weights: none negative.
    """
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    shares = [amount * weight // whole for weight in weights]
    rests = sorted(range(len(weights)), key=lambda each: -(amount * weights[each] % whole))
    for place in rests[: amount - sum(shares)]:
        shares[place] += 1
    return shares


# ── Payment ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_payable(order: Order, now: datetime) -> None:
    """Refuse an order that cannot be paid or changed.

    Raises:
        OrderClosed: it is not pending, or its time is over.
        OrderInPayment: a payment is under way.
    """
    if order.state is not OrderState.PENDING:
        raise OrderClosed
    if order.payment_id is not None:
        raise OrderInPayment
    if order.expires_at <= now:
        raise OrderClosed


def check_releasable(order: Order) -> None:
    """Refuse to take an order's only use of a code away from it when it is paid or being paid.

    Raises:
        DiscountNotValid: it is.
    """
    if order.state is not OrderState.PENDING or order.payment_id is not None:
        raise DiscountNotValid


def methods(order: Order, balance: int, now: datetime) -> tuple[PaymentMethod, ...]:
    """What an order can be paid with; nothing unless it waits for a payment.

    An order of nought is paid by the wallet, which always holds that much. Money that goes into the wallet does not
    come out of it.

    Args:
        order: the order.
        balance: of the rider's wallet in the order's currency, in minor units.
        now: the time.
    """
    if order.state is not OrderState.PENDING or order.payment_id is not None or order.expires_at <= now:
        return ()
    if not order.total:
        return (PaymentMethod.WALLET,)
    found = [PaymentMethod.CARD]
    if order.kind is not OrderKind.WALLET_DEPOSIT and order.total <= balance:
        found.append(PaymentMethod.WALLET)
    if order.currency == "PLN":
        found.append(PaymentMethod.BLIK)
    return tuple(found)


def movements(order: Order, source: Account, at: datetime, *, worth: int = 0) -> list[Movement]:
    """The money that moves when an order is completed.

    A gift code is worth its value whatever was paid for it: we add what is missing, and have earned what is too much.

    Args:
        order: the order.
        source: where its price is taken from.
        at: when.
        worth: of all gift codes of the order.
    """
    name = f"order-{order.id}"

    def moves(suffix: str, taken_from: Account, target: AccountKind, amount: int, reason: Reason) -> list[Movement]:
        if not amount:
            return []
        holder = order.rider_id if target is AccountKind.WALLET else order.network_id
        account = Account(kind=target, holder_id=holder, currency=order.currency)
        return [
            Movement(
                id=name + suffix,
                source=taken_from,
                target=account,
                amount=amount,
                reason=reason,
                document=order.id,
                at=at,
            )
        ]

    match order.kind:
        case OrderKind.WALLET_DEPOSIT:
            return moves("", source, AccountKind.WALLET, order.total, Reason.DEPOSIT)
        case OrderKind.VOUCHER_CODES:
            ours = Account(kind=AccountKind.PROMOTION, holder_id=order.network_id, currency=order.currency)
            covered = min(order.total, worth)
            return [
                *moves("", source, AccountKind.VOUCHERS, covered, Reason.ORDER),
                *moves("-promotion", ours, AccountKind.VOUCHERS, worth - covered, Reason.ORDER),
                *moves("-fee", source, AccountKind.REVENUE, order.total - covered, Reason.ORDER),
            ]
        case OrderKind.RENEWAL:
            return moves("", source, AccountKind.REVENUE, order.total, Reason.RENEWAL)
        case OrderKind.SUBSCRIPTION:
            return moves("", source, AccountKind.REVENUE, order.total, Reason.ORDER)


# ── Gift codes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def is_redeemable(voucher: Voucher, now: datetime) -> bool:
    """Whether a gift code still has its value."""
    return voucher.state is VoucherState.ISSUED and (voucher.valid_until is None or now < voucher.valid_until)
