"""The tables of the template, in whatever engine answers."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).parents[2] / "template.yaml"


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as plain values."""


def _plain(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _plain)


@cache
def definitions() -> dict[str, dict[str, Any]]:
    """What ``CreateTable`` wants to know, by the table's logical id."""
    resources = yaml.load(TEMPLATE.read_text(), _Loader)["Resources"]  # noqa: S506 - a safe loader, with tags
    tables = {name: each["Properties"] for name, each in resources.items() if each["Type"] == "AWS::DynamoDB::Table"}
    wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    return {
        name: {key: properties[key] for key in wanted if key in properties} | {"BillingMode": "PAY_PER_REQUEST"}
        for name, properties in tables.items()
    }


def create(client: Any) -> None:
    """Create every table of the template under its logical id."""
    for name, definition in definitions().items():
        client.create_table(TableName=name, **definition)
