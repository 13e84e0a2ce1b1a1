"""Items of the ledger table: balances, entries, and the movements that they belong to."""

from datetime import datetime
from heapq import merge
from itertools import islice

from kickstand.kernel.errors import Contention
from kickstand.kernel.items import Entity, Item, Key, Value, table_meta
from kickstand.kernel.store import Transaction, load_all
from kickstand.ledger import rules
from kickstand.ledger.errors import AlreadyPosted, InsufficientFunds
from kickstand.ledger.model import Account, AccountKind, Balance, Entry, Movement


class LedgerItem(Item[Entity]):
    """Anything in the ledger table."""

    Meta = table_meta("LEDGER_TABLE")


class BalanceItem(LedgerItem[Balance]):
    """The balance of a rider's account: ``ACCOUNT#<kind>#<rider id>#<currency>`` / ``BALANCE``."""

    KIND = "balance"
    KEYED_BY = ("account",)

    account = Value(Account)
    amount = Value(int)

    @staticmethod
    def key(account: Account) -> Key["BalanceItem"]:
        """Where the balance of an account is kept."""
        return Key(BalanceItem, f"ACCOUNT#{rules.name(account)}", "BALANCE")


class EntryItem(LedgerItem[Entry]):
    """One side of a movement: ``ACCOUNT#<partition of the account>`` / ``ENTRY#<time>#<movement id>``."""

    KIND = "entry"
    KEYED_BY = ("account", "at", "movement_id")

    at = Value(datetime)

    @staticmethod
    def key(account: Account, at: datetime, movement_id: str) -> Key["EntryItem"]:
        """Where an entry is kept; entries of a partition are in the order of time."""
        partition = rules.partition(account, at, movement_id)
        return Key(EntryItem, f"ACCOUNT#{partition}", f"ENTRY#{EntryItem.at.serialize(at)}#{movement_id}")


class MovementItem(LedgerItem[Movement]):
    """Says that a movement has been posted: ``MOVEMENT#<id>`` / ``MOVEMENT``.

    Entries are found by time, and whoever repeats a movement comes at another time: this is what they meet.
    """

    KIND = "movement"

    @staticmethod
    def key(movement_id: str) -> Key["MovementItem"]:
        """Where a movement is kept."""
        return Key(MovementItem, f"MOVEMENT#{movement_id}", "MOVEMENT")


def post(tx: Transaction, movement: Movement) -> None:
    """Write a movement and its two entries, once."""
    tx.create(MovementItem.of(movement), otherwise=AlreadyPosted)
    for entry in rules.entries_of(movement):
        tx.create(EntryItem.of(entry), otherwise=AlreadyPosted)


def change(tx: Transaction, account: Account, amount: int) -> None:
    """Change a kept balance: a wallet never goes below zero, a debt never above."""
    item = BalanceItem
    actions = [item.kind.set(item.KIND), item.account.set(account), item.amount.add(amount)]
    if account.kind is AccountKind.WALLET and amount < 0:
        tx.update(item.key(account), actions, condition=item.amount >= -amount, otherwise=InsufficientFunds)
    elif account.kind is AccountKind.DEBT and amount > 0:
        tx.update(item.key(account), actions, condition=item.amount <= -amount, otherwise=Contention)
    else:
        tx.update(item.key(account), actions)


def entries_in(partition: str, *, limit: int | None = None) -> list[Entry]:
    """A partition's entries, newest first; at most ``limit``."""
    found = EntryItem.query(
        f"ACCOUNT#{partition}",
        EntryItem.sk.startswith("ENTRY#"),
        consistent_read=True,
        scan_index_forward=False,
        limit=limit,
    )
    return [item.entity for item in found]


def newest(partitions: list[str], limit: int) -> list[Entry]:
    """The newest entries of several partitions together; one query each."""
    sides = [entries_in(partition, limit=limit) for partition in partitions]
    return list(islice(merge(*sides, key=lambda entry: (entry.at, entry.movement_id), reverse=True), limit))


def others(entries: list[Entry]) -> list[Entry | None]:
    """The other side of each entry's movement, where there is one; a read of up to 100 at a time."""
    items = load_all([EntryItem.key(entry.other, entry.at, entry.movement_id) for entry in entries])
    return [item.entity if item else None for item in items]
