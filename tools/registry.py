"""The surfaces of the project and their operations, found by importing ``functions/``."""

import os
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from kickstand.http.surface import Surface
from tools.cloudformation import load

ROOT: Final = Path(__file__).resolve().parent.parent


@cache
def surfaces() -> tuple[Surface[Any], ...]:
    """Every surface with all its operations registered, ordered by name.

    A surface is a package ``functions/<name>`` whose ``_surface`` module holds the ``Surface`` called ``<name>``.
    """
    _settle()
    return tuple(_surface(path.parent) for path in sorted((ROOT / "functions").glob("*/_surface.py")))


def surface(name: str) -> Surface[Any]:
    """One surface by its name."""
    return next(each for each in surfaces() if each.name == name)


@cache
def root_template() -> dict[str, Any]:
    """The root template, with tagged intrinsic functions in their long form."""
    return load(ROOT / "template.yaml")


def base(name: str) -> str:
    """The base path of a surface, such as ``/voi``: ``Metadata.Base`` of its nested stack in the root template."""
    location = f"functions/{name}/template.yaml"
    for resource in root_template()["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Application" and resource["Properties"]["Location"] == location:
            return str(resource["Metadata"]["Base"])
    msg = f"template.yaml holds no nested stack for {location}"
    raise LookupError(msg)


def _surface(folder: Path) -> Surface[Any]:
    name = folder.name
    found = getattr(import_module(f"{name}._surface"), name)
    if not isinstance(found, Surface):
        msg = f"{name}._surface.{name} is not a Surface"
        raise TypeError(msg)
    for module in pkgutil.iter_modules([str(folder)]):
        if not module.name.startswith("_"):
            import_module(f"{name}.{module.name}")
    return found


def _settle() -> None:
    # Functions read their environment when they are imported; parameters without default could be anything here.
    template = root_template()
    for variable, value in template["Globals"]["Function"]["Environment"]["Variables"].items():
        if isinstance(value, dict):
            parameter = template["Parameters"].get(value.get("Ref"), {})
            os.environ.setdefault(variable, str(parameter.get("Default", variable.lower())))
        else:
            os.environ.setdefault(variable, value)
    os.environ.setdefault("AWS_REGION", "eu-north-1")
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-north-1")
