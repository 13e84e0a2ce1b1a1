"""Money that moves in any way and any order: none of it is made, and none is lost."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kickstand.kernel import clock, store
from kickstand.kernel.errors import Contention, DomainError
from kickstand.ledger import rules, service
from kickstand.ledger.errors import AlreadyPosted, InsufficientFunds
from kickstand.ledger.model import Account, AccountKind, Movement, Reason
from local.server import Tables

CURRENCIES: Final = ("NOK", "EUR")
HOUSE: Final = (AccountKind.PROVIDER, AccountKind.REVENUE, AccountKind.VOUCHERS, AccountKind.PROMOTION)
RIDERS: Final = 2
_numbers = count(1)

riders = st.integers(0, RIDERS - 1)
currencies = st.sampled_from(CURRENCIES)
amounts = st.integers(1, 1000)


class Books(RuleBasedStateMachine):
    """Two riders of a network, in two currencies, and beside the ledger a list of what it has to say."""

    @initialize()
    def open(self) -> None:
        self.patch = pytest.MonkeyPatch()
        now = clock.now()
        self.patch.setattr(rules, "FIRST_MONTH", (now.year, now.month))
        self.network = next(_numbers)
        self.first_rider = next(_numbers) * RIDERS + 10**6
        self.expected: Counter[Account] = Counter()
        self.posted: list[list[Movement]] = []

    # ── what riders and we do ───────────────────────────────────────────────────────────────────────────────────────

    @rule(rider=riders, currency=currencies, amount=amounts)
    def deposit(self, rider: int, currency: str, amount: int) -> None:
        self.post(self.move(self.house("provider", currency), self.wallet(rider, currency), amount))

    @rule(rider=riders, currency=currencies, amount=amounts)
    def pay_from_the_wallet(self, rider: int, currency: str, amount: int) -> None:
        self.post(self.move(self.wallet(rider, currency), self.house("revenue", currency), amount))

    @rule(rider=riders, currency=currencies, amount=amounts, share=st.integers(0, 100))
    def ride_and_pay_a_part(self, rider: int, currency: str, amount: int, share: int) -> None:
        paid = amount * share // 100
        movements = [self.move(self.debt(rider, currency), self.house("revenue", currency), amount)]
        if paid:
            movements.append(self.move(self.wallet(rider, currency), self.debt(rider, currency), paid))
        self.post(*movements)

    @rule(rider=riders, currency=currencies, amount=amounts)
    def settle(self, rider: int, currency: str, amount: int) -> None:
        self.post(self.move(self.house("provider", currency), self.debt(rider, currency), amount))

    @rule(rider=riders, currency=currencies, amount=amounts, to_card=st.booleans())
    def refund(self, rider: int, currency: str, amount: int, to_card: bool) -> None:
        target = self.house("provider", currency) if to_card else self.wallet(rider, currency)
        self.post(self.move(self.house("revenue", currency), target, amount))

    @rule(buyer=riders, rider=riders, currency=currencies, amount=amounts)
    def give_a_voucher(self, buyer: int, rider: int, currency: str, amount: int) -> None:
        self.post(self.move(self.wallet(buyer, currency), self.house("vouchers", currency), amount))
        if self.expected[self.house("vouchers", currency)] >= amount:
            redeemed = self.move(self.house("vouchers", currency), self.wallet(rider, currency), amount)
            self.post(redeemed)

    @rule(rider=riders, currency=currencies, amount=amounts)
    def promote(self, rider: int, currency: str, amount: int) -> None:
        self.post(self.move(self.house("promotion", currency), self.wallet(rider, currency), amount))

    @precondition(lambda self: self.posted)
    @rule(number=st.integers(0, 20))
    def repeat(self, number: int) -> None:
        movements = self.posted[-1 - number % len(self.posted)]
        later = [each.model_copy(update={"at": clock.now()}) for each in movements]
        with pytest.raises(AlreadyPosted):
            self.write(later)

    @rule(rider=riders, currency=currencies, amount=amounts, times=st.integers(2, 5))
    def pay_at_once_from_many_places(self, rider: int, currency: str, amount: int, times: int) -> None:
        wallet, revenue = self.wallet(rider, currency), self.house("revenue", currency)
        movements = [self.move(wallet, revenue, amount) for _ in range(times)]
        with ThreadPoolExecutor(times) as pool:
            done = list(pool.map(self.tried, movements))
        assert done.count(True) == min(times, self.expected[wallet] // amount)
        for movement, went in zip(movements, done, strict=True):
            if went:
                self.note([movement])

    # ── how ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def wallet(self, rider: int, currency: str) -> Account:
        return Account(kind=AccountKind.WALLET, holder_id=self.first_rider + rider, currency=currency)

    def debt(self, rider: int, currency: str) -> Account:
        return Account(kind=AccountKind.DEBT, holder_id=self.first_rider + rider, currency=currency)

    def house(self, kind: str, currency: str) -> Account:
        return Account(kind=AccountKind(kind), holder_id=self.network, currency=currency)

    def move(self, source: Account, target: Account, amount: int) -> Movement:
        return Movement(
            id=f"movement-{next(_numbers)}",
            source=source,
            target=target,
            amount=amount,
            reason=Reason.ORDER,
            document=1,
            at=clock.now(),
        )

    def post(self, *movements: Movement) -> None:
        """Post what can be; what cannot has to be refused, and for the right reason."""
        after = Counter(self.expected)
        after.update(self.sides(movements))
        refused: list[type[DomainError]] = []
        if any(amount < 0 for account, amount in after.items() if account.kind is AccountKind.WALLET):
            refused.append(InsufficientFunds)
        if any(amount > 0 for account, amount in after.items() if account.kind is AccountKind.DEBT):
            refused.append(Contention)
        if refused:
            with pytest.raises(tuple(refused)):
                self.write(movements)
        else:
            self.write(movements)
            self.note(movements)

    def tried(self, movement: Movement) -> bool:
        for _ in range(50):
            try:
                self.write([movement])
            except InsufficientFunds:
                return False
            except Contention:
                continue
            return True
        raise Contention

    @staticmethod
    def write(movements: Sequence[Movement]) -> None:
        store.begin()
        with store.Transaction() as tx:
            service.post(tx, movements)

    def note(self, movements: Sequence[Movement]) -> None:
        self.expected.update(self.sides(movements))
        self.posted.append(list(movements))

    @staticmethod
    def sides(movements: Sequence[Movement]) -> Counter[Account]:
        sums: Counter[Account] = Counter()
        for movement in movements:
            sums[movement.source] -= movement.amount
            sums[movement.target] += movement.amount
        return sums

    # ── what always holds ───────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def balances_are_their_entries_and_on_their_side_of_zero(self) -> None:
        if not hasattr(self, "expected"):
            return
        store.begin()
        kept = [self.wallet(r, c) for r in range(RIDERS) for c in CURRENCIES]
        kept += [self.debt(r, c) for r in range(RIDERS) for c in CURRENCIES]
        service.expect(*kept)
        for account in kept:
            balance = service.balance(account)
            assert balance == self.expected[account]
            assert balance >= 0 if account.kind is AccountKind.WALLET else balance <= 0
            assert balance == service.sum_of(account)

    def teardown(self) -> None:
        if not hasattr(self, "expected"):
            return
        riders_accounts = [account for account in self.expected if account.keeps_balance]
        for currency in CURRENCIES:
            houses = [self.house(kind, currency) for kind in HOUSE]
            sums = {account: service.sum_of(account) for account in houses}
            assert sums == {account: self.expected[account] for account in houses}
            riders_sum = sum(service.sum_of(each) for each in riders_accounts if each.currency == currency)
            assert sum(sums.values()) + riders_sum == 0
        for account in riders_accounts:
            assert service.verify(account) == []
        self.patch.undo()


@pytest.mark.parametrize("steps", [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_books(engine: Tables, steps: int) -> None:
    chosen: Any = settings(
        max_examples=steps // 50,
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=steps < 1000,
    )
    run_state_machine_as_test(Books, settings=chosen)
