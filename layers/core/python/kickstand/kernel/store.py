"""How the contexts keep their items in DynamoDB: one table per context, one item class per kind of thing in it.

Three rules shape this module:

* a use case reads what it needs in one round trip: keys that a surface already knows are announced with :func:`expect`,
  and the first :func:`load` fetches them all in one batch;
* a use case writes everything in one transaction: :class:`Transaction` names, beside each condition, the domain error
  that its failure means;
* the entity is a pydantic model and its item keeps the same fields, so nothing is declared twice or translated by hand.
"""

import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from types import NoneType, TracebackType, UnionType
from typing import Annotated, Any, ClassVar, Final, Generic, Self, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.connection import Connection
from pynamodb.connection.base import MetaTable
from pynamodb.connection.table import TableConnection
from pynamodb.exceptions import PutError, TransactWriteError, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import MetaModel, Model

from kickstand.kernel.errors import Contention, DomainError

_ATTEMPTS: Final = 5
_BATCH_LIMIT: Final = 100

T = TypeVar("T")
ItemType = TypeVar("ItemType", bound="Item[Any]")
Entity = TypeVar("Entity", bound=BaseModel)


class Value(Attribute[T], Generic[T]):
    """An attribute that holds anything pydantic can validate.

    It is kept in DynamoDB's own types, so that conditions can look inside.

    Args:
        type_: the Python type, such as ``int``, an enum, ``datetime`` or a pydantic model.
        null: whether the attribute may be absent; absent reads as ``None``.
    """

    def __init__(self, type_: type[T], *, null: bool = False) -> None:
        super().__init__(null=null)
        self._adapter: TypeAdapter[T] = TypeAdapter(type_)
        self.attr_type = _attribute_type(type_)

    def serialize(self, value: Any) -> Any:  # noqa: ANN401 - pynamodb's signature
        """The DynamoDB form of ``value``, without its type tag."""
        # In expressions pynamodb wants a list for any sequence, whatever its type.
        return _to_dynamodb(self._adapter.dump_python(value, mode="json", warnings=False))[self.attr_type]

    def set(self, value: Any) -> Any:  # noqa: ANN401 - likewise
        """The action that gives the attribute this value."""
        # In expressions pynamodb takes no maps but its own; what is serialized already it takes as it is.
        given: Any = {self.attr_type: self.serialize(value)} if isinstance(value, BaseModel) else value
        return super().set(given)

    def deserialize(self, value: Any) -> T:  # noqa: ANN401 - pynamodb's signature
        """The validated Python value."""
        return self._adapter.validate_python(_from_dynamodb({self.attr_type: value}))


def _attribute_type(type_: Any) -> str:  # noqa: ANN401
    plain = get_origin(type_) or type_
    if plain is Annotated:
        return _attribute_type(get_args(type_)[0])
    for tag, types in {
        "BOOL": (bool,),
        "N": (int, float),
        "M": (BaseModel, dict),
        "L": (list, tuple, set, frozenset),
    }.items():
        if isinstance(plain, type) and issubclass(plain, types):
            return tag
    return "S"


def _to_dynamodb(value: Any) -> dict[str, Any]:  # noqa: ANN401 - one line per type
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float() | Decimal():
            return {"N": repr(value)}
        case str():
            return {"S": value}
        case dict():
            return {"M": {key: _to_dynamodb(each) for key, each in value.items() if each is not None}}
        case list() | tuple():
            return {"L": [_to_dynamodb(each) for each in value]}
        case _:
            msg = f"no DynamoDB form for {type(value).__name__}"
            raise TypeError(msg)


def _from_dynamodb(tagged: dict[str, Any]) -> Any:  # noqa: ANN401
    ((tag, value),) = tagged.items()
    match tag:
        case "N":
            return float(value) if any(mark in value for mark in ".eE") else int(value)
        case "M":
            return {key: _from_dynamodb(each) for key, each in value.items()}
        case "L":
            return [_from_dynamodb(each) for each in value]
        case "NULL":
            return None
        case _:
            return value


class _Meta(type):
    """Asks the environment for the table's name when it is used, not when the item class is made."""

    variable: str

    @property
    def table_name(cls) -> str:
        return os.environ[cls.variable]


def table_meta(variable: str) -> Any:  # noqa: ANN401 - pynamodb takes any class
    """The pynamodb ``Meta`` of a context whose table is named by the environment variable ``variable``."""
    return _Meta("Meta", (), {"variable": variable, **_settings()})


def _settings() -> dict[str, Any]:
    return {
        "region": os.environ.get("AWS_REGION"),
        "connect_timeout_seconds": 2,
        "read_timeout_seconds": 5,
        "max_retry_attempts": 2,
        "max_pool_connections": 50,
    }


class _ItemMeta(MetaModel):
    """Gives an item class an attribute for every field of the entity it holds."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:  # noqa: ANN401
        entities = [each for base in namespace.get("__orig_bases__", ()) for each in get_args(base) if _is_entity(each)]
        for entity in entities:
            namespace["ENTITY"] = entity
            for field_name, info in entity.model_fields.items():
                if not any(hasattr(base, field_name) for base in bases):
                    type_, null = _without_none(info.annotation)
                    namespace.setdefault(field_name, Value(type_, null=null))
        return super().__new__(cls, name, bases, namespace, **options)  # type: ignore[no-untyped-call]


def _is_entity(type_: Any) -> bool:  # noqa: ANN401
    return isinstance(type_, type) and issubclass(type_, BaseModel) and type_ is not BaseModel


def _without_none(annotation: Any) -> tuple[Any, bool]:  # noqa: ANN401
    types = [each for each in get_args(annotation) if each is not NoneType]
    if get_origin(annotation) in {Union, UnionType} and len(types) == 1:
        return types[0], True
    return annotation, False


class Item(Model, Generic[Entity], metaclass=_ItemMeta):
    """One kind of thing in a table: a class for ``Item[Vehicle]`` keeps every field of ``Vehicle``.

    Subclasses say their ``KIND`` and how their ``key`` is built. Beside what the entity does not know they declare only
    the fields that conditions, updates and indexes talk about.

    Attributes:
        KEYED_BY: the fields of the entity that ``key`` takes.
    """

    KIND: ClassVar[str]
    ENTITY: ClassVar[type[BaseModel]]
    KEYED_BY: ClassVar[tuple[str, ...]] = ("id",)

    key: ClassVar[Callable[..., "Key[Any]"]]

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    kind = UnicodeAttribute()

    @classmethod
    def of(cls, entity: Entity, **attributes: Any) -> Self:  # noqa: ANN401
        """The item of ``entity``; ``attributes`` are the keys of indexes and whatever else the entity does not know."""
        key = cls.key_of(entity)
        values = {name: getattr(entity, name) for name in type(entity).model_fields}
        return cls(key.pk, key.sk, kind=cls.KIND, **values, **attributes)

    @classmethod
    def key_of(cls, entity: Entity) -> "Key[Self]":
        """Where ``entity`` is kept."""
        return cls.key(*(getattr(entity, name) for name in cls.KEYED_BY))

    @property
    def entity(self) -> Entity:
        """The validated entity inside this item."""
        fields = self.ENTITY.model_fields
        values = {name: value for name, value in self.attribute_values.items() if name in fields and value is not None}
        return self.ENTITY.model_construct(**values)  # type: ignore[return-value]

    @classmethod
    def _get_connection(cls) -> TableConnection:
        connection = super()._get_connection()
        own, shared = connection.connection, _shared(connection.connection)
        if own is not shared:
            _teach(shared, own.get_meta_table(cls.Meta.table_name))
            connection.connection = shared
        return connection


@dataclass(frozen=True)
class Key(Generic[ItemType]):
    """Where an item lives."""

    item: type[ItemType]
    pk: str
    sk: str

    @property
    def table(self) -> str:
        """The name of the table."""
        return str(self.item.Meta.table_name)

    @property
    def address(self) -> tuple[str, str, str]:
        """What identifies the item among all tables."""
        return self.table, self.pk, self.sk


_connection: Connection | None = None


def _shared(first: Connection) -> Connection:
    """All items talk through one connection: one botocore client per process, not one per item class."""
    global _connection  # noqa: PLW0603 - a process-wide cache
    if _connection is None:
        _connection = first
    return _connection


def _teach(shared: Connection, known: MetaTable) -> None:
    """Tell the shared connection what an item class knows of its table; only some classes know the table's indexes."""
    try:
        shared.add_meta_table(known)
    except ValueError:  # another item class of the same table was first
        data = shared.get_meta_table(known.table_name).data
        for part in ("AttributeDefinitions", "GlobalSecondaryIndexes"):
            data[part] = [*data[part], *(each for each in known.data[part] if each not in data[part])]


def connect() -> None:
    """Make the process's client of DynamoDB, which is otherwise made by the first request that needs it."""
    _ = _shared(Connection(**_settings())).client


def connection() -> Connection:
    """The process's connection to DynamoDB."""
    if _connection is None:
        msg = "no item class has been used yet"
        raise RuntimeError(msg)
    return _connection


def disconnect() -> None:
    """Let the next use of the store find its endpoint and credentials anew, when the environment has changed."""
    if _connection is not None:
        _connection._client = None  # noqa: SLF001 - pynamodb has no word for it


# While a function starts it has a whole processor; its requests have the share that its memory buys.
if "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ:
    connect()


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
    ) -> None:
        """Change attributes of the item at ``key``."""
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
        for attempt in range(_ATTEMPTS):
            try:
                connection().transact_write_items(self._checks, self._deletes, self._puts, self._updates)
            except TransactWriteError as error:
                self._raise_refusal(error)
                _pause(attempt)
            else:
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
            if error.cause_response_code in {"TransactionInProgressException", "TransactionConflictException"}:
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


def change(key: Key[ItemType], actions: Sequence[Action], *, condition: Condition | None = None) -> bool:
    """Change one item outside any transaction, at half a transaction's price; answer whether ``condition`` held."""
    _forget([key.address])
    try:
        key.item(key.pk, key.sk).update(list(actions), condition=condition)
    except UpdateError as error:
        if error.cause_response_code == "ConditionalCheckFailedException":
            return False
        raise
    return True


def create(item: Item[Any]) -> bool:
    """Write one item where nothing was before; answer whether nothing was."""
    return put(item, condition=type(item).pk.does_not_exist())


def put(item: Item[Any], *, condition: Condition) -> bool:
    """Write one whole item outside any transaction; answer whether ``condition`` held."""
    _forget([(str(item.Meta.table_name), item.pk, item.sk)])
    try:
        item.save(condition=condition)
    except PutError as error:
        if error.cause_response_code == "ConditionalCheckFailedException":
            return False
        raise
    return True


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0.2, 1) * 0.01 * 2**attempt)  # noqa: S311 - jitter, not a secret


__all__ = [
    "Action",
    "Condition",
    "Contention",
    "Item",
    "Key",
    "Transaction",
    "Value",
    "begin",
    "change",
    "connect",
    "connection",
    "create",
    "expect",
    "forget",
    "load",
    "load_all",
    "put",
    "table_meta",
]
