"""What orders cost, what codes take off, and what money moves."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kickstand.kernel.errors import DomainError
from kickstand.kernel.events import Event
from kickstand.kernel.money import vat_inside
from kickstand.ledger.model import Account, AccountKind
from kickstand.sales import discounts, rules, vouchers
from kickstand.sales.errors import AmountNotValid, DiscountNotValid, OfferClosed, OrderClosed, OrderInPayment
from kickstand.sales.model import (
    DiscountCode,
    Offer,
    OfferKind,
    OfferState,
    Order,
    OrderKind,
    OrderLine,
    OrderState,
    PaymentMethod,
    Validity,
    ValidityUnit,
    Voucher,
    VoucherState,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
PROVIDER = Account(kind=AccountKind.PROVIDER, holder_id=7, currency="NOK")

lines = st.lists(
    st.builds(
        OrderLine,
        offer_id=st.integers(1, 5),
        name=st.just("Something"),
        quantity=st.integers(1, 50),
        unit_price=st.integers(0, 10**7),
        vat_percent=st.one_of(st.none(), st.sampled_from([0, 6, 12, 15, 25])),
    ),
    min_size=1,
    max_size=6,
)


def order(*given_lines: OrderLine, kind: OrderKind = OrderKind.VOUCHER_CODES, **changes: Any) -> Order:
    known = given_lines or (OrderLine(offer_id=1, name="Monthly pass", unit_price=29_900, vat_percent=25),)
    total, vat = rules.totals(known)
    values = {
        "id": 1,
        "token": "t",
        "client_id": 5,
        "rider_id": 42,
        "network_id": 7,
        "kind": kind,
        "currency": "NOK",
        "lines": known,
        "total": total,
        "vat": vat,
        "locale": "nb",
        "created_at": NOW,
        "expires_at": NOW + timedelta(days=1),
        "event": Event(id=1, name="OrderPlaced", at=NOW),
    }
    return Order.model_validate(values | changes)


def code(**changes: Any) -> DiscountCode:
    values = {
        "client_id": 5,
        "code": "WELCOME10",
        "valid_from": NOW - timedelta(days=1),
        "valid_until": NOW + timedelta(days=1),
    }
    if "amount" not in changes:
        values["percent"] = 10
    return DiscountCode.model_validate(values | changes)


def offer(kind: OfferKind = OfferKind.GIFT_CODE, **changes: Any) -> Offer:
    values = {"id": 1, "client_id": 5, "network_id": 7, "kind": kind, "name": "Gift", "currency": "NOK"}
    values |= {"vat_percent": 0, "price": 10_000, "value": 10_000, "validity": Validity(count=1, unit=ValidityUnit.DAY)}
    return Offer.model_validate(values | changes)


# ── Lines ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_subscription_is_one_line_with_its_vat() -> None:
    (line,) = rules.subscription_lines(offer(OfferKind.SUBSCRIPTION, vat_percent=25, price=29_900))
    assert (line.gross, line.vat, line.vat_percent) == (29_900, 5_980, 25)
    with pytest.raises(OfferClosed):
        rules.subscription_lines(offer())


def test_a_gift_code_is_money_and_has_no_vat() -> None:
    (line,) = rules.voucher_lines([(offer(), 3)])
    assert (line.gross, line.vat, line.vat_percent) == (30_000, 0, None)
    with pytest.raises(ValidationError):
        offer(vat_percent=25)
    with pytest.raises(OfferClosed):
        rules.voucher_lines([(offer(OfferKind.SUBSCRIPTION), 1)])


def test_a_product_that_is_named_twice_makes_one_line() -> None:
    found = rules.voucher_lines([(offer(), 2), (offer(id=2), 1), (offer(), 3)])
    assert [(each.offer_id, each.quantity) for each in found] == [(1, 5), (2, 1)]


@pytest.mark.parametrize("quantities", [(), (51,), (30, 21), (10**15,)])
def test_an_order_has_so_many_codes_at_most(quantities: tuple[int, ...]) -> None:
    with pytest.raises(AmountNotValid):
        rules.voucher_lines([(offer(id=number), each) for number, each in enumerate(quantities, 1)])


def test_an_order_costs_what_can_be_written() -> None:
    dear = offer(price=10**12 // 50, value=10_000)
    assert len(rules.voucher_lines([(dear, 49)])) == 1
    with pytest.raises(AmountNotValid):
        rules.voucher_lines([(dear, 50)])


@pytest.mark.parametrize(
    ("currency", "least", "most"), [("NOK", 100, 500_000), ("JPY", 1, 5_000), ("KWD", 1_000, 5_000_000)]
)
def test_a_deposit_has_its_limits(currency: str, least: int, most: int) -> None:
    for amount in (least, most):
        (line,) = rules.deposit_lines(amount, currency)
        assert (line.gross, line.vat, line.offer_id) == (amount, 0, None)
    for amount in (least - 1, most + 1, 0, -least):
        with pytest.raises(AmountNotValid):
            rules.deposit_lines(amount, currency)


def test_vat_is_inside_the_price_and_rounded_by_line() -> None:
    total, vat = rules.totals([OrderLine(name="a", unit_price=99, quantity=1, vat_percent=25) for _ in range(3)])
    assert (total, vat) == (297, 3 * vat_inside(99, 25))


def test_the_rate_of_an_order_is_the_one_of_its_lines_or_what_its_vat_comes_to() -> None:
    at_25, at_0 = (OrderLine(name="a", unit_price=10_000, vat_percent=rate) for rate in (25, 0))
    assert order(at_25, at_25).vat_percent == 25
    assert order(at_0, OrderLine(name="b", unit_price=1)).vat_percent == 0
    assert order(at_25, at_0).vat_percent == 11  # 2,000 on 18,000
    nothing = at_25.model_copy(update={"discount": 10_000}), at_0.model_copy(update={"unit_price": 0})
    assert (order(*nothing).total, order(*nothing).vat_percent) == (0, 25)


# ── Discounts ────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**8), min_size=1, max_size=50))
def test_shares_add_up_and_none_is_above_its_weight(amount: int, weights: list[int]) -> None:
    amount = min(amount, sum(weights))
    shares = rules.allocated(amount, weights)
    assert sum(shares) == amount
    assert all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True))
    whole = sum(weights) or 1
    assert all(abs(share - amount * weight / whole) < 1 for share, weight in zip(shares, weights, strict=True))


def test_the_largest_rests_get_what_rounding_leaves() -> None:
    assert rules.allocated(100, [1, 1, 1]) == [34, 33, 33]
    assert rules.allocated(5, [10, 30, 60]) == [1, 1, 3]  # 0.5, 1.5 and 3.0: the first of equal rests goes up
    assert rules.allocated(7, [10, 20, 70]) == [1, 1, 5]  # 0.7, 1.4 and 4.9
    assert rules.allocated(0, [0, 0]) == [0, 0]


@given(lines, st.integers(1, 100), st.integers(1, 10**9), st.booleans(), st.frozensets(st.integers(1, 5)))
def test_a_discounted_order_is_the_sum_of_its_lines(
    given_lines: list[OrderLine], percent: int, amount: int, by_amount: bool, concerned: frozenset[int]
) -> None:
    before = order(*given_lines)
    applied = code(
        offer_ids=concerned, **({"amount": amount, "currency": "NOK"} if by_amount else {"percent": percent})
    )
    try:
        after = rules.discounted(before, applied, NOW)
    except DiscountNotValid:
        return
    assert after.discount is not None
    assert after.total == sum(line.gross for line in after.lines) == before.total - after.discount.amount >= 0
    assert after.vat == sum(line.vat for line in after.lines) <= after.total
    assert sum(line.discount for line in after.lines) == after.discount.amount > 0
    assert all(line.gross >= 0 for line in after.lines)
    assert all(line.discount == 0 for line in after.lines if concerned and line.offer_id not in concerned)
    assert rules.undiscounted(after) == before
    assert rules.discounted(after, applied, NOW) == after, "in place of the former, not on top of it"


def test_vat_is_taken_out_of_what_is_left_to_pay() -> None:
    after = rules.discounted(order(), code(percent=50), NOW)
    assert (after.total, after.vat) == (14_950, 2_990)
    free = rules.discounted(order(), code(amount=10**9, currency="NOK"), NOW)
    assert (free.total, free.vat) == (0, 0)
    assert free.discount is not None
    assert free.discount.amount == 29_900


@pytest.mark.parametrize(
    "changes",
    [
        {"state": OfferState.INACTIVE},
        {"valid_from": NOW + timedelta(seconds=1)},
        {"valid_until": NOW},
        {"offer_ids": frozenset({99})},
        {"amount": 100, "currency": "EUR"},
    ],
)
def test_a_code_that_is_not_for_this_order(changes: dict[str, Any]) -> None:
    with pytest.raises(DiscountNotValid):
        rules.discounted(order(), code(**changes), NOW)


@pytest.mark.parametrize("kind", [OrderKind.WALLET_DEPOSIT, OrderKind.RENEWAL])
def test_orders_that_take_no_codes(kind: OrderKind) -> None:
    with pytest.raises(DiscountNotValid):
        rules.discounted(order(kind=kind), code(), NOW)


def test_a_code_that_takes_nothing_off_is_not_used() -> None:
    nothing = OrderLine(offer_id=1, name="Free day", unit_price=0, vat_percent=25)
    with pytest.raises(DiscountNotValid):
        rules.discounted(order(nothing), code(), NOW)


@pytest.mark.parametrize(
    "changes", [{"percent": None}, {"percent": 10, "amount": 5}, {"amount": 5}, {"percent": 10, "currency": "NOK"}]
)
def test_a_code_takes_off_one_thing(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        code(**changes)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (" welcome10 ", "WELCOME10"),
        ("SUMMER-26", "SUMMER-26"),
        ("ab", None),
        ("x" * 41, None),
        ("WELCOME 10", None),
        ("w\N{LATIN SMALL LETTER DOTLESS I}lcome", None),
        ("", None),
        ("A#B", None),
    ],
)
def test_codes_as_riders_write_them(written: str, kept: str | None) -> None:
    assert discounts.normalised(written) == kept


# ── Payment ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({}, None),
        ({"state": OrderState.CANCELLED}, OrderClosed),
        ({"state": OrderState.COMPLETED, "payment_id": 3}, OrderClosed),
        ({"payment_id": 3}, OrderInPayment),
        ({"expires_at": NOW}, OrderClosed),
    ],
)
def test_what_can_be_paid(changes: dict[str, Any], refusal: type[DomainError] | None) -> None:
    if refusal is None:
        rules.check_payable(order(**changes), NOW)
        return
    with pytest.raises(refusal):
        rules.check_payable(order(**changes), NOW)
    assert rules.methods(order(**changes), 10**9, NOW) == ()


def test_what_an_order_can_be_paid_with() -> None:
    card, wallet, blik = PaymentMethod.CARD, PaymentMethod.WALLET, PaymentMethod.BLIK
    assert rules.methods(order(), 29_899, NOW) == (card,)
    assert rules.methods(order(), 29_900, NOW) == (card, wallet)
    assert rules.methods(order(kind=OrderKind.WALLET_DEPOSIT), 10**9, NOW) == (card,)
    assert rules.methods(order(currency="PLN"), 0, NOW) == (card, blik)
    assert rules.methods(order(OrderLine(name="Free", unit_price=0)), 0, NOW) == (wallet,)


# ── Money ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def moved(given_order: Order, worth: int = 0) -> list[tuple[str, AccountKind, AccountKind, int, int]]:
    found = rules.movements(given_order, PROVIDER, NOW, worth=worth)
    return [(each.id, each.source.kind, each.target.kind, each.target.holder_id, each.amount) for each in found]


def test_where_money_goes() -> None:
    provider, promotion, vouchers_of, wallet, revenue = (
        AccountKind.PROVIDER,
        AccountKind.PROMOTION,
        AccountKind.VOUCHERS,
        AccountKind.WALLET,
        AccountKind.REVENUE,
    )
    assert moved(order(kind=OrderKind.WALLET_DEPOSIT)) == [("order-1", provider, wallet, 42, 29_900)]
    assert moved(order(kind=OrderKind.SUBSCRIPTION)) == [("order-1", provider, revenue, 7, 29_900)]
    assert moved(order(kind=OrderKind.RENEWAL)) == [("order-1", provider, revenue, 7, 29_900)]
    assert moved(order(), worth=29_900) == [("order-1", provider, vouchers_of, 7, 29_900)]
    assert moved(order(), worth=30_000) == [
        ("order-1", provider, vouchers_of, 7, 29_900),
        ("order-1-promotion", promotion, vouchers_of, 7, 100),
    ]
    assert moved(order(), worth=29_000) == [
        ("order-1", provider, vouchers_of, 7, 29_000),
        ("order-1-fee", provider, revenue, 7, 900),
    ]


def test_what_costs_nothing_moves_nothing() -> None:
    free = order(OrderLine(name="Free", unit_price=0), kind=OrderKind.SUBSCRIPTION)
    assert moved(free) == []
    assert [each[0] for each in moved(order(OrderLine(name="Free", unit_price=0)), worth=100)] == ["order-1-promotion"]


@given(lines, st.integers(0, 10**8))
def test_gift_codes_are_covered_whatever_was_paid(given_lines: list[OrderLine], worth: int) -> None:
    found = rules.movements(order(*given_lines), PROVIDER, NOW, worth=worth)
    paid = sum(each.amount for each in found if each.source == PROVIDER)
    covered = sum(each.amount for each in found if each.target.kind is AccountKind.VOUCHERS)
    assert (paid, covered) == (order(*given_lines).total, worth)
    assert len({each.id for each in found}) == len(found)


# ── Gift codes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_gift_codes_as_people_write_them() -> None:
    made = vouchers.new_code()
    assert len(made) == 19
    name = vouchers.digest(made)
    assert name is not None
    assert made not in name
    loose = made.lower().replace("-", " ").replace("1", "l").replace("0", "o")
    assert vouchers.digest(f" {loose} ") == name


@pytest.mark.parametrize("written", ["", "0000", "U000-0000-0000-0000", "x" * 1000, "\N{SNOWMAN}" * 16])
def test_what_is_no_gift_code(written: str) -> None:
    assert vouchers.digest(written) is None


def test_no_two_gift_codes_are_alike() -> None:
    assert len({vouchers.new_code() for _ in range(2_000)}) == 2_000


@pytest.mark.parametrize(
    ("changes", "is_good"),
    [
        ({}, True),
        ({"valid_until": NOW + timedelta(seconds=1)}, True),
        ({"valid_until": NOW}, False),
        ({"state": VoucherState.REDEEMED}, False),
    ],
)
def test_when_a_gift_code_has_its_value(changes: dict[str, Any], is_good: bool) -> None:
    values = {"digest": "d", "client_id": 5, "network_id": 7, "order_id": 1, "currency": "NOK", "value": 1}
    voucher = Voucher.model_validate({**values, "issued_at": NOW, **changes})
    assert rules.is_redeemable(voucher, NOW) is is_good
