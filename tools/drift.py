"""Checks that generated files are what would be generated now: ``python -m tools.drift``."""

import difflib
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from tools.generate import generated
from tools.registry import ROOT

_SHOWN_LINES: Final = 40


def drift(files: Iterable[tuple[Path, str]]) -> Iterator[str]:
    """One message, with the beginning of the difference, for every file that is not what it must be."""
    for path, text in files:
        name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
        if not path.exists():
            yield f"{name} is missing"
            continue
        found = path.read_text(encoding="utf-8")
        if found != text:
            lines = difflib.unified_diff(found.splitlines(), text.splitlines(), name, "generated now", lineterm="")
            yield "\n".join(islice(lines, _SHOWN_LINES))


def main() -> None:
    """Fail when anything has drifted."""
    found = list(drift(generated()))
    if found:
        sys.exit("\n".join(found) + "\ndrift: run 'make generate' and commit")


if __name__ == "__main__":
    main()
