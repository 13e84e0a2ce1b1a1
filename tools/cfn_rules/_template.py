"""Views on a template that several rules need. Intrinsic functions are in their long form."""

from collections.abc import Iterator, Mapping
from typing import Any

from cfnlint.rules import RuleMatch
from cfnlint.template import Template

Path = list[str | int]


def resources(template: Mapping[str, Any], *types: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Names and bodies of the resources of these types."""
    for name, resource in template.get("Resources", {}).items():
        if resource.get("Type") in types:
            yield name, resource


def properties(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """A resource's properties, empty where it has none."""
    return resource.get("Properties") or {}


def function_properties(template: Mapping[str, Any], resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """A function's properties together with those that it inherits from ``Globals``."""
    inherited = template.get("Globals", {}).get("Function", {})
    own = properties(resource)
    merged = {**inherited, **own}
    for name in ("LoggingConfig", "EventInvokeConfig"):
        if isinstance(inherited.get(name), Mapping) and isinstance(own.get(name), Mapping):
            merged[name] = {**inherited[name], **own[name]}
    return merged


def target(value: Any) -> str | None:  # noqa: ANN401 - any value of a template
    """The logical id that a ``Ref`` or ``GetAtt`` names."""
    if isinstance(value, Mapping):
        if "Ref" in value:
            return str(value["Ref"])
        if "Fn::GetAtt" in value:
            found = value["Fn::GetAtt"]
            return str(found[0] if isinstance(found, list) else found.split(".")[0])
    return None


def find(template: Any, key: str) -> Iterator[Any]:  # noqa: ANN401 - any part of a template
    """Every value that stands under ``key``, at any depth."""
    if isinstance(template, Mapping):
        for name, value in template.items():
            if name == key:
                yield value
            yield from find(value, key)
    elif isinstance(template, list):
        for value in template:
            yield from find(value, key)


def listed(value: Any) -> list[Any]:  # noqa: ANN401 - policies write one thing or a list of them
    """``value`` itself where it is a list, else a list of it."""
    return value if isinstance(value, list) else [value]


def match(path: Path, message: str) -> RuleMatch:
    """A finding."""
    return RuleMatch(path, message)


def body(cfn: Template) -> Mapping[str, Any]:
    """The template as written."""
    found: Mapping[str, Any] = cfn.template
    return found
