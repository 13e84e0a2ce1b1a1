"""Orders and codes on the atomic engine: what is used up is used up, and nobody pays or gets anything twice."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from kickstand.fleet import service as fleet
from kickstand.fleet.errors import NetworkNotFound
from kickstand.kernel import clock, store
from kickstand.kernel.errors import Contention, DomainError
from kickstand.kernel.items import shard
from kickstand.ledger import service as ledger
from kickstand.ledger.errors import AlreadyPosted
from kickstand.ledger.model import AccountKind
from kickstand.sales import discounts, offers, orders, subscriptions, vouchers
from kickstand.sales.errors import (
    DiscountNotValid,
    OfferClosed,
    OfferNotFound,
    OrderClosed,
    OrderInPayment,
    OrderNotFound,
    SubscriptionExists,
    VoucherNotValid,
)
from kickstand.sales.model import GiftLetter, OfferState, Order, OrderState, VoucherState
from kickstand.sales.orders import OrderBy
from kickstand.sales.store import DiscountCodeItem, DiscountUseItem, GiftLetterItem, OrderItem, VoucherItem, due
from local.server import Tables
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.shop import BIG_GIFT, FREE, GIFT, MONTHLY, Shop

CROWD = 32
DAY = timedelta(days=1)


@pytest.fixture
def shop(engine: Tables) -> Shop:
    return Shop(City())


@pytest.fixture(scope="module")
def crowd() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CROWD) as pool:
        yield pool


def at_once(crowd: ThreadPoolExecutor, calls: Sequence[Callable[[], Any]]) -> tuple[list[Any], list[DomainError]]:
    """What those got who got through, and what the others were told."""
    starting = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        store.begin()
        starting.wait()
        try:
            return call()
        except DomainError as error:
            return error

    answers = list(crowd.map(run, calls))
    refusals = [each for each in answers if isinstance(each, DomainError)]
    return [each for each in answers if not isinstance(each, DomainError)], refusals


def uses(shop: Shop, code: str = "WELCOME10") -> int:
    store.begin()
    return discounts.find(shop.city.client.id, code).uses


def on_agenda(order: Order) -> bool:
    keys = due(shard(order.id), clock.now() + 2 * DAY, 1_000)
    return any(sk == OrderItem.key_of(order).sk for _, _, sk in keys)


# ── Products ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_put_is_found(shop: Shop) -> None:
    monthly = shop.subscription(MONTHLY)
    store.begin()
    assert offers.offer(shop.city.client, MONTHLY) == monthly
    assert [each.id for each in offers.list_offers(shop.city.client.id)] == [MONTHLY, FREE, GIFT, BIG_GIFT]


def test_products_are_their_clients_own(shop: Shop) -> None:
    other, _ = shop.city.partner("Other")
    with pytest.raises(OfferNotFound):
        offers.offer(other, MONTHLY)
    with pytest.raises(OfferNotFound):
        offers.put(other, shop.subscription(MONTHLY))
    with pytest.raises(OfferNotFound):
        offers.offer(shop.city.client, 99)


@pytest.mark.parametrize("changes", [{"currency": "EUR"}, {"network_id": 2}])
def test_products_are_sold_by_the_clients_first_network_in_its_currency(shop: Shop, changes: dict[str, Any]) -> None:
    with pytest.raises(OfferClosed):
        offers.put(shop.city.client, shop.subscription(20, **changes))


def test_prices_of_another_currency_are_not_charged_in_the_new_one(shop: Shop) -> None:
    fleet.put_network(fleet.network(shop.city.network_id).model_copy(update={"currency": "EUR"}))
    with pytest.raises(OfferClosed):
        shop.order()
    with pytest.raises(OfferClosed):
        shop.gifts()


def test_nobody_sells_without_a_network(shop: Shop) -> None:
    with pytest.raises(NetworkNotFound):
        offers.seller(shop.city.client.model_copy(update={"network_ids": frozenset()}))


def test_what_is_not_active_is_not_sold(shop: Shop) -> None:
    offers.put(shop.city.client, shop.subscription(21, state=OfferState.INACTIVE))
    with pytest.raises(OfferClosed):
        shop.order(21)


# ── Life of an order ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_order_keeps_the_product_as_it_was(shop: Shop) -> None:
    order = shop.order()
    assert (order.total, order.vat, order.state) == (29_900, 5_980, OrderState.PENDING)
    offers.put(shop.city.client, shop.subscription(MONTHLY, price=99_900))
    assert shop.now(order) == order


def test_a_token_names_its_order_to_its_rider_only(shop: Shop) -> None:
    order, stranger = shop.order(), shop.enlist("ola")
    assert orders.by_token(shop.rider_id, order.token) == order
    for rider_id, token in (
        (stranger, order.token),
        (shop.rider_id, order.token[:-1] + ("A" if order.token[-1] != "A" else "B")),
        (shop.rider_id, "nonsense"),
        (shop.rider_id, ""),
    ):
        store.begin()
        with pytest.raises(OrderNotFound):
            orders.by_token(rider_id, token)


def test_a_completed_subscription_is_active_and_earned(shop: Shop) -> None:
    earned = ledger.sum_of(shop.house(AccountKind.REVENUE))
    done, _ = shop.completed(shop.order())
    store.begin()
    subscription = subscriptions.current(shop.rider_id)
    assert subscription is not None
    assert (done.state, done.subscription_id) == (OrderState.COMPLETED, subscription.id)
    assert done.completed_at is not None
    assert shop.now(done) == done
    assert ledger.sum_of(shop.house(AccountKind.REVENUE)) - earned == 29_900
    with pytest.raises(SubscriptionExists):
        shop.order()


def test_of_two_orders_of_a_subscription_one_can_be_completed(shop: Shop) -> None:
    first, second = shop.order(), shop.order()
    shop.completed(first)
    with pytest.raises(SubscriptionExists):
        shop.completed(second)
    assert shop.now(second).state is OrderState.PENDING
    with store.Transaction() as tx:
        failed = orders.fail(tx, shop.now(second))
    assert shop.now(second) == failed
    assert failed.state is OrderState.FAILED
    assert not on_agenda(failed)


def test_a_completed_deposit_is_in_the_wallet(shop: Shop) -> None:
    shop.completed(shop.deposit(25_000))
    assert shop.balance() == 25_000


def test_an_order_is_completed_once(shop: Shop, crowd: ThreadPoolExecutor) -> None:
    order = shop.deposit()
    done, refused = at_once(crowd, [partial(shop.completed, order)] * CROWD)
    assert len(done) == 1
    assert {type(each) for each in refused} <= {OrderClosed, Contention, AlreadyPosted}
    assert shop.balance() == 10_000


def test_an_order_has_one_payment_at_a_time(shop: Shop, crowd: ThreadPoolExecutor) -> None:
    order = shop.order()
    assert on_agenda(order)
    done, refused = at_once(crowd, [partial(shop.claimed, order, each) for each in range(1, CROWD + 1)])
    assert len(done) == 1
    assert {type(each) for each in refused} <= {OrderInPayment, Contention}
    claimed = shop.now(order)
    assert claimed.payment_id == done[0].payment_id
    assert not on_agenda(claimed), "it does not expire while somebody pays"
    with store.Transaction() as tx:
        assert orders.let_go(tx, claimed, 10**9) == claimed, "not that payment's"
        free = orders.let_go(tx, claimed, claimed.payment_id or 0)
    assert shop.now(order).payment_id is None
    assert on_agenda(free)


def test_what_is_wished_about_renewal_is_kept_with_the_payment(shop: Shop) -> None:
    order = shop.order()
    with store.Transaction() as tx:
        orders.claim(tx, order, 1, auto_renew=True)
    assert shop.now(order).auto_renew
    assert not shop.now(shop.claimed(shop.order())).auto_renew


def test_an_order_expires_unless_somebody_pays(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.code()
    lost, kept, paid = shop.apply(shop.order()), shop.claimed(shop.deposit()), shop.completed(shop.deposit())[0]
    for each in (lost, kept, paid):
        assert orders.expire(each.rider_id, each.id) is None, "not yet"
    later = clock.now() + DAY + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(OrderClosed):
        shop.claimed(lost)
    expired = [orders.expire(each.rider_id, each.id) for each in (lost, kept, paid)]
    assert expired[1:] == [None, None]
    assert expired[0] is not None
    assert shop.now(lost) == expired[0]
    assert expired[0].state is OrderState.CANCELLED
    assert uses(shop) == 0
    assert orders.expire(lost.rider_id, lost.id) is None
    with pytest.raises(OrderClosed), store.Transaction() as tx:
        orders.withdraw(tx, shop.now(lost))
    shop.completed(kept)
    assert shop.now(kept).state is OrderState.COMPLETED, "what was paid in time is delivered"


def test_what_is_being_paid_is_not_withdrawn(shop: Shop) -> None:
    claimed = shop.claimed(shop.order())
    with pytest.raises(OrderInPayment), store.Transaction() as tx:
        orders.withdraw(tx, claimed)


def test_a_renewal_costs_what_the_subscription_did(shop: Shop) -> None:
    shop.completed(shop.order())
    offers.put(shop.city.client, shop.subscription(MONTHLY, price=99_900))
    store.begin()
    subscription = subscriptions.current(shop.rider_id)
    assert subscription is not None
    with store.Transaction() as tx:
        renewal = orders.order_renewal(tx, subscription, clock.now())
    assert (renewal.total, renewal.subscription_id) == (29_900, subscription.id)
    assert shop.now(renewal) == renewal
    assert not on_agenda(renewal)


# ── Lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_orders_are_listed_as_they_are_wanted(shop: Shop) -> None:
    first, second, third = shop.deposit(), shop.deposit(), shop.deposit()
    shop.completed(third)
    shop.completed(first)

    def listed(**wanted: Any) -> list[int]:
        store.begin()
        return [each.id for each in orders.list_orders(shop.rider_id, **wanted).orders]

    newest = sorted((each.id for each in (first, second, third)), reverse=True)
    assert listed() == newest
    assert listed(descending=False) == newest[::-1]
    assert listed(order_by=OrderBy.COMPLETED_AT) == [first.id, third.id, second.id]
    assert listed(order_by=OrderBy.COMPLETED_AT, descending=False) == [third.id, first.id, second.id]
    assert listed(states=frozenset({OrderState.PENDING})) == [second.id]
    assert listed(offset=1, limit=1) == [newest[1]]
    store.begin()
    page = orders.list_orders(shop.rider_id, offset=5)
    assert (page.orders, page.total) == ((), 3)


# ── Discount codes ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_code_is_used_as_often_as_it_may(shop: Shop, crowd: ThreadPoolExecutor) -> None:
    shop.code("FIRST5", most_uses=5)
    users = [f"user-{number}" for number in range(CROWD)]
    placed = []
    for user in users:
        shop.enlist(user)
        placed.append((shop.order(user=user), user))
    attempts = [partial(shop.apply, order, "FIRST5", user) for order, user in placed]
    done, refused = at_once(crowd, attempts)
    while any(isinstance(each, Contention) for each in refused):  # whoever is told so sends the request again
        assert len(done) <= 5
        done_again, refused = at_once(crowd, attempts)
        done = done_again
    assert len(done) == 5
    assert {type(each) for each in refused} == {DiscountNotValid}
    assert uses(shop, "FIRST5") == 5
    assert sum(shop.now(order).discount is not None for order, _ in placed) == 5


def test_a_rider_uses_a_code_once(shop: Shop, crowd: ThreadPoolExecutor) -> None:
    shop.code()
    placed = [shop.order() for _ in range(8)]
    at_once(crowd, [partial(shop.apply, order) for order in placed])
    assert sum(shop.now(order).discount is not None for order in placed) == 1
    assert uses(shop) == 1


def test_the_only_use_moves_to_the_order_that_wants_it(shop: Shop) -> None:
    shop.code(most_uses=1)
    first, second = shop.apply(shop.order()), shop.apply(shop.order())
    assert (second.total, second.vat) == (26_910, 5_382)
    assert shop.now(first).discount is None
    assert shop.now(first).total == 29_900
    assert uses(shop) == 1
    store.begin()
    assert orders.remove_discount(shop.city.client, shop.user, second.id).total == 29_900
    assert uses(shop) == 0
    assert store.load(DiscountUseItem.key(shop.city.client.id, "WELCOME10", shop.rider_id)) is None


def test_the_only_use_stays_where_it_is_paid_for(shop: Shop) -> None:
    shop.code()
    paid, other = shop.claimed(shop.apply(shop.order())), shop.deposit()
    assert paid.discount is not None
    other = shop.gifts()
    with pytest.raises(DiscountNotValid):
        shop.apply(other)
    shop.completed(paid)
    with pytest.raises(DiscountNotValid):
        shop.apply(other)
    assert uses(shop) == 1


def test_codes_without_that_limit_are_used_again(shop: Shop) -> None:
    shop.code("ALWAYS", once=False)
    first, second = shop.apply(shop.order(), "ALWAYS"), shop.apply(shop.order(), "always")
    assert shop.now(first).discount is not None
    assert second.discount is not None
    assert uses(shop, "ALWAYS") == 2


def test_a_second_code_replaces_the_first(shop: Shop) -> None:
    shop.code()
    shop.code("HALF", percent=50)
    order = shop.apply(shop.order())
    assert shop.apply(order) == order, "applying it again changes nothing"
    half = shop.apply(order, "half")
    assert half.total == 14_950
    assert (uses(shop), uses(shop, "HALF")) == (0, 1)
    with pytest.raises(DiscountNotValid):
        shop.apply(half, "NOTHING")
    assert shop.now(half) == half


def test_a_code_is_free_again_when_its_order_has_failed(shop: Shop) -> None:
    shop.code()
    order = shop.apply(shop.order())
    with store.Transaction() as tx:
        orders.fail(tx, order)
    assert uses(shop) == 0
    assert shop.apply(shop.order()).discount is not None


def test_changing_a_code_keeps_its_uses(shop: Shop) -> None:
    shop.code(most_uses=2)
    shop.apply(shop.order())
    assert shop.code(most_uses=1).uses == 1
    shop.enlist("ola")
    with pytest.raises(DiscountNotValid):
        shop.apply(shop.order(user="ola"), user="ola")


def test_a_code_can_be_stopped_while_everybody_uses_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shop.code(most_uses=1_000, offer_ids=frozenset({MONTHLY}))
    load = store.load

    def busy(key: store.Key[Any]) -> Any:
        item = load(key)
        with store.Transaction() as tx:  # somebody uses it between reading and writing
            tx.update(DiscountCodeItem.key_of(before), [DiscountCodeItem.uses.add(1)])
        return item

    with monkeypatch.context() as rush:
        rush.setattr(store, "load", busy)
        shop.code(state=OfferState.INACTIVE)
    store.begin()
    after = discounts.find(shop.city.client.id, before.code)
    assert (after.state, after.uses, after.most_uses, after.offer_ids) == (OfferState.INACTIVE, 1, None, frozenset())


def test_another_clients_code_does_not_exist(shop: Shop) -> None:
    other = City(network_id=3)
    Shop(other).code("THEIRS")
    with pytest.raises(DiscountNotValid):
        shop.apply(shop.order(), "THEIRS")


def test_what_is_paid_or_over_is_not_discounted(shop: Shop) -> None:
    shop.code()
    in_payment = shop.claimed(shop.order())
    done, _ = shop.completed(shop.deposit())
    for order, refusal in ((in_payment, OrderInPayment), (done, OrderClosed)):
        with pytest.raises(refusal):
            shop.apply(order)
        with pytest.raises(refusal):
            shop.removed(order)
    with pytest.raises(DiscountNotValid):
        shop.apply(shop.deposit())
    with pytest.raises(OrderNotFound):
        shop.apply(done.model_copy(update={"id": 5}))


# ── Gift codes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_gift_codes_are_issued_with_the_order(shop: Shop) -> None:
    paid, worth = (ledger.sum_of(shop.house(kind)) for kind in (AccountKind.PROVIDER, AccountKind.VOUCHERS))
    order, _ = shop.completed(shop.gifts((GIFT, 2), (BIG_GIFT, 1), (GIFT, 1)))
    store.begin()
    letter = vouchers.letter(shop.rider_id, order.id)
    assert sorted(each.value for each in letter.gifts) == [10_000, 10_000, 10_000, 50_000]
    assert letter.email == "gifts@mail.example"
    assert paid - ledger.sum_of(shop.house(AccountKind.PROVIDER)) == 75_000
    assert ledger.sum_of(shop.house(AccountKind.VOUCHERS)) - worth == 80_000
    for gift in letter.gifts:
        item = store.load(VoucherItem.key(shop.city.client.id, vouchers.digest(gift.code) or ""))
        assert item is not None
        assert item.state is VoucherState.ISSUED
        assert gift.code not in repr(item.to_simple_dict())
        assert gift.code not in repr(letter)


def test_the_most_codes_of_an_order_are_issued_at_once(shop: Shop) -> None:
    order, _ = shop.completed(shop.gifts((GIFT, 50)))
    assert len(vouchers.letter(shop.rider_id, order.id).gifts) == 50


def codes_of(shop: Shop, *lines: tuple[int, int]) -> list[str]:
    order, _ = shop.completed(shop.gifts(*lines))
    store.begin()
    return [each.code for each in vouchers.letter(shop.rider_id, order.id).gifts]


def test_a_gift_code_has_its_value_once(shop: Shop, crowd: ThreadPoolExecutor) -> None:
    (code,) = codes_of(shop, (GIFT, 1))
    riders = [shop.enlist(f"rider-{number}") for number in range(CROWD)]
    done, refused = at_once(crowd, [partial(vouchers.redeem, shop.city.client, each, code) for each in riders])
    assert len(done) == 1
    assert {type(each) for each in refused} <= {VoucherNotValid, Contention}
    assert sum(shop.balance(each) for each in riders) == 10_000
    assert shop.balance(done[0].redeemed_by) == 10_000


def test_whoever_has_redeemed_a_code_may_ask_again(shop: Shop, crowd: ThreadPoolExecutor) -> None:
    (code,) = codes_of(shop, (GIFT, 1))
    at_once(crowd, [partial(vouchers.redeem, shop.city.client, shop.rider_id, code)] * CROWD)
    store.begin()
    assert vouchers.redeem(shop.city.client, shop.rider_id, code.lower()).redeemed_by == shop.rider_id
    assert shop.balance() == 10_000


def test_gift_codes_that_are_not_good(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    other = City(network_id=3)
    (code,) = codes_of(shop, (GIFT, 1))
    for client, given in ((other.client, code), (shop.city.client, vouchers.new_code()), (shop.city.client, "x")):
        store.begin()
        with pytest.raises(VoucherNotValid):
            vouchers.redeem(client, shop.rider_id, given)
    later = clock.now() + 4 * 365 * DAY
    monkeypatch.setattr(clock, "now", lambda: later)
    store.begin()
    with pytest.raises(VoucherNotValid):
        vouchers.redeem(shop.city.client, shop.rider_id, code)
    assert shop.balance() == 0


def gone_at(letter: GiftLetter) -> int | None:
    store.begin()
    item = store.load(GiftLetterItem.key_of(letter))
    assert item is not None
    return item.expires_at


def test_codes_that_were_mailed_are_readable_for_some_time_only(shop: Shop) -> None:
    order, _ = shop.completed(shop.gifts())
    letter = vouchers.letter(shop.rider_id, order.id)
    assert gone_at(letter) is None
    vouchers.mailed(letter)
    moment = gone_at(letter)
    assert moment is not None
    assert timedelta(days=29) < clock.at_milliseconds(moment * 1000) - clock.now() <= timedelta(days=30)
    vouchers.mailed(letter)
    assert gone_at(letter) == moment
    with store.Transaction() as tx:
        tx.delete(GiftLetterItem.key_of(letter))
    vouchers.mailed(letter)
    store.begin()
    with pytest.raises(OrderNotFound):
        vouchers.letter(shop.rider_id, order.id)


# ── Capacity ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_purchase_asks_of_the_database(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.code()
    order, gifts = shop.order(), shop.gifts((GIFT, 3))
    with measured() as usage:
        shop.apply(order)
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    assert usage.write_units <= 10
    with measured() as usage:
        shop.completed(order)
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    assert usage.write_units <= 16
    with measured() as usage:
        shop.completed(gifts)
    assert usage.write_units <= 30
    (code,) = codes_of(shop, (GIFT, 1))
    store.begin()
    with measured() as usage:
        vouchers.redeem(shop.city.client, shop.rider_id, code)
    assert usage.calls == ["BatchGetItem", "TransactWriteItems"]
    assert usage.write_units <= 10
    expired = shop.deposit()
    later = clock.now() + 2 * DAY
    monkeypatch.setattr(clock, "now", lambda: later)
    store.begin()
    with measured() as usage:
        orders.expire(expired.rider_id, expired.id)
    assert usage.calls == ["BatchGetItem", "TransactWriteItems"]
