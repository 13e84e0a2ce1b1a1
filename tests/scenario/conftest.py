"""Stories about the running platform, told over HTTP."""

from collections.abc import Iterator

import pytest

from tests.support.town import Town, running_town


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The demo's two cities, for all stories of one file."""
    with running_town(tmp_path_factory.mktemp("town")) as running:
        yield running
