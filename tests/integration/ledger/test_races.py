"""Many at one account at the same moment; and what posting costs, as the engine counts it."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier
from typing import Final

import pytest

from kickstand.kernel import clock, store
from kickstand.kernel.errors import Contention, DomainError
from kickstand.ledger import service
from kickstand.ledger.errors import AlreadyPosted, InsufficientFunds
from kickstand.ledger.model import Account, AccountKind, Movement, Reason
from local.server import Tables
from tests.support.capacity import measured

pytestmark = pytest.mark.usefixtures("engine")

_riders = count(1)
PROVIDER: Final = Account(kind=AccountKind.PROVIDER, holder_id=1, currency="NOK")
REVENUE: Final = Account(kind=AccountKind.REVENUE, holder_id=1, currency="NOK")


def account(kind: AccountKind) -> Account:
    return Account(kind=kind, holder_id=next(_riders), currency="NOK")


def post(movement_id: str, source: Account, target: Account, amount: int) -> None:
    store.begin()
    with store.Transaction() as tx:
        service.post(
            tx,
            [
                Movement(
                    id=movement_id,
                    source=source,
                    target=target,
                    amount=amount,
                    reason=Reason.ORDER,
                    document=1,
                    at=clock.now(),
                )
            ],
        )


def race(attempt: Callable[[int], None], runners: int = 32) -> Counter[type[DomainError] | None]:
    start = Barrier(runners)

    def run(number: int) -> type[DomainError] | None:
        start.wait()
        for _ in range(50):
            try:
                attempt(number)
            except Contention:
                continue
            except DomainError as error:
                return type(error)
            return None
        raise Contention

    with ThreadPoolExecutor(runners) as pool:
        return Counter(pool.map(run, range(runners)))


def balance(of: Account) -> int:
    store.begin()
    return service.balance(of)


def test_a_wallet_that_covers_five_rides_pays_for_five() -> None:
    wallet = account(AccountKind.WALLET)
    post(f"deposit-{wallet.holder_id}", PROVIDER, wallet, 599)
    outcome = race(lambda number: post(f"ride-{wallet.holder_id}-{number}", wallet, REVENUE, 100))
    assert outcome == {None: 5, InsufficientFunds: 27}
    assert balance(wallet) == 99
    assert service.verify(wallet) == []


def test_a_movement_that_everybody_repeats_is_posted_once() -> None:
    wallet = account(AccountKind.WALLET)
    outcome = race(lambda _: post(f"deposit-{wallet.holder_id}", PROVIDER, wallet, 500))
    assert outcome == {None: 1, AlreadyPosted: 31}
    assert balance(wallet) == service.sum_of(wallet) == 500


def test_a_debt_is_paid_once_whoever_pays_it() -> None:
    debt = account(AccountKind.DEBT)
    post(f"ride-{debt.holder_id}", debt, REVENUE, 300)

    def pay(number: int) -> None:
        if balance(debt) == 0:
            raise InsufficientFunds
        post(f"settlement-{debt.holder_id}-{number}", PROVIDER, debt, 300)

    assert race(pay) == {None: 1, InsufficientFunds: 31}
    assert balance(debt) == 0


def test_posting_costs_three_writes_for_a_movement_and_one_for_a_balance(engine: Tables) -> None:
    wallet = account(AccountKind.WALLET)
    with measured() as usage:
        post(f"deposit-{wallet.holder_id}", PROVIDER, wallet, 700)
    assert usage.calls == ["TransactWriteItems"]
    assert usage.write_units == 2 * 4
    with measured() as usage:
        store.begin()
        service.expect(wallet, account(AccountKind.DEBT))
        assert service.balance(wallet) == 700
    assert usage.calls == ["BatchGetItem"]
