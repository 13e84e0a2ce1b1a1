"""Writes ``build/local.json``: functions with the environment of a running local platform, for ``sam local invoke``.

``sam local invoke`` gives a function only variables that its template declares, and no template that is deployed should
declare where a developer's machine listens. So this one is made for it: functions and layers, nothing else.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from tools.cloudformation import load
from tools.registry import ROOT

TARGET: Final = ROOT / "build" / "local.json"

_KEPT: Final[tuple[str, ...]] = ("CodeUri", "Handler", "Layers", "MemorySize", "Timeout")
_SHARED: Final[tuple[str, ...]] = ("Runtime", "Architectures", "MemorySize", "Timeout", "Layers")

Document = dict[str, Any]


def main() -> None:
    """Ask the platform, write the template, say how to use it."""
    parser = argparse.ArgumentParser(description="Prepare `sam local invoke` against the running local platform.")
    parser.add_argument("--platform", default="http://127.0.0.1:3000", help="where `make run` listens")
    parser.add_argument("--host", default="127.0.0.1", help="this machine, as seen from a container")
    arguments = parser.parse_args()
    with urlopen(f"{arguments.platform}/_local/environment", timeout=5) as answer:  # noqa: S310 - given by the developer
        environment = {name: value.replace("127.0.0.1", arguments.host) for name, value in json.load(answer).items()}
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(template(environment), indent=2) + "\n", encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}")


def template(environment: Mapping[str, str]) -> Document:
    """All functions and layers of all stacks in one template."""
    resources: Document = {}
    for path in (ROOT / "template.yaml", *sorted(ROOT.glob("functions/*/template.yaml"))):
        source = load(path)
        shared = source["Globals"]["Function"]
        for name, resource in source["Resources"].items():
            match resource["Type"]:
                case "AWS::Serverless::LayerVersion":
                    resources[name] = _layer(resource, path.parent)
                case "AWS::Serverless::Function":
                    resources[name] = _function(resource, shared, path.parent, environment)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": resources,
    }


def _layer(resource: Document, folder: Path) -> Document:
    content = (folder / resource["Properties"]["ContentUri"]).resolve()
    return {"Type": resource["Type"], "Properties": resource["Properties"] | {"ContentUri": str(content)}}


def _function(resource: Document, shared: Document, folder: Path, environment: Mapping[str, str]) -> Document:
    own = resource["Properties"]
    properties: Document = {name: shared[name] for name in _SHARED if name in shared}
    properties |= {name: own[name] for name in _KEPT if name in own}
    properties["Layers"] = shared["Layers"] + own.get("Layers", [])
    properties["CodeUri"] = str((folder / own["CodeUri"]).resolve())
    properties["Environment"] = {"Variables": dict(environment)}
    return {"Type": resource["Type"], "Properties": properties}


if __name__ == "__main__":
    main()
