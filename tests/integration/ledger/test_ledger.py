"""Money moves between accounts: all of it, once, and never out of nothing."""

from datetime import timedelta

import pytest

from kickstand.kernel import clock, store
from kickstand.kernel.errors import Contention
from kickstand.ledger import service
from kickstand.ledger.errors import AlreadyPosted, InsufficientFunds
from kickstand.ledger.model import Account, AccountKind, Fault, Movement, Reason
from kickstand.ledger.store import BalanceItem, EntryItem

pytestmark = pytest.mark.usefixtures("aws")

NETWORK, RIDER = 1, 700


def wallet(rider_id: int = RIDER, currency: str = "NOK") -> Account:
    return Account(kind=AccountKind.WALLET, holder_id=rider_id, currency=currency)


def debt(rider_id: int = RIDER, currency: str = "NOK") -> Account:
    return Account(kind=AccountKind.DEBT, holder_id=rider_id, currency=currency)


def house(kind: AccountKind, currency: str = "NOK") -> Account:
    return Account(kind=kind, holder_id=NETWORK, currency=currency)


PROVIDER, REVENUE = house(AccountKind.PROVIDER), house(AccountKind.REVENUE)


def move(movement_id: str, source: Account, target: Account, amount: int) -> Movement:
    return Movement(
        id=movement_id,
        source=source,
        target=target,
        amount=amount,
        reason=Reason.ORDER,
        document=1,
        at=clock.now(),
    )


def post(*movements: Movement) -> None:
    store.begin()
    with store.Transaction() as tx:
        service.post(tx, movements)


def balance(account: Account) -> int:
    store.begin()
    return service.balance(account)


def test_what_is_taken_here_is_given_there() -> None:
    post(move("deposit-1", PROVIDER, wallet(), 5000))
    post(move("ride-1", wallet(), REVENUE, 1200))
    assert balance(wallet()) == 3800
    assert [service.sum_of(each) for each in (PROVIDER, wallet(), REVENUE)] == [-5000, 3800, 1200]
    assert [entry.amount for entry in service.entries(wallet(), 10)] == [-1200, 5000]
    assert service.entries(REVENUE, 10)[0].other == wallet()


def test_accounts_that_nobody_has_used_hold_nothing() -> None:
    assert balance(wallet()) == balance(debt()) == service.sum_of(wallet()) == 0
    assert service.movement("ride-1") is None


def test_a_wallet_does_not_go_below_zero() -> None:
    with pytest.raises(InsufficientFunds):
        post(move("ride-1", wallet(), REVENUE, 1))
    post(move("deposit-1", PROVIDER, wallet(), 1000))
    with pytest.raises(InsufficientFunds):
        post(move("ride-1", wallet(), REVENUE, 1001))
    post(move("ride-1", wallet(), REVENUE, 1000))
    assert balance(wallet()) == 0


def test_a_debt_does_not_go_above_zero() -> None:
    with pytest.raises(Contention):
        post(move("settlement-1", PROVIDER, debt(), 1))
    post(move("ride-1", debt(), REVENUE, 700))
    assert balance(debt()) == -700
    with pytest.raises(Contention):
        post(move("settlement-1", PROVIDER, debt(), 701))
    post(move("settlement-1", PROVIDER, debt(), 700))
    assert balance(debt()) == 0


def test_what_has_been_posted_is_not_posted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    post(move("deposit-1", PROVIDER, wallet(), 1000))
    later = clock.now() + timedelta(days=40)
    monkeypatch.setattr(clock, "now", lambda: later)
    for repeated in (
        move("deposit-1", PROVIDER, wallet(), 1000),
        move("deposit-1", PROVIDER, wallet(701), 1000),
        move("deposit-1", house(AccountKind.PROMOTION), wallet(), 5),
    ):
        with pytest.raises(AlreadyPosted):
            post(repeated)
    assert balance(wallet()) == 1000
    assert (found := service.movement("deposit-1"))
    assert found.amount == 1000


def test_movements_of_one_transaction_are_netted() -> None:
    post(move("deposit-1", PROVIDER, wallet(), 700), move("ride-1", wallet(), REVENUE, 700))
    assert balance(wallet()) == 0
    post(
        move("ride-2", debt(), REVENUE, 900),
        move("deposit-2", PROVIDER, wallet(), 500),
        move("settlement-2", wallet(), debt(), 400),
    )
    assert (balance(wallet()), balance(debt())) == (100, -500)
    assert len(service.entries(wallet(), 10)) == 4


def test_one_movement_that_cannot_be_stops_all() -> None:
    with pytest.raises(InsufficientFunds):
        post(move("deposit-1", PROVIDER, wallet(), 700), move("ride-1", wallet(701), REVENUE, 1))
    assert balance(wallet()) == 0
    assert service.entries(PROVIDER, 1) == []
    assert service.movement("deposit-1") is None


def test_every_currency_has_an_account_of_its_own() -> None:
    post(move("deposit-1", PROVIDER, wallet(), 700))
    provider = house(AccountKind.PROVIDER, "GBP")
    post(move("deposit-2", provider, wallet(currency="GBP"), 30))
    with pytest.raises(InsufficientFunds):
        post(move("ride-1", wallet(currency="GBP"), house(AccountKind.REVENUE, "GBP"), 31))
    assert (balance(wallet()), balance(wallet(currency="GBP"))) == (700, 30)
    assert (service.sum_of(PROVIDER), service.sum_of(provider)) == (-700, -30)


def test_the_entries_of_a_house_account_are_found_wherever_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    start = clock.now()
    for number in range(40):
        moment = start + timedelta(days=number * 10)
        monkeypatch.setattr(clock, "now", lambda moment=moment: moment)
        post(move(f"deposit-{number}", PROVIDER, wallet(), number + 1))
    assert len({item.pk for item in EntryItem.scan() if item.pk.startswith("ACCOUNT#provider")}) > 13
    assert service.sum_of(PROVIDER) == -sum(range(1, 41))
    assert [-entry.amount for entry in service.entries(PROVIDER, 12)] == list(range(40, 28, -1))
    assert len(service.entries(PROVIDER, 100)) == 40
    assert [entry.amount for entry in service.entries(wallet(), 3)] == [40, 39, 38]


def test_a_house_account_keeps_no_balance() -> None:
    with pytest.raises(ValueError, match="keeps no balance"):
        balance(REVENUE)


def test_what_agrees_is_found_to_agree() -> None:
    post(move("deposit-1", PROVIDER, wallet(), 700), move("ride-1", wallet(), REVENUE, 300))
    assert service.verify(wallet()) == service.verify(PROVIDER) == service.verify(debt()) == []


def test_what_does_not_agree_is_found() -> None:
    post(move("deposit-1", PROVIDER, wallet(), 700))
    store.change(BalanceItem.key(wallet()), [BalanceItem.amount.set(705)])
    (off,) = service.verify(wallet())
    assert (off.fault, off.amount) == (Fault.BALANCE, 5)
    (entry,) = service.entries(PROVIDER, 1)
    with store.Transaction() as tx:
        tx.delete(EntryItem.key_of(entry))
    assert {each.fault for each in service.verify(wallet())} == {Fault.BALANCE, Fault.ONE_SIDED}
