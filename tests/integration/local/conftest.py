from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import urllib3

from local.server import ROOT, Platform, Settings
from local.testing import running_platform
from tests.integration.local.fixtures.handlers import reactions as handlers

FIXTURES = Path(__file__).parent / "fixtures"
BASE = Settings(
    state=Path(),
    template=FIXTURES / "template.yaml",
    roots=(ROOT, ROOT / "layers" / "core" / "python"),
    documents=FIXTURES,
    parameters={},
)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with running_platform(tmp_path_factory.mktemp("state"), seed=False, base=BASE) as running:
        yield running


@pytest.fixture(scope="module")
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=30) as pool:
        yield pool


@pytest.fixture
def reactions(platform: Platform) -> ModuleType:
    platform.settle()
    handlers.reset()
    return handlers
