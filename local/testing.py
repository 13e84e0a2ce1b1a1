"""The platform inside a test's own process.

Ports are chosen once per process and used again by the next platform, so that clients which handlers keep between
invocations stay valid.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from local.server import Platform, Settings, Tables, free_port


@functools.cache
def _ports() -> tuple[int, int, int, int]:
    return free_port(), free_port(), free_port(), free_port()


def settings(state: Path, *, seed: bool = True) -> Settings:
    """The settings of the project's platform on free ports, for a test to change."""
    port, aws_port, engine_port, payments_port = _ports()
    return Settings(
        state=state, port=port, aws_port=aws_port, engine_port=engine_port, payments_port=payments_port, seed=seed
    )


@contextmanager
def running_platform(state: Path, *, seed: bool = True, base: Settings | None = None) -> Iterator[Platform]:
    """The platform, ready, with its state in the folder ``state``; it stops at the end of the block.

    Args:
        state: the folder; a second platform on the same folder goes on where the first one stopped.
        seed: whether an empty city is filled with the demo.
        base: other settings than the project's, such as another template; ports and state are set here.
    """
    chosen = settings(state, seed=seed)
    if base is not None:
        chosen = replace(
            base,
            state=state,
            port=chosen.port,
            aws_port=chosen.aws_port,
            engine_port=chosen.engine_port,
            payments_port=chosen.payments_port,
            seed=seed,
        )
    platform = Platform(chosen)
    try:
        yield platform
    finally:
        platform.stop()


@contextmanager
def running_tables(state: Path, *, base: Settings | None = None) -> Iterator[Tables]:
    """The template's empty tables on the atomic engine and the environment of its functions, and nothing else."""
    chosen = settings(state)
    if base is not None:
        chosen = replace(base, state=state, engine_port=chosen.engine_port)
    tables = Tables(chosen, endpoint=f"http://127.0.0.1:{chosen.aws_port}")
    try:
        tables.create()
        yield tables
    finally:
        tables.stop()
