"""Writes every generated file: ``python -m tools.generate``."""

from collections.abc import Iterator
from pathlib import Path

from tools import coverage, events, openapi, templates
from tools.registry import ROOT, surfaces


def generated() -> Iterator[tuple[Path, str]]:
    """Every generated file of the repository, with the text it must have."""
    for surface in surfaces():
        folder = ROOT / "functions" / surface.name
        yield folder / "template.yaml", templates.render(surface)
        yield folder / "openapi.json", openapi.render(surface)
    yield ROOT / "docs" / "coverage.md", coverage.render()
    for name, text in events.render():
        yield ROOT / "events" / name, text


def main() -> None:
    """Write what differs, and say so."""
    for path, text in generated():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
