"""Makes the zips that are deployed: ``build/functions/<package>.zip`` and ``build/layers/<layer>.zip``.

Same sources, same bytes: entries are sorted and dated alike, so a deployment uploads only what changed. Bytecode is
made beforehand for the deployed runtime, because Lambda's file system keeps none, and is trusted without a look at the
sources.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tools.registry import ROOT, root_template

BUILD: Final = ROOT / "build"
LIMIT: Final = 250 * 1024 * 1024
"""What a function and its layers may unpack to, in bytes."""

AWS_SERVICES: Final = frozenset(
    {"dynamodb", "events", "iot-data", "kms", "s3", "secretsmanager", "sesv2", "sns", "sqs", "stepfunctions", "sts"}
)
"""Services whose description botocore needs at run time; the others would triple the base layer."""

SERVICE_CALL: Final = re.compile(r"""client\(\s*["']([a-z0-9-]+)["']""")
"""How sources name a service that they call."""

TOGETHER: Final = {"reactions": ("maas",)}
"""Packages of functions that others carry along: who tells of a surface's events speaks in its words."""

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_SOURCES: Final = frozenset({".py", ".js"})
_JUNK_FOLDERS: Final = frozenset({"__pycache__", "bin", "tests", "f2py", "include"})
_JUNK_SUFFIXES: Final = frozenset({".pyi", ".pxd", ".pyx", ".pxi", ".c", ".h", ".hpp", ".a", ".lib"})
_JUNK_METADATA: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json", "entry_points.txt"})


class PackagingError(Exception):
    """Why there are no zips, for the person who asked for them."""


def main() -> None:
    """Make all zips and print their sizes."""
    started = time.monotonic()
    try:
        python = runtime_interpreter()
        for layer in layers():
            package_layer(layer, python)
        for package in functions():
            package_function(package, python)
        report()
    except PackagingError as error:
        sys.exit(f"make package: {error}")
    print(f"packaged in {time.monotonic() - started:.0f} s")


def layers() -> list[str]:
    """The names of all layers."""
    return ["core", *sorted(path.stem.removeprefix("layer-") for path in (ROOT / "requirements").glob("layer-*.in"))]


def functions() -> list[str]:
    """The names of all packages of functions."""
    return sorted(path.parent.name for path in (ROOT / "functions").glob("*/__init__.py"))


def runtime() -> str:
    """The Python version that functions run on, such as ``3.13``."""
    return str(root_template()["Globals"]["Function"]["Runtime"]).removeprefix("python")


def runtime_interpreter() -> Path:
    """An interpreter of the deployed version, which alone can make its bytecode.

    Raises:
        PackagingError: there is none on this machine.
    """
    version = runtime()
    candidates = [
        os.environ.get("PYTHON_RUNTIME"),
        sys.executable,
        shutil.which(f"python{version}"),
        *(str(path) for path in sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/python{version}"))),
        *(
            str(path)
            for path in sorted(Path.home().glob(f".local/share/uv/python/cpython-{version}*/bin/python{version}"))
        ),
    ]
    probe = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in filter(None, candidates):
        answer = subprocess.run([candidate, "-c", probe], capture_output=True, text=True, check=False)
        if answer.stdout.strip() == version:
            return Path(candidate)
    msg = (
        f"no Python {version} found. Bytecode for the deployed runtime can only be made by that version: "
        f"install it (`.venv/bin/uv python install {version}`) or name it in PYTHON_RUNTIME."
    )
    raise PackagingError(msg)


def package_function(package: str, python: Path) -> None:
    """Zip one package of ``functions/``, with those that it carries along."""
    with TemporaryDirectory() as folder:
        stage = Path(folder)
        for each in (package, *TOGETHER.get(package, ())):
            _copy_sources(ROOT / "functions" / each, stage / each)
        compile_all(stage, python, "/var/task")
        write(stage, BUILD / "functions" / f"{package}.zip")


def package_layer(layer: str, python: Path) -> None:
    """Zip one layer: ours from its sources, the others from their locked wheels for the deployed platform."""
    target = BUILD / "layers" / f"{layer}.zip"
    with TemporaryDirectory() as folder:
        stage = Path(folder)
        if layer == "core":
            _copy_sources(ROOT / "layers" / "core" / "python", stage / "python")
            compile_all(stage, python, "/opt")
            write(stage, target)
            return
        lock = ROOT / "requirements" / f"layer-{layer}.txt"
        made_from = hashlib.sha256(lock.read_bytes() + Path(__file__).read_bytes() + runtime().encode()).hexdigest()
        stamp = target.with_suffix(".sha256")
        if target.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == made_from:
            return
        _install(lock, stage / "python")
        strip(stage / "python")
        compile_all(stage, python, "/opt")
        write(stage, target)
        stamp.write_text(made_from, encoding="ascii")


def report() -> None:
    """Print the size of every zip, and how much of the limit the heaviest function takes.

    Raises:
        PackagingError: a function with its layers would be refused.
    """
    unpacked = {}
    print(f"{'':<24}{'zip':>10}{'unpacked':>12}")
    for name in [*(f"functions/{name}" for name in functions()), *(f"layers/{name}" for name in layers())]:
        path = BUILD / f"{name}.zip"
        with zipfile.ZipFile(path) as archive:
            unpacked[name] = sum(entry.file_size for entry in archive.infolist())
        print(f"{name:<24}{_mb(path.stat().st_size):>10}{_mb(unpacked[name]):>12}")
    largest_function = max(size for name, size in unpacked.items() if name.startswith("functions/"))
    total = largest_function + sum(size for name, size in unpacked.items() if name.startswith("layers/"))
    print(f"a function with every layer: {_mb(total)} of {_mb(LIMIT)} ({total / LIMIT:.0%})")
    if total > LIMIT:
        msg = "a function with every layer is larger than Lambda allows"
        raise PackagingError(msg)


def _copy_sources(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        if path.suffix in _SOURCES or path.name == "py.typed":
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def _install(lock: Path, target: Path) -> None:
    # Lambda's Amazon Linux 2023 has glibc 2.34, so wheels for 2.28 and older run there.
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary=:all:", f"--python-version={runtime()}", "--python-platform=aarch64-manylinux_2_28"]
    command += [f"--target={target}", f"--requirement={lock}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        msg = f"the wheels of {lock.name} cannot be fetched:\n{answer.stderr}"
        raise PackagingError(msg)


def strip(packages: Path) -> None:
    """Drop what no function needs: tests, sources of extensions, installer's notes, services never called."""
    for path in sorted(packages.rglob("*"), reverse=True):
        if path.is_dir():
            if path.name in _JUNK_FOLDERS:
                shutil.rmtree(path)
        elif path.suffix in _JUNK_SUFFIXES or (path.parent.suffix == ".dist-info" and path.name in _JUNK_METADATA):
            path.unlink()
    for path in (packages / "botocore" / "data").glob("*/"):
        if path.is_dir() and path.name not in AWS_SERVICES:
            shutil.rmtree(path)


def compile_all(stage: Path, python: Path, deployed: str) -> None:
    """Make bytecode for what is going to stand below ``deployed``."""
    command = [str(python), "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(stage), "-p", deployed, str(stage)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})


def write(stage: Path, target: Path) -> None:
    """Zip a folder, the same bytes for the same contents."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in _files(stage):
            entry = zipfile.ZipInfo(path.relative_to(stage).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, path.read_bytes())
    unfinished.replace(target)


def _files(stage: Path) -> Iterator[Path]:
    return iter(sorted(path for path in stage.rglob("*") if path.is_file()))


def _mb(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB"


if __name__ == "__main__":
    main()
