"""Event patterns: the filters of event source mappings and the rules of an event bus."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from local.errors import PlatformError
from local.types import Document, Json

Matcher: TypeAlias = Callable[[Json], bool]

_ABSENT = object()


def compile_pattern(pattern: Document) -> Matcher:
    """A predicate for events that match ``pattern``.

    Raises:
        PlatformError: for an operator that is not known here.
    """
    fields = {name: _field(condition) for name, condition in pattern.items() if name != "$or"}
    alternatives = [compile_pattern(alternative) for alternative in pattern.get("$or", [])]

    def matches(event: Json) -> bool:
        if not isinstance(event, Mapping):
            return False
        if not all(field(event.get(name, _ABSENT)) for name, field in fields.items()):
            return False
        return not alternatives or any(alternative(event) for alternative in alternatives)

    return matches


def _field(condition: Json) -> Matcher:
    if isinstance(condition, Mapping):
        nested = compile_pattern(condition)
        return lambda value: nested({} if value is _ABSENT else value)
    if not isinstance(condition, list):
        raise PlatformError(f"an event pattern needs lists of values, not {condition!r}")
    options = [_option(option) for option in condition]

    def matches(value: Json) -> bool:
        values = value if isinstance(value, list) else [value]
        return any(option(item) for option in options for item in values)

    return matches


def _option(option: Json) -> Matcher:
    if not isinstance(option, Mapping):
        return lambda value: value is not _ABSENT and type(value) is type(option) and value == option
    ((operator, argument),) = option.items()
    if operator not in _OPERATORS:
        raise PlatformError(f"the event pattern operator {operator} is not supported")
    return _OPERATORS[operator](argument)


def _exists(argument: Json) -> Matcher:
    return lambda value: (value is not _ABSENT) == argument


def _prefix(argument: Json) -> Matcher:
    return lambda value: isinstance(value, str) and value.startswith(argument)


def _suffix(argument: Json) -> Matcher:
    return lambda value: isinstance(value, str) and value.endswith(argument)


def _same_ignoring_case(argument: Json) -> Matcher:
    return lambda value: isinstance(value, str) and value.lower() == argument.lower()


def _anything_but(argument: Json) -> Matcher:
    excluded = [_option(item) for item in (argument if isinstance(argument, list) else [argument])]
    return lambda value: value is not _ABSENT and not any(item(value) for item in excluded)


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}


def _numeric(argument: list[Json]) -> Matcher:
    bounds = list(zip(argument[::2], argument[1::2], strict=True))

    def matches(value: Json) -> bool:
        return isinstance(value, int | float) and all(_COMPARISONS[sign](value, bound) for sign, bound in bounds)

    return matches


_OPERATORS: Mapping[str, Callable[[Json], Matcher]] = {
    "exists": _exists,
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _same_ignoring_case,
    "anything-but": _anything_but,
    "numeric": _numeric,
}
