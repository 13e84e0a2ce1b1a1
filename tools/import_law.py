"""The law of layers, as contracts for import-linter.

Patterns name modules: ``*`` stands for one part of a dotted name, and a pattern covers everything below what it
matches, so ``kickstand.*.rules`` covers the rules of every context that exists or will exist. ``stdlib`` stands for
the standard library.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

Violation = tuple[str, str, tuple[int, ...]]


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    parts = ("[^.]+" if part == "*" else re.escape(part) for part in pattern.split("."))
    return re.compile(r"\.".join(parts) + r"(\..+)?")


def matches(module: str, patterns: Iterable[str]) -> bool:
    """Tell whether a module falls under one of the patterns."""
    for pattern in patterns:
        if pattern == "stdlib":
            if module.partition(".")[0] in sys.stdlib_module_names:
                return True
        elif _expression(pattern).fullmatch(module):
            return True
    return False


def _patterns(field: object) -> tuple[str, ...]:
    # A contract's fields are declared on the class and hold the configured values on the instance.
    return tuple(cast("Iterable[str]", field))


def _imports(graph: ImportGraph) -> Iterator[tuple[str, str]]:
    for importer in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            yield importer, imported


def _check(graph: ImportGraph, broken: Iterable[tuple[str, str]]) -> ContractCheck:
    violations: list[Violation] = []
    for importer, imported in broken:
        details = graph.get_import_details(importer=importer, imported=imported)
        violations.append((importer, imported, tuple(sorted({detail["line_number"] for detail in details}))))
    return ContractCheck(kept=not violations, metadata={"violations": violations})


def _render(check: ContractCheck) -> None:
    for importer, imported, lines in check.metadata["violations"]:
        places = ", ".join(f"l.{line}" for line in lines)
        output.print_error(f"{importer} imports {imported} ({places})", bold=False)
    output.new_line()


class OnlyContract(Contract):
    """Modules that may import nothing but what is listed; ``denied`` takes modules out of ``allowed`` again."""

    type_name = "only"

    importers = fields.ListField(subfield=fields.StringField())
    exempt = fields.ListField(subfield=fields.StringField(), required=False, default=[])
    allowed = fields.ListField(subfield=fields.StringField())
    denied = fields.ListField(subfield=fields.StringField(), required=False, default=[])

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Find imports by ``importers`` that are not allowed."""
        del verbose
        broken = [
            (importer, imported)
            for importer, imported in _imports(graph)
            if matches(importer, _patterns(self.importers))
            and not matches(importer, _patterns(self.exempt))
            and (not matches(imported, _patterns(self.allowed)) or matches(imported, _patterns(self.denied)))
        ]
        return _check(graph, broken)

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print every import that breaks the contract."""
        _render(check)


class KeptContract(Contract):
    """Modules that only the listed importers may import."""

    type_name = "kept"

    modules = fields.ListField(subfield=fields.StringField())
    importers = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Find imports of ``modules`` by anyone else."""
        del verbose
        kept, allowed = _patterns(self.modules), _patterns(self.importers)
        broken = [
            (importer, imported)
            for importer, imported in _imports(graph)
            if matches(imported, kept) and not matches(importer, allowed + kept)
        ]
        return _check(graph, broken)

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print every import that breaks the contract."""
        _render(check)
