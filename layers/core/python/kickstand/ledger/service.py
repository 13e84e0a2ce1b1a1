"""Use cases about money on accounts."""

from collections.abc import Sequence

from kickstand.kernel import clock
from kickstand.kernel import store as kernel
from kickstand.ledger import rules, store
from kickstand.ledger.model import Account, Discrepancy, Entry, Movement


def post(tx: kernel.Transaction, movements: Sequence[Movement]) -> None:
    """Let money move in a transaction: all of ``movements``, or nothing of the transaction.

    A transaction writes each balance once, so this is called once for all that a transaction moves; what several
    movements do to one balance is netted. A movement costs three writes, and one more for every balance it changes.

    The transaction raises:
        AlreadyPosted: a movement of the same id has been posted.
        InsufficientFunds: a wallet would go below zero.
        Contention: a debt would go above zero: somebody else has paid of it.
    """
    for movement in movements:
        store.post(tx, movement)
    for account, amount in rules.changes(movements).items():
        store.change(tx, account, amount)


def expect(*accounts: Account) -> None:
    """Announce that the balances of riders' accounts will be needed."""
    kernel.expect(*(store.BalanceItem.key(account) for account in accounts))


def balance(account: Account) -> int:
    """What a rider's account holds, in minor units; 0 where nothing has moved yet.

    Raises:
        ValueError: a house account keeps no balance; see :func:`sum_of`.
    """
    if not account.keeps_balance:
        raise ValueError("a house account keeps no balance")
    item = kernel.load(store.BalanceItem.key(account))
    return item.amount if item else 0


def sum_of(account: Account) -> int:
    """What all entries of an account add up to, in minor units.

    For statements and reconciliation, not for requests: it reads every entry, about 13 for a read unit and 3,500 for a
    round trip; for a house account in eight partitions for every month since 2025.
    """
    return sum(entry.amount for entry in _all_entries(account))


def entries(account: Account, limit: int) -> list[Entry]:
    """The latest entries of an account, newest first; one query, for a house account eight for each month looked at."""
    if account.keeps_balance:
        return store.entries_in(rules.name(account), limit=limit)
    found: list[Entry] = []
    for month in rules.months(clock.now()):
        found += store.newest(rules.partitions(account, month), limit - len(found))
        if len(found) >= limit:
            break
    return found


def movement(movement_id: str) -> Movement | None:
    """What has been posted under an id."""
    item = kernel.load(store.MovementItem.key(movement_id))
    return item.entity if item else None


def verify(account: Account) -> list[Discrepancy]:
    """What does not agree in an account: nothing, as long as nobody but :func:`post` has written.

    The kept balance has to be the sum of the entries, and every entry the opposite of its movement's other one. It
    costs as much as :func:`sum_of`, and a read unit for every entry.

    Raises:
        Contention: money kept moving all the time.
    """

    def look() -> list[Discrepancy]:
        kernel.forget()
        before = balance(account) if account.keeps_balance else None
        found = _all_entries(account)
        kernel.forget()
        if account.keeps_balance and balance(account) != before:
            raise kernel.Contention
        return rules.discrepancies(account, before, found, store.others(found))

    return kernel.again(look)


def _all_entries(account: Account) -> list[Entry]:
    if account.keeps_balance:
        return store.entries_in(rules.name(account))
    return [
        entry
        for month in rules.months(clock.now())
        for partition in rules.partitions(account, month)
        for entry in store.entries_in(partition)
    ]
