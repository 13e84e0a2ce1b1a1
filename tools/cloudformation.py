"""CloudFormation's YAML: what is a tag there (``!Ref x``) is a dictionary of one key here (``{"Ref": "x"}``)."""

import re
from pathlib import Path
from typing import Any, cast

import yaml


class _Loader(yaml.SafeLoader):
    """Reads tags as long forms; leaves dates and yes/no strings alone."""


class _Dumper(yaml.SafeDumper):
    """Writes long forms as tags; never writes anchors, which CloudFormation does not know."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401 - signature of PyYAML
        del data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


# PyYAML quotes every tagged scalar; these need no quotes.
_QUOTED_TAG = re.compile(r"(!(?:Ref|GetAtt|Sub)) '([A-Za-z$][\w.:/${}-]*)'")

_BARE = {"Ref", "Condition"}
_TAGS = {"Ref": "!Ref", "Fn::GetAtt": "!GetAtt", "Fn::Sub": "!Sub"}


def _construct(loader: yaml.Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in _BARE else f"Fn::{suffix}"
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if name == "Fn::GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)
    return {name: value}


def _represent(dumper: yaml.SafeDumper, data: dict[str, Any]) -> yaml.Node:
    if len(data) == 1:
        ((name, value),) = data.items()
        if name in _TAGS:
            text = ".".join(value) if isinstance(value, list) else str(value)
            return dumper.represent_scalar(_TAGS[name], text)
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items())


_Loader.add_multi_constructor("!", _construct)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Dumper.add_representer(dict, _represent)


def loads(text: str) -> dict[str, Any]:
    """Read a template."""
    return dict(yaml.load(text, Loader=_Loader))  # noqa: S506 - a safe loader with CloudFormation's tags


def load(path: Path) -> dict[str, Any]:
    """Read a template file."""
    return loads(path.read_text(encoding="utf-8"))


def dumps(template: dict[str, Any], header: str) -> str:
    """Write a template below ``header`` as a comment, with a blank line between sections and between resources."""
    sections = ["".join(f"# {line}\n" for line in header.splitlines())]
    for name, section in template.items():
        if name == "Resources":
            resources = (_indent(_dump({key: resource})) for key, resource in section.items())
            sections.append(f"{name}:\n" + "\n".join(resources))
        else:
            sections.append(_dump({name: section}))
    plain, blocks = _split(sections)
    return "".join(plain) + "\n" + "\n".join(blocks)


def _split(sections: list[str]) -> tuple[list[str], list[str]]:
    first = next(index for index, section in enumerate(sections) if section.startswith(("Parameters:", "Resources:")))
    return sections[:first], sections[first:]


def _dump(data: dict[str, Any]) -> str:
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return _QUOTED_TAG.sub(r"\1 \2", text)


def _indent(text: str) -> str:
    return "".join(f"  {line}" for line in text.splitlines(keepends=True))
