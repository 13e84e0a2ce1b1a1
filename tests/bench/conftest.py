import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kickstand.http import surface
from kickstand.kernel import consumers


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Functions write their log lines, but not between the tables."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        for logger in (surface.logger, consumers.logger):
            for handler in logger.handlers:
                monkeypatch.setattr(handler, "stream", nowhere)
        yield
