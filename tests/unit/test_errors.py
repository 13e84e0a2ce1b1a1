"""No domain error is missing from any surface's table."""

from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest

import kickstand
from kickstand.kernel.errors import DomainError, leaves
from kickstand.kernel.items import Item

SURFACES = ["checkout", "maas", "voi"]


@pytest.fixture(scope="module", autouse=True)
def everything() -> None:
    for module in walk_packages(kickstand.__path__, "kickstand."):
        import_module(module.name)


@pytest.mark.parametrize("surface", SURFACES)
def test_every_domain_error_has_an_answer(surface: str) -> None:
    table = import_module(f"{surface}._surface").ERRORS
    ours = {error for error in leaves(DomainError) if error.__module__.startswith("kickstand.")}
    missing = {error for error in ours if not any(each in table for each in error.__mro__)}
    assert missing == set()


def test_every_domain_error_says_what_is_wrong() -> None:
    for error in leaves(DomainError):
        if error.__module__.startswith("kickstand."):
            assert error.detail
            assert error.__doc__


def test_every_item_keeps_every_field_of_its_entity() -> None:
    pending: list[Any] = [Item]
    checked = 0
    while pending:
        item = pending.pop()
        pending += item.__subclasses__()
        if not item.__module__.startswith("kickstand.") or not hasattr(item, "ENTITY"):
            continue
        checked += 1
        assert item.ENTITY.model_fields.keys() <= item.get_attributes().keys(), item.__name__
    assert checked > 10
