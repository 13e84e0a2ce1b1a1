"""Spares the start half a second: moto's workflows need one enumeration of AWS Batch, whose package loads all of EC2.

In the package's place stands a module that finds the submodules where they are and loads what is asked for.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

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
