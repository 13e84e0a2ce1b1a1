"""Zips are made the same from the same sources, and never without the right interpreter."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import package
from tools.registry import ROOT


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    folder = tmp_path / "stage"
    for name, text in {"b/module.py": "X = 1\n", "a.py": "Y = 2\n"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_same_sources_make_the_same_bytes(stage: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    package.write(stage, first)
    for path in stage.rglob("*.py"):
        os.utime(path, (0, 1_000_000_000))
    package.write(stage, second)
    assert first.read_bytes() == second.read_bytes()


def test_entries_are_sorted_dated_alike_and_readable_by_all(stage: Path, tmp_path: Path) -> None:
    package.write(stage, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == ["a.py", "b/module.py"]
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}


def test_bytecode_is_trusted_without_its_source(stage: Path) -> None:
    package.compile_all(stage, Path(sys.executable), "/opt")
    (compiled,) = (stage / "b" / "__pycache__").iterdir()
    flags = int.from_bytes(compiled.read_bytes()[4:8], "little")
    assert flags == 0b01, "checked by hash, and the hash never compared"
    assert str(stage).encode() not in compiled.read_bytes()
    assert b"/opt/b/module.py" in compiled.read_bytes()


def test_what_no_function_needs_is_left_out(tmp_path: Path) -> None:
    kept = [
        "numpy/core.py",
        "numpy/_tests_helper.py",
        "x-1.dist-info/METADATA",
        "botocore/data/dynamodb/2012/service.json",
    ]
    dropped = [
        "numpy/tests/test_core.py",
        "numpy/core.pyi",
        "x-1.dist-info/RECORD",
        "botocore/data/ec2/2016/service.json",
    ]
    for name in (*kept, *dropped, "botocore/data/endpoints.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    package.strip(tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*kept, "botocore/data/endpoints.json"}


def test_sources_of_functions_are_packaged_and_nothing_else(tmp_path: Path) -> None:
    package._copy_sources(ROOT / "functions" / "checkout", tmp_path)
    copied = {path.name for path in tmp_path.iterdir()}
    assert {"__init__.py", "_pages.py", "_script.js"} <= copied
    assert not {"template.yaml", "openapi.json"} & copied


def test_services_that_are_called_are_packaged() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "layers" / "core").rglob("*.py")]
    called = {name for text in sources for name in package.SERVICE_CALL.findall(text)}
    assert called
    assert called <= package.AWS_SERVICES


def test_packaging_fails_without_the_deployed_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def other(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 0, stdout="3.11\n")

    monkeypatch.setattr(subprocess, "run", other)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with pytest.raises(package.PackagingError, match=r"no Python 3\.13 found.*PYTHON_RUNTIME"):
        package.runtime_interpreter()
