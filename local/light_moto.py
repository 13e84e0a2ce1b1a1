"""Spares what moto does needlessly.

Its workflows need one enumeration of AWS Batch, whose package loads all of EC2, for half a second: in the package's
place stands a module that finds the submodules where they are and loads what is asked for. And for each item that a
transaction writes it copies the whole table, although one copy is enough to go back to.
"""

import copy
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from local.types import Json


def install() -> None:
    """Put the module in the package's place, unless that is loaded already."""
    moto = importlib.util.find_spec("moto")
    if moto is None or moto.origin is None or "moto.batch" in sys.modules:
        return
    package = ModuleType("moto.batch", "AWS Batch, loaded when it is used.")
    package.__path__ = [str(Path(moto.origin).parent / "batch")]
    package.__dict__["__getattr__"] = _from_models
    sys.modules["moto.batch"] = package


def _from_models(name: str) -> Json:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(importlib.import_module("moto.batch.models"), name)


def share_copies() -> None:
    """Let each transaction copy each of its tables once; for one request at a time."""
    models: Any = importlib.import_module("moto.dynamodb.models")
    if isinstance(models.copy, SimpleNamespace):
        return
    transact = models.DynamoDBBackend.transact_write_items
    copies: dict[int, Any] = {}

    def deepcopy(value: Any) -> Any:  # noqa: ANN401 - whatever moto copies
        if not isinstance(value, models.Table):
            return copy.deepcopy(value)
        if id(value) not in copies:
            copies[id(value)] = copy.deepcopy(value)
        return copies[id(value)]

    def transact_write_items(self: object, transact_items: list[dict[str, Json]]) -> None:
        copies.clear()
        try:
            transact(self, transact_items)
        finally:
            copies.clear()

    models.copy = SimpleNamespace(deepcopy=deepcopy)
    models.DynamoDBBackend.transact_write_items = transact_write_items
