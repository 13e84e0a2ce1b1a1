"""``python -m local.payments_process``: localstripe as a process of its own, for this machine only.

Started by itself, localstripe listens on all interfaces and keeps what it knows in one file of the machine's temporary
folder, whoever runs it. Here it listens on the loopback interface and keeps it where it is told to.
"""

import argparse
import os
import pickle
import threading
from pathlib import Path

from aiohttp import web
from localstripe import resources, server


def main() -> None:
    """Serve until the process is ended, or who has started it is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--store", type=Path, help="where everything is kept; without it, nowhere")
    arguments = parser.parse_args()
    _keep(arguments.store)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    web.run_app(server.app, host="127.0.0.1", port=arguments.port, print=lambda *_: None, access_log=None)


def _end_with_parent() -> None:
    # Nothing ever comes: it ends when the other side of the pipe is closed. Not by way of ``sys.stdin``, whose lock the
    # interpreter wants when it ends.
    os.read(0, 1)
    os._exit(0)


def _keep(path: Path | None) -> None:
    def save(store: resources.Store) -> None:
        if path is not None:
            unfinished = path.with_suffix(".part")
            unfinished.write_bytes(pickle.dumps(dict(store), protocol=pickle.HIGHEST_PROTOCOL))
            unfinished.replace(path)

    if path is not None and path.exists():
        resources.store.update(pickle.loads(path.read_bytes()))  # noqa: S301 - its own, of the run before
    # localstripe asks for it at every change and at the end of every request that may have changed something.
    resources.Store.dump_to_disk = save


if __name__ == "__main__":
    main()
