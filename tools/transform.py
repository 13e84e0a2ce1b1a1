"""Prints what CloudFormation makes of templates after the SAM transform, as JSON: one resource per line of its bill.

Runs in the environment of aws-sam-cli, which holds the translator: ``.venv-sam/bin/python tools/transform.py FILE…``.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

_UPLOADED = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
    "AWS::Serverless::Application": "Location",
}


class _NoManagedPolicies:
    """Templates here name no policy of AWS, so nothing needs to be asked for."""

    def load(self) -> dict[str, str]:
        """No policies."""
        return {}


def transformed(text: str) -> dict[str, Any]:
    """A template after the transform, as if its local files had been uploaded."""
    template = yaml_parse(text)
    for resource in template["Resources"].values():
        if resource["Type"] in _UPLOADED:
            resource["Properties"][_UPLOADED[resource["Type"]]] = "s3://bucket/key"
    return dict(transform(template, {}, _NoManagedPolicies()))


def main() -> None:
    """Transform every file named."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-north-1")
    results = {}
    for path in sys.argv[1:]:
        results[path] = transformed(Path(path).read_text(encoding="utf-8"))
    json.dump(results, sys.stdout, default=str)


if __name__ == "__main__":
    main()
