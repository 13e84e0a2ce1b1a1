"""``python -m local serve``: the platform on one machine, until it is interrupted; ``reset`` forgets its state."""

import argparse
import fcntl
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.errors import PlatformError


def main() -> int:
    """Run the command that the arguments name; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local", description="Kickstand on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run the platform until it is interrupted")
    serve.add_argument("--port", type=int, default=int(os.environ.get("PORT", "3000")))
    reset = commands.add_parser("reset", help="forget everything that was kept between two runs")
    for command in (serve, reset):
        command.add_argument("--state", type=Path, default=Path(".local"), help="where everything is kept")
    arguments = parser.parse_args()
    try:
        with _alone(arguments.state):
            if arguments.command == "serve":
                return _serve(arguments.port, arguments.state)
            shutil.rmtree(arguments.state)
            return 0
    except PlatformError as error:
        print(f"cannot {'start' if arguments.command == 'serve' else 'reset'}: {error}", file=sys.stderr)
        return 1


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Keep other platforms away from a folder of state."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise PlatformError(f"a platform is running with its state in {state}; stop it first") from error
        yield


def _serve(port: int, state: Path) -> int:
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    terminal = sys.stdout
    with (state / "functions.log").open("a", buffering=1, encoding="utf-8") as functions_log:
        sys.stdout = functions_log  # what functions write belongs into their log, not between the requests
        handler = logging.StreamHandler(terminal)
        handler.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d %(message)s", "%H:%M:%S"))
        logger = logging.getLogger("local")
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        logger.propagate = False
        try:
            return _run(port, state, interrupted)
        finally:
            sys.stdout = terminal


def _run(port: int, state: Path, interrupted: threading.Event) -> int:
    root = Path(__file__).resolve().parent.parent
    sys.path[:0] = [str(root / "functions"), str(root / "layers" / "core" / "python")]
    from local.server import Platform, Settings  # late: whatever it imports logs to the functions' log

    platform = Platform(Settings(state=state.resolve(), port=port))
    try:
        interrupted.wait()
    finally:
        platform.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
