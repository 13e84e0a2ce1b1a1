"""How entities become items: one table per context, one item class per kind of thing in it.

An entity is a pydantic model and its item keeps the same fields, so nothing is declared twice or translated by hand.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Final, Generic, Self, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.connection import Connection
from pynamodb.connection.base import MetaTable
from pynamodb.connection.table import TableConnection
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import MetaModel, Model

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
        plain: Any = get_args(type_)[0] if get_origin(type_) is Annotated else type_
        self._adapter: TypeAdapter[T] = _adapter(plain)
        self.attr_type = _attribute_type(plain)

    def serialize(self, value: Any) -> Any:  # noqa: ANN401 - pynamodb's signature
        """The DynamoDB form of ``value``, without its type tag."""
        if isinstance(value, datetime):
            # Conditions compare text: only one zone and one number of digits put it in the order of time.
            return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
        # In expressions pynamodb wants a list for any sequence, whatever its type.
        return _to_dynamodb(self._adapter.dump_python(value, mode="json", warnings=False))[self.attr_type]

    def set(self, value: Any) -> Any:  # noqa: ANN401 - likewise
        """The action that gives the attribute this value."""
        # In expressions pynamodb takes no maps but its own; what is serialized already it takes as it is.
        given: Any = {self.attr_type: self.serialize(value)} if isinstance(value, (BaseModel, dict)) else value
        return super().set(given)

    def deserialize(self, value: Any) -> T:  # noqa: ANN401 - pynamodb's signature
        """The validated Python value."""
        return self._adapter.validate_python(_from_dynamodb({self.attr_type: value}))


@cache
def _adapter(type_: Any) -> TypeAdapter[Any]:  # noqa: ANN401
    return TypeAdapter(type_)


def _attribute_type(type_: Any) -> str:  # noqa: ANN401
    plain = get_origin(type_) or type_
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
        # Three attempts fit into the ten seconds of an operation, so that its own answer comes before the gateway's.
        "connect_timeout_seconds": 1,
        "read_timeout_seconds": 2,
        "max_retry_attempts": 2,
        "max_pool_connections": 50,
    }


def _kept_as(field: str) -> str:
    """The attribute that holds an entity's field; its ``kind`` makes room for the one that says which item it is."""
    return "entity_kind" if field == "kind" else field


class _ItemMeta(MetaModel):
    """Gives an item class an attribute for every field of the entity it holds."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:  # noqa: ANN401
        entities = [each for base in namespace.get("__orig_bases__", ()) for each in get_args(base) if _is_entity(each)]
        for entity in entities:
            namespace["ENTITY"] = entity
            for field_name, info in entity.model_fields.items():
                name_here = _kept_as(field_name)
                if not any(hasattr(base, name_here) for base in bases):
                    type_, null = _without_none(info.annotation)
                    namespace.setdefault(name_here, Value(type_, null=null))
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
        values = {_kept_as(name): getattr(entity, name) for name in type(entity).model_fields}
        return cls(key.pk, key.sk, kind=cls.KIND, **values, **attributes)

    @classmethod
    def key_of(cls, entity: Entity) -> "Key[Self]":
        """Where ``entity`` is kept."""
        return cls.key(*(getattr(entity, name) for name in cls.KEYED_BY))

    @property
    def entity(self) -> Entity:
        """The validated entity inside this item."""
        kept = self.attribute_values
        values = {name: value for name in self.ENTITY.model_fields if (value := kept.get(_kept_as(name))) is not None}
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


SHARDS: Final = 8
"""Parts of an agenda: one partition for everything that waits would slow down all who wait."""


def shard(identifier: int) -> str:
    """The part of its table's agenda in which what is named so waits."""
    return str(identifier % SHARDS)


class AgendaIndex(GlobalSecondaryIndex[Any]):
    """What has to be looked at, by when; only items that wait for something have an ``agenda``, their :func:`shard`."""

    class Meta:
        """The index."""

        index_name = "agenda"
        projection = KeysOnlyProjection()

    agenda = UnicodeAttribute(hash_key=True)
    due_at = UnicodeAttribute(range_key=True)


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
