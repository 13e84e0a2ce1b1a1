"""Use cases about discount codes. What they take off is decided in :mod:`kickstand.sales.rules`."""

import re
from typing import Final

from kickstand.kernel import store
from kickstand.sales.errors import DiscountNotValid
from kickstand.sales.model import DiscountCode, OfferState, Order
from kickstand.sales.store import DiscountCodeItem, DiscountUseItem, replace_code

_CODE: Final = re.compile(r"[A-Z0-9_-]{3,40}", re.ASCII)


def put(code: DiscountCode) -> DiscountCode:
    """Keep a client's discount code, in place of what was kept under its letters; its uses stay counted.

    That nobody has to stop using it meanwhile is what makes it possible to stop it.
    """

    def attempt() -> DiscountCode:
        item = store.load(DiscountCodeItem.key_of(code))
        kept = code.model_copy(update={"uses": item.uses if item else 0})
        with store.Transaction() as tx:
            if item is None:
                tx.create(DiscountCodeItem.of(kept))
            else:
                replace_code(tx, kept)
        return kept

    return store.again(attempt)


def normalised(text: str) -> str | None:
    """A code as it is kept, from what a rider has written; ``None`` for what is none."""
    code = text.strip().upper() if text.isascii() else ""
    return code if _CODE.fullmatch(code) else None


def expect(client_id: int, code: str | None) -> None:
    """Announce that this request will ask for a client's discount code."""
    if code is not None:
        store.expect(DiscountCodeItem.key(client_id, code))


def expect_use(client_id: int, code: str, rider_id: int) -> None:
    """Announce that this request will ask who has a rider's only use of a code."""
    store.expect(DiscountUseItem.key(client_id, code, rider_id))


def find(client_id: int, code: str | None) -> DiscountCode:
    """A client's discount code, whether it counts or not.

    Raises:
        DiscountNotValid: there is none.
    """
    item = store.load(DiscountCodeItem.key(client_id, code)) if code is not None else None
    if item is None:
        raise DiscountNotValid
    return item.entity


def holder(code: DiscountCode, rider_id: int) -> int | None:
    """The order that has a rider's only use of a code; ``None`` where none has, or where riders may use it again."""
    if not code.once:
        return None
    item = store.load(DiscountUseItem.key(code.client_id, code.code, rider_id))
    return item.order_id if item else None


def claim(tx: store.Transaction, code: DiscountCode, order: Order) -> None:
    """Count a use of a code by an order, within the transaction that makes the order cheaper.

    The transaction raises:
        DiscountNotValid: the code is used up, or is active no more.
        Contention: the rider has just used it for another order.
    """
    left = DiscountCodeItem.state == OfferState.ACTIVE
    if code.most_uses is not None:
        left &= DiscountCodeItem.uses < code.most_uses
    key = DiscountCodeItem.key_of(code)
    tx.update(key, [DiscountCodeItem.uses.add(1)], condition=left, otherwise=DiscountNotValid)
    if code.once:
        tx.create(DiscountUseItem.marking(order, code.code))


def move(tx: store.Transaction, source: Order, target: Order) -> None:
    """Let an order have the use of a code that another order of its rider had."""
    if target.discount is not None:
        key = DiscountUseItem.key(target.client_id, target.discount.code, target.rider_id)
        held = DiscountUseItem.order_id == source.id
        tx.update(key, [DiscountUseItem.order_id.set(target.id)], condition=held, otherwise=store.Contention)


def release(tx: store.Transaction, order: Order) -> None:
    """Let the code of an order be used again, within the transaction that takes it off the order or closes it."""
    applied = order.discount
    if applied is None:
        return
    tx.update(
        DiscountCodeItem.key(order.client_id, applied.code),
        [DiscountCodeItem.uses.add(-1)],
        condition=DiscountCodeItem.pk.exists(),
        otherwise=store.Contention,
    )
    if applied.once:
        key = DiscountUseItem.key(order.client_id, applied.code, order.rider_id)
        tx.delete(key, condition=DiscountUseItem.order_id == order.id, otherwise=store.Contention)
