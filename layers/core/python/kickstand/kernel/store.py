"""Reading and writing items.

* A use case reads what it needs in one round trip: keys that a surface already knows are announced with :func:`expect`,
  and the first :func:`load` fetches them all in one batch.
* A use case writes everything in one transaction: :class:`Transaction` names, beside each condition, the domain error
  that its failure means.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from uuid import uuid4

from pynamodb.exceptions import PutError, PynamoDBException, TransactWriteError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from kickstand.kernel.errors import Contention, DomainError
from kickstand.kernel.items import Item, ItemType, Key, connection

_ATTEMPTS: Final = 5
_DECISIONS: Final = 4
_BATCH_LIMIT: Final = 100

T = TypeVar("T")


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Reads:
    expected: dict[tuple[str, str, str], Key[Any]] = field(default_factory=dict)
    found: dict[tuple[str, str, str], Item[Any] | None] = field(default_factory=dict)


_reads: ContextVar[_Reads | None] = ContextVar("reads", default=None)


def begin() -> None:
    """Forget what earlier requests read and expected. The wiring of every entry point calls it first."""
    _reads.set(_Reads())


def expect(*keys: Key[Any]) -> None:
    """Announce items that the request will need, so that the first :func:`load` brings them along."""
    reads = _current()
    reads.expected.update({key.address: key for key in keys if key.address not in reads.found})


def load(key: Key[ItemType]) -> ItemType | None:
    """The item at ``key``, strongly consistent, or ``None``."""
    item: ItemType | None
    (item,) = load_all([key])
    return item


def load_all(keys: Sequence[Key[Any]]) -> list[Any]:
    """The items at ``keys`` in their order, ``None`` where there is none; one round trip for up to 100 keys."""
    reads = _current()
    if any(key.address not in reads.found for key in keys):
        wanted = {key.address: key for key in keys if key.address not in reads.found} | reads.expected
        reads.found.update(_fetch(list(wanted.values())))
        reads.expected.clear()
    return [reads.found[key.address] for key in keys]


def forget() -> None:
    """Drop what has been read, before a decision is taken anew on fresh state."""
    _current().found.clear()


def _forget(addresses: Iterable[tuple[str, str, str]]) -> None:
    found = _current().found
    for address in addresses:
        found.pop(address, None)


def _current() -> _Reads:
    reads = _reads.get()
    if reads is None:
        reads = _Reads()
        _reads.set(reads)
    return reads


def _fetch(keys: list[Key[Any]]) -> dict[tuple[str, str, str], Item[Any] | None]:
    found: dict[tuple[str, str, str], Item[Any] | None] = {key.address: None for key in keys}
    for start in range(0, len(keys), _BATCH_LIMIT):
        batch = keys[start : start + _BATCH_LIMIT]
        classes = {key.address: key.item for key in batch}
        request: dict[str, Any] = {}
        for key in batch:
            keys_of_table = request.setdefault(key.table, {"ConsistentRead": True, "Keys": []})["Keys"]
            keys_of_table.append({"pk": {"S": key.pk}, "sk": {"S": key.sk}})
        for attempt in range(_ATTEMPTS):
            answer = _client(batch[0]).batch_get_item(RequestItems=request)
            for table, rows in answer["Responses"].items():
                for row in rows:
                    address = (table, row["pk"]["S"], row["sk"]["S"])
                    found[address] = classes[address].from_raw_data(row)
            request = answer.get("UnprocessedKeys", {})
            if not request:
                break
            _pause(attempt)
        else:
            raise Contention
    return found


def _client(key: Key[Any]) -> Any:  # noqa: ANN401
    return key.item._get_connection().connection.client  # noqa: SLF001


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

Refusal = DomainError | type[DomainError]
"""What a failed condition means to the caller."""


class Transaction:
    """All writes of one use case: every one of them happens, or none.

    Used as a context manager; the commit happens on leaving it. A condition that fails raises the refusal that was
    given beside it (the first one, in the order of writing); conflicts with other transactions are tried again a few
    times.
    """

    def __init__(self) -> None:
        self._checks: list[dict[str, Any]] = []
        self._deletes: list[dict[str, Any]] = []
        self._puts: list[dict[str, Any]] = []
        self._updates: list[dict[str, Any]] = []
        self._refusals: dict[int, list[Refusal | None]] = {}
        self._order: list[tuple[list[dict[str, Any]], int, Refusal | None]] = []
        self._touched: set[tuple[str, str, str]] = set()
        self._becomes: dict[tuple[str, str, str], Item[Any]] = {}

    def put(self, item: Item[Any], *, condition: Condition | None = None, otherwise: Refusal | None = None) -> None:
        """Write the whole ``item``."""
        self._add(self._puts, item.get_save_kwargs_from_instance(condition=condition), item, otherwise)

    def create(self, item: Item[Any], *, otherwise: Refusal = Contention) -> None:
        """Write ``item`` where nothing was before."""
        self.put(item, condition=type(item).pk.does_not_exist(), otherwise=otherwise)

    def update(
        self,
        key: Key[Any],
        actions: Sequence[Action],
        *,
        condition: Condition | None = None,
        otherwise: Refusal | None = None,
        becomes: Item[Any] | None = None,
    ) -> None:
        """Change attributes of the item at ``key``.

        Args:
            key: where it is.
            actions: the changes.
            condition: what has to be so.
            otherwise: what it means when it is not.
            becomes: the item as it is then, as far as is known: what the same request gets when it loads it again.
        """
        if becomes is not None:
            self._becomes[key.address] = becomes
        item = key.item(key.pk, key.sk)
        self._add(
            self._updates,
            item.get_update_kwargs_from_instance(actions=list(actions), condition=condition),
            item,
            otherwise,
        )

    def delete(self, key: Key[Any], *, condition: Condition | None = None, otherwise: Refusal | None = None) -> None:
        """Remove the item at ``key``."""
        item = key.item(key.pk, key.sk)
        self._add(self._deletes, item.get_delete_kwargs_from_instance(condition=condition), item, otherwise)

    def require(self, key: Key[Any], condition: Condition, *, otherwise: Refusal) -> None:
        """Let nothing happen unless ``condition`` holds for the item at ``key``."""
        arguments = key.item.get_operation_kwargs_from_class(key.pk, range_key=key.sk, condition=condition)
        self._add(self._checks, arguments, key.item(key.pk, key.sk), otherwise)

    def commit(self) -> None:
        """Write everything. Without any write it does nothing."""
        if not self._order:
            return
        _forget(self._touched)
        token = str(uuid4())  # an attempt whose answer got lost must not meet its own writes as somebody else's
        for attempt in range(_ATTEMPTS):
            try:
                connection().transact_write_items(
                    self._checks, self._deletes, self._puts, self._updates, client_request_token=token
                )
            except TransactWriteError as error:
                self._raise_refusal(error)
                _pause(attempt)
            else:
                _current().found.update(self._becomes)
                return
        raise Contention

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()

    def _add(
        self, into: list[dict[str, Any]], arguments: dict[str, Any], item: Item[Any], otherwise: Refusal | None
    ) -> None:
        item._get_connection()  # noqa: SLF001 - makes the shared connection know the item's table
        self._touched.add((str(item.Meta.table_name), item.pk, item.sk))
        self._order.append((into, len(into), otherwise))
        into.append(arguments)

    def _raise_refusal(self, error: TransactWriteError) -> None:
        """Raise what the failed condition stands for, or ``error``; return when trying again may help."""
        reasons = error.cancellation_reasons
        if not reasons:
            if _code(error) in {"TransactionInProgressException", "TransactionConflictException"}:
                return
            raise error
        starts = {id(group): start for group, start in self._starts()}
        for group, index, refusal in self._order:
            reason = reasons[starts[id(group)] + index]
            if reason is not None and reason.code == "ConditionalCheckFailed" and refusal is not None:
                raise refusal from None
        transient = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
        if not all(reason is None or reason.code in transient for reason in reasons):
            raise error

    def _starts(self) -> Iterable[tuple[list[dict[str, Any]], int]]:
        start = 0
        for group in (self._checks, self._deletes, self._puts, self._updates):
            yield group, start
            start += len(group)


def again(attempt: Callable[[], T], *, on: type[Contention] = Contention, attempts: int = _DECISIONS) -> T:
    """What ``attempt`` answers, which reads, decides and writes; taken anew on fresh state where others were faster.

    Args:
        attempt: the use case.
        on: what says that others were.
        attempts: how often it is taken at most.

    Raises:
        Contention: others were faster every time.
    """
    for _ in range(attempts):
        try:
            return attempt()
        except on:
            forget()
    raise Contention


def change(key: Key[ItemType], actions: Sequence[Action], *, condition: Condition | None = None) -> bool:
    """Change one item outside any transaction, at half a transaction's price; answer whether ``condition`` held."""
    _forget([key.address])
    item = key.item(key.pk, key.sk)
    return _written(lambda: item.update(list(actions), condition=condition))


def create(item: Item[Any]) -> bool:
    """Write one item where nothing was before; answer whether nothing was."""
    return put(item, condition=type(item).pk.does_not_exist())


def put(item: Item[Any], *, condition: Condition) -> bool:
    """Write one whole item outside any transaction; answer whether ``condition`` held."""
    _forget([(str(item.Meta.table_name), item.pk, item.sk)])
    return _written(lambda: item.save(condition=condition))


def _written(write: Callable[[], object]) -> bool:
    """Whether the condition of a write held; a transaction that has the item at this moment is waited for."""
    for attempt in range(_ATTEMPTS):
        try:
            write()
        except (PutError, UpdateError) as error:
            if _code(error) == "ConditionalCheckFailedException":
                return False
            if _code(error) != "TransactionConflictException":
                raise
            _pause(attempt)
        else:
            return True
    raise Contention


def _code(error: PynamoDBException) -> str | None:
    """What DynamoDB calls an error; ``None`` where it has not answered."""
    answer = getattr(error.cause, "response", None) or {}  # botocore's timeouts have one that is nothing
    code: str | None = answer.get("Error", {}).get("Code")
    return code


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0.2, 1) * 0.01 * 2**attempt)  # noqa: S311 - jitter, not a secret


__all__ = [
    "Action",
    "Condition",
    "Contention",
    "Key",
    "Transaction",
    "again",
    "begin",
    "change",
    "create",
    "expect",
    "forget",
    "load",
    "load_all",
    "put",
]
