"""CloudFormation's YAML tags and intrinsic functions, resolved against one stack."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import yaml

from local.errors import PlatformError
from local.types import Json

NO_VALUE = object()
"""What ``AWS::NoValue`` resolves to; it never survives resolution of the enclosing list or mapping."""

_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]+)\}")


class Scope(Protocol):
    """What an intrinsic function may ask of the stack it is written in."""

    def reference(self, name: str) -> Json:
        """The value of ``Ref``: a parameter, a pseudo parameter or the primary identifier of a resource."""

    def attribute(self, resource: str, attribute: str) -> Json:
        """The value of ``Fn::GetAtt``."""

    def condition(self, name: str) -> bool:
        """Whether a named condition holds."""

    def mapping(self, table: str, first: str, second: str) -> Json:
        """The value of ``Fn::FindInMap``."""


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation reads it: short tags, and dates stay text."""


def _construct(loader: _Loader, suffix: str, node: yaml.Node) -> Json:
    if isinstance(node, yaml.ScalarNode):
        value: Json = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        raise PlatformError(f"!{suffix} has an unsupported form")
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _construct)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path) -> dict[str, Json]:
    """The document at ``path`` (YAML or JSON) with short intrinsic tags in their long form.

    Raises:
        PlatformError: when the file is missing or is not a mapping.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (OSError, yaml.YAMLError) as error:
        raise PlatformError(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise PlatformError(f"{path}: not a mapping")
    return document


def resolve(value: Json, scope: Scope) -> Json:
    """``value`` with every intrinsic function replaced by what it yields in ``scope``.

    Raises:
        PlatformError: for a function that is not known here or a reference that leads nowhere.
    """
    if isinstance(value, list):
        return [item for item in (resolve(item, scope) for item in value) if item is not NO_VALUE]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, argument),) = value.items()
        if key == "Ref":
            return scope.reference(argument)
        if key == "Condition" and isinstance(argument, str):
            return scope.condition(argument)
        if key.startswith("Fn::"):
            function = _FUNCTIONS.get(key)
            if function is None:
                raise PlatformError(f"the intrinsic function {key} is not supported")
            return function(argument, scope)
    resolved = {key: resolve(item, scope) for key, item in value.items()}
    return {key: item for key, item in resolved.items() if item is not NO_VALUE}


def _get_att(argument: Json, scope: Scope) -> Json:
    resource, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
    return scope.attribute(resource, attribute)


def _sub(argument: Json, scope: Scope) -> str:
    text, given = (argument, {}) if isinstance(argument, str) else (argument[0], resolve(argument[1], scope))

    def value(match: re.Match[str]) -> str:
        literal, name = match.groups()
        if literal:
            return "${" + name + "}"
        if name in given:
            return str(given[name])
        resource, _, attribute = name.partition(".")
        return str(scope.attribute(resource, attribute) if attribute else scope.reference(name))

    return _PLACEHOLDER.sub(value, text)


def _join(argument: Json, scope: Scope) -> str:
    separator, parts = argument
    return str(separator).join(str(part) for part in resolve(parts, scope))


def _select(argument: Json, scope: Scope) -> Json:
    index, items = resolve(argument, scope)
    return items[int(index)]


def _split(argument: Json, scope: Scope) -> list[str]:
    separator, text = resolve(argument, scope)
    return str(text).split(separator)


def _if(argument: Json, scope: Scope) -> Json:
    condition, then, otherwise = argument
    return resolve(then if scope.condition(condition) else otherwise, scope)


def _equals(argument: Json, scope: Scope) -> bool:
    left, right = resolve(argument, scope)
    return str(left) == str(right)


def _find_in_map(argument: Json, scope: Scope) -> Json:
    table, first, second = resolve(argument[:3], scope)
    return scope.mapping(table, first, second)


_FUNCTIONS: dict[str, Callable[[Json, Scope], Json]] = {
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::If": _if,
    "Fn::Equals": _equals,
    "Fn::FindInMap": _find_in_map,
    "Fn::Not": lambda argument, scope: not resolve(argument[0], scope),
    "Fn::And": lambda argument, scope: all(resolve(argument, scope)),
    "Fn::Or": lambda argument, scope: any(resolve(argument, scope)),
}
