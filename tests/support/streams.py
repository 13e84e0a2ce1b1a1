"""Batches as a table's stream delivers them."""

from typing import Any

from kickstand.kernel.items import Item

Pair = tuple[Item[Any] | None, Item[Any] | None]


def batch(*changes: Pair) -> dict[str, Any]:
    """The stream's batch for changes given as pairs of an item before and after."""
    return {"Records": [_record(number, *pair) for number, pair in enumerate(changes, 1)]}


def _record(number: int, old: Item[Any] | None, new: Item[Any] | None) -> dict[str, Any]:
    images = {name: of.to_dynamodb_dict() for name, of in (("OldImage", old), ("NewImage", new)) if of}
    image = next(iter(images.values()))
    keys = {name: image[name] for name in ("pk", "sk")}
    return {"dynamodb": {"Keys": keys, "SequenceNumber": str(number), **images}}
