"""What movements do to accounts, and where their entries are kept; pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from zlib import crc32

from kickstand.ledger.model import Account, Discrepancy, Entry, Fault, Movement

SHARDS: Final = 8
"""Over how many partitions a month of a house account is spread: good for some four thousand entries a second."""

FIRST_MONTH: Final = (2025, 1)
"""No identifier is older than this month, so no entry is."""


def entries_of(movement: Movement) -> tuple[Entry, Entry]:
    """The two sides of a movement: what is taken, and what is given."""
    return (
        _side(movement, movement.source, movement.target, -movement.amount),
        _side(movement, movement.target, movement.source, movement.amount),
    )


def changes(movements: Iterable[Movement]) -> dict[Account, int]:
    """What movements together do to each kept balance; balances that they leave as they are not included."""
    sums: dict[Account, int] = {}
    for movement in movements:
        for entry in entries_of(movement):
            if entry.account.keeps_balance:
                sums[entry.account] = sums.get(entry.account, 0) + entry.amount
    return {account: amount for account, amount in sums.items() if amount}


def name(account: Account) -> str:
    """The account in a key."""
    return f"{account.kind}#{account.holder_id}#{account.currency}"


def partition(account: Account, at: datetime, movement_id: str) -> str:
    """The partition of an entry.

    A rider's account is one partition. Everybody writes to a house account at once, so it has :data:`SHARDS` of them
    in every month.
    """
    if account.keeps_balance:
        return name(account)
    month = at.astimezone(UTC)
    return _shard(account, (month.year, month.month), crc32(movement_id.encode()) % SHARDS)


def months(until: datetime) -> Iterator[tuple[int, int]]:
    """All months that can have entries, the newest first."""
    last = until.astimezone(UTC)
    year, month = last.year, last.month
    while (year, month) >= FIRST_MONTH:
        yield year, month
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)


def partitions(account: Account, month: tuple[int, int]) -> list[str]:
    """All partitions of a month of a house account."""
    return [_shard(account, month, number) for number in range(SHARDS)]


def discrepancies(
    account: Account, kept: int | None, entries: Sequence[Entry], others: Sequence[Entry | None]
) -> list[Discrepancy]:
    """What does not agree in an account.

    Args:
        account: the account.
        kept: its kept balance, where it has one.
        entries: all of its entries.
        others: the other side of each entry's movement, ``None`` where there is none.
    """
    found = [
        Discrepancy(account=account, fault=Fault.ONE_SIDED, movement_id=entry.movement_id, amount=entry.amount)
        for entry, other in zip(entries, others, strict=True)
        if other is None or other.amount != -entry.amount
    ]
    total = sum(entry.amount for entry in entries)
    if kept is not None and kept != total:
        found.append(Discrepancy(account=account, fault=Fault.BALANCE, amount=kept - total))
    return found


def _shard(account: Account, month: tuple[int, int], number: int) -> str:
    return f"{name(account)}#{month[0]}-{month[1]:02d}#{number}"


def _side(movement: Movement, account: Account, other: Account, amount: int) -> Entry:
    return Entry(
        movement_id=movement.id,
        account=account,
        other=other,
        amount=amount,
        reason=movement.reason,
        document=movement.document,
        at=movement.at,
    )
