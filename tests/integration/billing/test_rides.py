"""Riders who pay for riding: from the wallet, from what is held, by card; and what they owe where none gets on."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from kickstand.billing import invoices, rides, rules, service
from kickstand.billing.model import Charge, ChargeState, Debt, Debts, Invoice, InvoiceState, RideHold, Subject
from kickstand.billing.store import ChargeItem, DebtsItem, RideHoldItem
from kickstand.fleet import service as fleet
from kickstand.identity.errors import RiderInDebt
from kickstand.identity.model import ExternalUser
from kickstand.kernel import store
from kickstand.ledger import service as ledger
from kickstand.ledger.model import Account, AccountKind
from kickstand.payments import holds
from kickstand.payments.model import PaymentState
from kickstand.payments.provider import ProviderUnreachable
from kickstand.pricing.model import Fare
from kickstand.rental import service as rentals
from kickstand.rental.model import Rental, ReservationState
from local.server import Tables
from tests.support.bank import Fault, Plastic
from tests.support.capacity import measured
from tests.support.rides import TOTAL, Payers, balances, debts, invoice, invoices_of, is_barred, payments
from tests.support.world import Crash, Dying

HELD = 3_000


@pytest.fixture
def payers(engine: Tables, monkeypatch: pytest.MonkeyPatch) -> Payers:
    return Payers(monkeypatch)


def earned(payers: Payers) -> int:
    store.begin()
    return ledger.sum_of(Account(kind=AccountKind.REVENUE, holder_id=payers.city.network_id, currency="NOK"))


def starts(payers: Payers, user: ExternalUser) -> Rental:
    store.begin()
    return rentals.start_for(payers.client, payers.name_of(user), payers.city.vehicle().id)


# ── Wallet and card ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_wallet_that_suffices_pays_at_once(payers: Payers) -> None:
    user, before = payers.user(wallet=10_000), earned(payers)
    rental = payers.rental(user)
    made = payers.charge(rental)
    assert made is not None
    assert (made.total, made.paid, made.state, made.due) == (TOTAL, TOTAL, InvoiceState.PAID, 0)
    assert (made.subject, made.subject_id, made.payment_id) == (Subject.RENTAL, rental.id, None)
    charge = service.charge_of(rental.id)
    assert charge is not None
    assert (charge.state, charge.invoice_id) == (ChargeState.DUE, made.id)
    assert balances(user) == (10_000 - TOTAL, 0)
    assert earned(payers) - before == TOTAL
    assert (payments(user), debts(user)) == ([], None)


def test_what_the_wallet_has_paid_says_when(payers: Payers) -> None:
    made = payers.charge(payers.rental(payers.user(wallet=10_000)))
    assert made is not None
    assert made.paid_at == made.recorded_at
    assert "Paid on " in rules.invoice_document(made, "1-2026-000001", fleet.network(made.network_id), None).standing


def test_the_card_pays_what_the_wallet_does_not_hold(payers: Payers) -> None:
    user = payers.user(Plastic.GOOD, wallet=1_000)
    made = payers.charge(payers.rental(user))
    assert made is not None
    assert (made.paid, made.due, made.state) == (1_000, TOTAL - 1_000, InvoiceState.OPEN)
    (intent,) = payments(user)
    assert (intent.amount, intent.off_session, intent.id) == (TOTAL - 1_000, True, made.payment_id)
    assert balances(user) == (0, 1_000 - TOTAL)
    assert not is_barred(payers, user)  # nothing has gone wrong yet: the next ride may begin
    assert payers.bank.calls.count("create_intent") == 0  # the ride has waited for no bank
    (intent,) = payers.follow(user)
    assert (intent.state, intent.captured) == (PaymentState.SUCCEEDED, TOTAL - 1_000)
    assert invoice(made.id, user.rider_id).state is InvoiceState.PAID
    assert balances(user) == (0, 0)
    owed = debts(user)
    assert owed is not None
    assert owed.debts == ()


def test_money_of_another_currency_pays_nothing(payers: Payers) -> None:
    user = payers.user(wallet=10_000, currency="EUR")
    made = payers.charge(payers.rental(user))
    assert made is not None
    assert (made.paid, made.due) == (0, TOTAL)
    assert balances(user, "EUR") == (10_000, 0)


def test_a_wallet_that_is_emptied_meanwhile_is_looked_at_again(payers: Payers, monkeypatch: pytest.MonkeyPatch) -> None:
    user, known = payers.user(Plastic.GOOD, wallet=500), ledger.balance
    looks = iter([2_000])
    monkeypatch.setattr(ledger, "balance", lambda account: next(looks, None) or known(account))
    made = payers.charge(payers.rental(user))
    assert made is not None
    assert made.paid == 500
    assert [each.amount for each in payments(user)] == [TOTAL - 500]


def test_a_free_ride_is_only_recorded(payers: Payers) -> None:
    user = payers.user(Plastic.GOOD, wallet=1_000)
    rental = payers.rental(user, minutes=1)
    assert payers.charge(rental) is None
    charge = service.charge_of(rental.id)
    assert charge is not None
    assert charge.state is ChargeState.NOTHING_DUE
    assert (invoices_of(user), payments(user), balances(user)) == ([], [], (1_000, 0))


def test_a_partner_who_pays_us_itself_is_only_recorded(payers: Payers) -> None:
    user = payers.user(Plastic.GOOD, wallet=1_000)
    rental = payers.rental(user, rider_pays=False)
    assert payers.charge(rental) is None
    charge = service.charge_of(rental.id)
    assert charge is not None
    assert (charge.state, charge.invoice_id) == (ChargeState.DUE, None)
    assert (invoices_of(user), payments(user), balances(user)) == ([], [], (1_000, 0))


def test_a_ride_is_charged_once(payers: Payers) -> None:
    user = payers.user(Plastic.GOOD, wallet=1_000)
    rental = payers.rental(user)
    assert payers.charge(rental) == payers.charge(rental)
    assert len(invoices_of(user)) == len(payments(user)) == 1
    assert balances(user) == (0, 1_000 - TOTAL)


# ── Debts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_declined_card_leaves_a_debt_until_a_new_card_pays_it(payers: Payers) -> None:
    user = payers.user(Plastic.DECLINED)
    made = payers.charge(payers.rental(user))
    assert made is not None
    (failed,) = payers.follow(user)
    assert failed.state is PaymentState.FAILED
    made = invoice(made.id, user.rider_id)
    assert (made.state, made.due, made.payment_id) == (InvoiceState.OPEN, TOTAL, None)
    assert balances(user) == (0, -TOTAL)
    assert is_barred(payers, user)
    with pytest.raises(RiderInDebt):
        starts(payers, user)
    payers.bank.give_card(user.rider_id)
    rides.collect(user.rider_id)  # only what nobody has tried
    assert len(payments(user)) == 1
    for _ in range(2):
        store.begin()
        rides.collect(user.rider_id, rides.WITH_NEW_CARD)
    assert [each.state for each in payers.follow(user)] == [PaymentState.FAILED, PaymentState.SUCCEEDED]
    assert invoice(made.id, user.rider_id).state is InvoiceState.PAID
    assert balances(user) == (0, 0)
    assert not is_barred(payers, user)
    assert starts(payers, user).rider_id == user.rider_id


def test_a_bank_that_wants_the_rider_bars_until_the_rider_has_confirmed(payers: Payers) -> None:
    user = payers.user(Plastic.PROVED)
    made = payers.charge(payers.rental(user))
    assert made is not None
    (waiting,) = payers.follow(user)
    assert waiting.state is PaymentState.REQUIRES_ACTION
    assert is_barred(payers, user)
    store.begin()
    rides.collect(user.rider_id, rides.WITH_NEW_CARD)  # one payment at a time
    assert len(payments(user)) == 1
    payers.bank.prove(waiting.ref or "")
    (done,) = payers.follow(user)
    assert done.state is PaymentState.SUCCEEDED
    assert invoice(made.id, user.rider_id).state is InvoiceState.PAID
    assert not is_barred(payers, user)


@pytest.mark.parametrize("late", [False, True])
def test_who_does_not_confirm_stays_in_debt(payers: Payers, late: bool) -> None:
    user = payers.user(Plastic.PROVED)
    payers.charge(payers.rental(user))
    (waiting,) = payers.follow(user)
    if late:
        payers.advance(days=8)
    else:
        payers.bank.prove(waiting.ref or "", ok=False)
    (over,) = payers.follow(user)
    assert over.state in {PaymentState.FAILED, PaymentState.CANCELLED}
    assert is_barred(payers, user)
    assert balances(user) == (0, -TOTAL)


def test_without_a_card_a_ride_is_overdue_at_once(payers: Payers) -> None:
    user = payers.user(wallet=375)
    made = payers.charge(payers.rental(user))
    assert made is not None
    assert (payments(user), made.due) == ([], TOTAL - 375)
    owed = debts(user)
    assert owed is not None
    assert owed.debts == (Debt(invoice_id=made.id, currency="NOK", overdue=True),)
    assert owed.event is not None
    assert owed.event.name == "DebtOverdue"
    assert rides.unpayable(owed, owed.event) == made
    assert is_barred(payers, user)


def test_a_deposit_pays_the_oldest_debt_first(payers: Payers) -> None:
    user = payers.user()
    first, second = payers.charge(payers.rental(user)), payers.charge(payers.rental(user))
    assert first is not None
    assert second is not None
    payers.deposit(user, TOTAL + 1_000)
    for _ in range(2):
        store.begin()
        rides.collect(user.rider_id, rides.FROM_WALLET)
    assert invoice(first.id, user.rider_id).state is InvoiceState.PAID
    assert invoice(second.id, user.rider_id).due == TOTAL - 1_000
    assert balances(user) == (0, 1_000 - TOTAL)
    assert is_barred(payers, user)
    payers.deposit(user, TOTAL)
    store.begin()
    rides.collect(user.rider_id, rides.FROM_WALLET)
    assert balances(user) == (1_000, 0)
    assert not is_barred(payers, user)


def test_news_that_are_old_are_not_told(payers: Payers) -> None:
    user = payers.user(Plastic.PROVED)
    made = payers.charge(payers.rental(user))
    (waiting,) = payers.follow(user)
    store.begin()
    assert rides.troubled(waiting, waiting.event) == made
    payers.bank.prove(waiting.ref or "")
    (done,) = payers.follow(user)
    store.begin()
    assert rides.troubled(waiting, waiting.event) is None
    assert rides.troubled(done, done.event) is None
    without = payers.user()
    payers.charge(payers.rental(without))
    owed = debts(without)
    assert owed is not None
    assert owed.event is not None
    payers.bank.give_card(without.rider_id)
    rides.collect(without.rider_id, rides.WITH_NEW_CARD)
    store.begin()
    assert rides.unpayable(owed, owed.event) is None


# ── Holds ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def secured(payers: Payers, user: ExternalUser, **changes: Any) -> Rental:
    """A ride that has ended, for which an amount was to be held when it began."""
    payers.holding(HELD)
    rental = payers.rental(user, **changes)
    assert rides.secure(rental) is not None
    store.begin()
    assert rides.secure(rental) is not None
    (hold,) = payments(user)
    assert (hold.hold, hold.amount, hold.off_session, hold.to_capture) == (True, HELD, True, None)
    return rental


def test_what_is_held_is_captured_and_the_rest_charged(payers: Payers) -> None:
    user = payers.user(Plastic.GOOD, wallet=375)
    rental = secured(payers, user)
    (hold,) = payers.follow(user)
    assert hold.state is PaymentState.HELD
    made = payers.charge(rental)
    assert made is not None
    assert made.payment_id == hold.id
    captured, rest = payers.follow(user)
    assert (captured.captured, rest.captured) == (HELD, TOTAL - 375 - HELD)
    assert invoice(made.id, user.rider_id).state is InvoiceState.PAID
    assert balances(user) == (0, 0)
    assert payers.bank.held() == 0


def test_of_what_is_held_no_more_is_taken_than_the_ride_costs(payers: Payers) -> None:
    user = payers.user(Plastic.GOOD, wallet=TOTAL - 1_200)
    rental = secured(payers, user)
    payers.follow(user)
    made = payers.charge(rental)
    assert made is not None
    (hold,) = payers.follow(user)
    assert (hold.state, hold.captured) == (PaymentState.SUCCEEDED, 1_200)
    assert invoice(made.id, user.rider_id).state is InvoiceState.PAID


@pytest.mark.parametrize("free", [True, False])
def test_what_is_not_needed_is_released(payers: Payers, free: bool) -> None:
    user = payers.user(Plastic.GOOD, wallet=0 if free else TOTAL)
    rental = secured(payers, user, minutes=1 if free else 10)
    payers.follow(user)
    payers.charge(rental)
    (hold,) = payers.follow(user)
    assert (hold.state, hold.captured, payers.bank.held()) == (PaymentState.RELEASED, 0, 0)


def test_a_hold_that_comes_after_the_end_still_pays(payers: Payers) -> None:
    user = payers.user(Plastic.GOOD)
    rental = secured(payers, user)
    made = payers.charge(rental)  # nobody has asked the bank yet
    assert made is not None
    captured, rest = payers.follow(user)
    assert (captured.captured, rest.captured) == (HELD, TOTAL - HELD)
    assert payers.bank.money("NOK") == TOTAL


@pytest.mark.parametrize("plastic", [Plastic.DECLINED, Plastic.PROVED])
@pytest.mark.parametrize("asked", [True, False])
def test_where_nothing_can_be_held_the_ride_is_charged_anew(payers: Payers, plastic: Plastic, asked: bool) -> None:
    user = payers.user(plastic)
    rental = secured(payers, user)
    if asked:
        payers.follow(user)
    payers.bank.give_card(user.rider_id)
    made = payers.charge(rental)
    assert made is not None
    over = payers.follow(user)
    assert over[0].captured == 0
    assert [each.captured for each in over[1:]] == [TOTAL]
    assert invoice(made.id, user.rider_id).state is InvoiceState.PAID


def test_a_hold_that_the_bank_has_given_back_is_charged_anew(payers: Payers) -> None:
    user = payers.user(Plastic.GOOD)
    rental = secured(payers, user)
    payers.follow(user)
    payers.advance(days=8)
    made = payers.charge(rental)
    assert made is not None
    expired, charged = payers.follow(user)
    assert (expired.state, charged.captured) == (PaymentState.EXPIRED, TOTAL)
    assert balances(user) == (0, 0)


def test_a_renewed_hold_pays(payers: Payers) -> None:
    user = payers.user(Plastic.GOOD)
    rental = secured(payers, user)
    payers.follow(user)
    payers.advance(days=6, hours=6)
    payers.follow(user)
    first, second = payments(user)
    assert first.replaced_by == second.id
    payers.advance(days=6)
    assert payers.charge(rental) is not None
    first, second, rest = payers.follow(user)
    assert (first.captured, second.captured, rest.captured) == (0, HELD, TOTAL - HELD)


def test_nothing_is_held_where_nothing_is_to_be(payers: Payers) -> None:
    user = payers.user(Plastic.GOOD)
    rental = payers.rental(user)
    assert rides.secure(rental) is None  # the network wants nothing
    payers.holding(HELD)
    assert rides.secure(payers.rental(user, rider_pays=False)) is None
    assert rides.secure(payers.rental(payers.user())) is None  # no card
    payers.charge(rental)
    assert rides.secure(rental) is None  # it has been charged
    assert [each.hold for each in payments(user)] == [False]


def test_a_hold_and_a_charge_at_the_same_moment_know_of_each_other(
    payers: Payers, monkeypatch: pytest.MonkeyPatch
) -> None:
    payers.holding(HELD)
    user = payers.user(Plastic.GOOD)
    rental, place = payers.rental(user), holds.place

    def meanwhile(tx: store.Transaction, **terms: Any) -> Any:
        monkeypatch.setattr(holds, "place", place)
        payers.charge(rental)
        return place(tx, **terms)

    monkeypatch.setattr(holds, "place", meanwhile)
    with pytest.raises(store.Contention):
        rides.secure(rental)
    store.begin()
    assert rides.secure(rental) is None
    assert [each.hold for each in payments(user)] == [False]


def test_a_charge_knows_of_a_hold_that_was_decided_in_the_same_moment(
    payers: Payers, monkeypatch: pytest.MonkeyPatch
) -> None:
    payers.holding(HELD)
    user = payers.user(Plastic.GOOD)
    rental, create = payers.rental(user), invoices.create

    def meanwhile(tx: store.Transaction, invoice: Invoice) -> None:
        monkeypatch.setattr(invoices, "create", create)
        assert rides.secure(rental) is not None
        create(tx, invoice)

    monkeypatch.setattr(invoices, "create", meanwhile)
    payers.charge(rental)
    (hold,) = payments(user)
    assert hold.hold
    assert hold.to_capture == HELD


# ── Reservations ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reservation_is_charged_once(payers: Payers) -> None:
    user = payers.user(Plastic.GOOD, wallet=500)
    over = payers.reservation(user)
    for _ in range(2):
        store.begin()
        charge = rides.charge_reservation(over)
        assert charge is not None
        assert (charge.subject, charge.fare.total) == (Subject.RESERVATION, 1_500)
    (made,) = invoices_of(user)
    assert (made.subject, made.subject_id, made.paid, made.due) == (Subject.RESERVATION, over.id, 500, 1_000)
    assert service.charge_of(over.id) is None  # that would be a rental's
    payers.follow(user)
    assert balances(user) == (0, 0)


def test_a_partner_pays_for_reservations_too(payers: Payers) -> None:
    user = payers.user(wallet=500)
    over = payers.reservation(user, rider_pays=False)
    first = rides.charge_reservation(over)
    store.begin()
    assert first is not None
    assert rides.charge_reservation(over) == first == service.charge_of(over.id, Subject.RESERVATION)
    assert (invoices_of(user), balances(user)) == ([], (500, 0))


def test_what_is_free_or_not_over_is_not_charged(payers: Payers) -> None:
    user = payers.user()
    for changes in (
        {"state": ReservationState.ACTIVE},
        {"fare": None},
        {"fare": Fare(currency="NOK")},
    ):
        store.begin()
        assert rides.charge_reservation(payers.reservation(user, **changes)) is None


def test_rides_of_one_rider_that_are_charged_at_once(payers: Payers) -> None:
    user = payers.user(wallet=2 * TOTAL + 100)
    over = [payers.rental(user) for _ in range(3)]

    def charge(rental: Rental) -> None:
        store.begin()
        for _ in range(20):  # the workflow's patience
            with suppress(store.Contention):
                rides.charge_rental(rental)
                return
            store.begin()
        raise AssertionError("it is never charged")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(charge, [*over, *over]))
    made = invoices_of(user)
    assert sorted(each.subject_id for each in made) == sorted(each.id for each in over)
    assert sum(each.paid for each in made) == 2 * TOTAL + 100
    assert balances(user) == (0, 100 - TOTAL)
    owed = debts(user)
    assert owed is not None
    assert {each.invoice_id for each in owed.debts} == {each.id for each in made if each.due}
    assert is_barred(payers, user)


# ── Crashes and lost answers ─────────────────────────────────────────────────────────────────────────────────────────


def life(payers: Payers, dying: Dying) -> dict[str, Any]:
    """A ride that is held for, charged and paid, each step again until it succeeds, and what is known afterwards."""
    user = payers.user(Plastic.GOOD, wallet=375)
    payers.holding(HELD)
    rental = payers.rental(user)
    before = payers.bank.money("NOK")

    def insist(step: Any) -> None:
        for _ in range(20):
            store.begin()
            try:
                step()
            except Crash:
                continue
            return
        raise AssertionError("it never succeeds")

    with dying:
        insist(lambda: rides.secure(rental))
        insist(lambda: payers.follow(user))
        insist(lambda: rides.charge_rental(rental))
        insist(lambda: payers.follow(user))
    (made,) = invoices_of(user)
    return {
        "invoice": (made.state, made.paid, made.payment_id),
        "balances": balances(user),
        "payments": [(each.state, each.captured) for each in payments(user)],
        "taken": payers.bank.money("NOK") - before,
        "held": payers.bank.held(),
        "barred": is_barred(payers, user),
    }


def test_dying_after_any_write_changes_nothing_in_the_end(payers: Payers) -> None:
    counting = Dying()
    expected = life(payers, counting)
    assert expected["taken"] == TOTAL - 375
    assert counting.writes > 5
    for at in range(1, counting.writes + 1):
        assert life(payers, Dying(at)) == expected, f"after write {at} of {counting.writes}"


@pytest.mark.parametrize("fault", list(Fault))
def test_a_provider_that_is_not_heard_changes_nothing_in_the_end(payers: Payers, fault: Fault) -> None:
    user = payers.user(Plastic.GOOD)
    made = payers.charge(payers.rental(user))
    assert made is not None
    payers.bank.fail(fault)
    with pytest.raises(ProviderUnreachable):
        payers.follow(user)
    assert [each.captured for each in payers.follow(user)] == [TOTAL]
    assert invoice(made.id, user.rider_id).state is InvoiceState.PAID
    assert payers.bank.money("NOK") == TOTAL


# ── What it costs, and what is kept ──────────────────────────────────────────────────────────────────────────────────


def test_capacity(payers: Payers) -> None:
    user = payers.user(Plastic.GOOD, wallet=375)
    payers.holding(HELD)
    rental = payers.rental(user)
    store.begin()
    with measured() as holding:
        rides.secure(rental)
    assert (holding.calls, holding.read_units, holding.write_units) == (["BatchGetItem", "TransactWriteItems"], 3, 7)
    store.begin()
    with measured() as charging:
        rides.charge_rental(rental)
    assert charging.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    assert charging.read_units == 7
    assert charging.write_units == 26  # two of them move the hold on the agenda
    without = payers.rental(payers.user(Plastic.GOOD, wallet=375))
    store.begin()
    with measured() as charging:
        rides.charge_rental(without)
    assert charging.calls == ["BatchGetItem", "TransactWriteItems"]
    poor = payers.user()
    payers.charge(payers.rental(poor))
    payers.deposit(poor, 10_000)
    store.begin()
    with measured() as collecting:
        rides.collect(poor.rider_id, rides.FROM_WALLET)
    assert collecting.calls[:3] == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    store.begin()
    with measured() as finding_nothing:
        rides.collect(poor.rider_id, rides.FROM_WALLET)
    assert finding_nothing.calls == ["BatchGetItem"]
    partner = payers.rental(user, rider_pays=False)
    store.begin()
    with measured() as recording:
        rides.charge_rental(partner)
    assert (recording.calls, recording.write_units) == (["PutItem"], 1)


def test_a_charge_of_before_there_were_subjects_reads_as_a_rental_s(payers: Payers) -> None:
    rental = payers.rental(payers.user(), rider_pays=False)
    payers.charge(rental)
    raw = ChargeItem.of(rides.charge_rental(rental)).to_dynamodb_dict()
    for name in ("subject", "invoice_id"):
        raw.pop(name, None)
    old = ChargeItem.from_raw_data(raw).entity
    assert (old.subject, old.invoice_id, old.rental_public_id) == (Subject.RENTAL, None, rental.public_id)


@pytest.mark.parametrize(("item", "entity"), [(ChargeItem, Charge), (DebtsItem, Debts), (RideHoldItem, RideHold)])
def test_the_items_hold_every_field(item: Any, entity: Any) -> None:
    assert set(item.get_attributes()) >= set(entity.model_fields)
