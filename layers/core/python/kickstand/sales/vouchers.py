"""Use cases about gift codes: money that somebody has paid and somebody else puts into a wallet."""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from kickstand.clients.model import ApiClient
from kickstand.kernel import clock, store
from kickstand.kernel.events import Event
from kickstand.ledger import service as ledger
from kickstand.ledger.model import Account, AccountKind, Movement, Reason
from kickstand.sales import periods, rules
from kickstand.sales.errors import OrderNotFound, VoucherNotValid
from kickstand.sales.model import Gift, GiftLetter, Order, Voucher, VoucherState
from kickstand.sales.store import GiftLetterItem, VoucherItem

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no letter that is taken for a digit, or for another one."""
_MISREAD: Final = str.maketrans("OIL", "011", " -")
_LENGTH: Final = 16
_GROUP: Final = 4
_KEPT: Final = timedelta(days=30)
"""How long the codes can be read after they were mailed, for a mail that never arrived."""


def new_code() -> str:
    """A fresh gift code in groups: 80 random bits."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return "-".join(letters[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def digest(code: str) -> str | None:
    """What a gift code is kept under, however somebody has written it; ``None`` for what cannot be one."""
    letters = code.strip().upper().translate(_MISREAD)
    if len(letters) != _LENGTH or not set(letters) <= set(_ALPHABET):
        return None
    return sha256(letters.encode()).hexdigest()


def issue(tx: store.Transaction, order: Order, timezone: str, at: datetime) -> int:
    """Make the gift codes of an order, within the transaction that completes it.

    Each is kept by its digest; they are readable only in the letter to whoever has bought them.

    Args:
        tx: the transaction.
        order: an order of gift codes.
        timezone: IANA name of the seller's timezone, whose days count for how long they can be redeemed.
        at: when they are issued.

    Returns:
        What they are worth in all, in minor units.
    """
    offers = {offer.id: offer for offer in order.gifts}
    gifts = [
        Gift(
            code=new_code(),
            value=offer.value,
            valid_until=periods.end_of(at, offer.validity, timezone) if offer.validity else None,
        )
        for line in order.lines
        if (offer := offers.get(line.offer_id or 0)) is not None
        for _ in range(line.quantity)
    ]
    for gift in gifts:
        voucher = Voucher(
            digest=digest(gift.code) or "",
            client_id=order.client_id,
            network_id=order.network_id,
            order_id=order.id,
            currency=order.currency,
            value=gift.value,
            issued_at=at,
            valid_until=gift.valid_until,
        )
        tx.create(VoucherItem.of(voucher))
    letter = GiftLetter(
        order_id=order.id,
        rider_id=order.rider_id,
        network_id=order.network_id,
        email=order.email or "",
        currency=order.currency,
        gifts=tuple(gifts),
        event=Event.new("GiftCodesIssued", at),
    )
    tx.create(GiftLetterItem.of(letter))
    return sum(gift.value for gift in gifts)


def letter(rider_id: int, order_id: int) -> GiftLetter:
    """The gift codes of an order, for whoever mails them.

    Raises:
        OrderNotFound: there are none, or they can be read no more.
    """
    item = store.load(GiftLetterItem.key(rider_id, order_id))
    if item is None:
        raise OrderNotFound
    return item.entity


def mailed(letter: GiftLetter) -> None:
    """Let the codes of a letter that has been sent be readable for some time only."""
    gone_at = int((clock.now() + _KEPT).timestamp())
    sent = GiftLetterItem.pk.exists() & GiftLetterItem.expires_at.does_not_exist()
    store.change(GiftLetterItem.key_of(letter), [GiftLetterItem.expires_at.set(gone_at)], condition=sent)


def send_again(rider_id: int, order_id: int, email: str) -> None:
    """Mail the gift codes of an order once more; for our staff, when a mail has not arrived.

    Raises:
        OrderNotFound: there are none, or they can be read no more.
    """
    with store.Transaction() as tx:
        tx.update(
            GiftLetterItem.key(rider_id, order_id),
            [
                GiftLetterItem.email.set(email),
                GiftLetterItem.event.set(Event.new("GiftCodesWanted")),
                GiftLetterItem.expires_at.remove(),
            ],
            condition=GiftLetterItem.pk.exists(),
            otherwise=OrderNotFound,
        )


def redeem(client: ApiClient, rider_id: int, code: str) -> Voucher:
    """Put the value of a gift code into a rider's wallet. A code has it once, however many ask for it at once.

    Redeeming a code again that the same rider has redeemed changes nothing: the answer may have been lost.

    Raises:
        VoucherNotValid: the client has issued no such code, or its time is over, or another rider has redeemed it.
    """
    name = digest(code)
    if name is None:
        raise VoucherNotValid

    def attempt() -> Voucher:
        item = store.load(VoucherItem.key(client.id, name))
        if item is None:
            raise VoucherNotValid
        voucher = item.entity
        if voucher.redeemed_by == rider_id:
            return voucher
        now = clock.now()
        if not rules.is_redeemable(voucher, now):
            raise VoucherNotValid
        redeemed = {"state": VoucherState.REDEEMED, "redeemed_by": rider_id, "redeemed_at": now}
        with store.Transaction() as tx:
            tx.update(
                VoucherItem.key_of(voucher),
                [getattr(VoucherItem, field).set(value) for field, value in redeemed.items()],
                condition=VoucherItem.state == VoucherState.ISSUED,
                otherwise=store.Contention,
            )
            ledger.post(tx, [_movement(voucher, rider_id, now)])
        return voucher.model_copy(update=redeemed)

    return store.again(attempt)


def _movement(voucher: Voucher, rider_id: int, at: datetime) -> Movement:
    return Movement(
        id=f"voucher-{voucher.digest}",
        source=Account(kind=AccountKind.VOUCHERS, holder_id=voucher.network_id, currency=voucher.currency),
        target=Account.wallet(rider_id, voucher.currency),
        amount=voucher.value,
        reason=Reason.VOUCHER,
        document=voucher.order_id,
        at=at,
    )
