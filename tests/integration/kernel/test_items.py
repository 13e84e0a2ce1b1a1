"""What all item classes owe to the kernel, proved on items that tests own."""

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from kickstand.kernel import store
from kickstand.kernel.items import Item, Key, Value

pytestmark = pytest.mark.usefixtures("aws")


class Colour(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    shade: str | None = None


class Door(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: int
    colour: Colour


class House(Item[Any]):
    class Meta:
        table_name = "FleetTable"
        region = "eu-north-1"


class RoofItem(House):
    KIND = "roof"


class Doors(GlobalSecondaryIndex[Any]):
    class Meta:
        index_name = "cells"
        projection = KeysOnlyProjection()

    cell = UnicodeAttribute(hash_key=True)
    pk = UnicodeAttribute(range_key=True)


class DoorItem(House):
    KIND = "door"
    ENTITY = Door

    cell = UnicodeAttribute()
    by_cell = Doors()
    id = Value(int)
    colour = Value(Colour)

    @classmethod
    def key_of(cls, entity: Door) -> Key["DoorItem"]:
        return Key(cls, f"DOOR#{entity.id}", "DOOR")


def test_an_index_is_known_although_a_class_without_it_used_the_table_first() -> None:
    store.begin()
    assert store.load(Key(RoofItem, "ROOF#1", "ROOF")) is None
    DoorItem.of(Door(id=1, colour=Colour(name="red")), cell="north").save()
    assert [found.pk for found in DoorItem.by_cell.query("north")] == ["DOOR#1"]


def test_an_attribute_that_holds_a_model_can_be_set() -> None:
    store.begin()
    door = Door(id=1, colour=Colour(name="red", shade="dark"))
    DoorItem.of(door, cell="north").save()
    key = DoorItem.key_of(door)
    assert store.change(key, [DoorItem.colour.set(Colour(name="blue"))], condition=DoorItem.colour["name"] == "red")
    store.begin()
    item = store.load(key)
    assert item
    assert item.entity == Door(id=1, colour=Colour(name="blue"))


class Box(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: int
    kind: str


class BoxItem(House, Item[Box]):
    KIND = "box_item"

    class Meta:
        table_name = "FleetTable"
        region = "eu-north-1"

    @staticmethod
    def key(box_id: int) -> Key["BoxItem"]:
        return Key(BoxItem, f"BOX#{box_id}", "BOX")


def test_an_entity_has_a_kind_of_its_own() -> None:
    box = Box(id=1, kind="wooden")
    with store.Transaction() as tx:
        tx.create(BoxItem.of(box))
    found = store.load(BoxItem.key(1))
    assert found is not None
    assert found.entity == box
    assert found.kind == "box_item"
