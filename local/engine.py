"""The DynamoDB engine: a native one as a child process where it runs, moto's in this process elsewhere."""

import ctypes
import logging
import platform
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import urllib3

from local.errors import PlatformError
from local.stacks import REGION
from local.template import Table
from local.types import Document, Json

_log = logging.getLogger(__name__)
_PACKAGES = Path(__file__).parent / "engine" / "node_modules" / "@dynoxide"
DATABASE = "kickstand.db"
_START_SECONDS = 5.0
_STOP_SECONDS = 3.0
_SYSTEMS = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}
_MACHINES = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class DynamoError(Exception):
    """The engine refused a request; ``code`` is DynamoDB's name of the error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Dynamo:
    """Requests to a DynamoDB endpoint without the weight of an SDK; for the platform's own polling and set-up."""

    def __init__(self, endpoint: str) -> None:
        self._pool = urllib3.connection_from_url(endpoint, maxsize=16, retries=False, timeout=30)
        credential = f"local/20000101/{REGION}/dynamodb/aws4_request"
        self._headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Date": "20000101T000000Z",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0",
        }

    def call(self, operation: str, **request: Json) -> dict[str, Json]:
        """Call an operation of the table API.

        Raises:
            DynamoError: when the engine refuses.
        """
        return self._post(f"DynamoDB_20120810.{operation}", request)

    def call_streams(self, operation: str, **request: Json) -> dict[str, Json]:
        """Call an operation of the streams API.

        Raises:
            DynamoError: when the engine refuses.
        """
        return self._post(f"DynamoDBStreams_20120810.{operation}", request)

    def _post(self, target: str, request: Document) -> dict[str, Json]:
        response = self._pool.request("POST", "/", headers={**self._headers, "X-Amz-Target": target}, json=request)
        answer: dict[str, Json] = response.json() if response.data else {}
        if response.status != 200:  # noqa: PLR2004 - HTTP's OK
            code = str(answer.get("__type", response.status)).rsplit("#", 1)[-1]
            raise DynamoError(code, str(answer.get("message", answer.get("Message", ""))))
        return answer


class Engine:
    """The native engine as a child process that ends with this process, however this process ends."""

    def __init__(self, binary: Path, port: int, folder: Path) -> None:
        """Start it on ``port`` of the loopback interface, with its database and its log in ``folder``.

        Raises:
            PlatformError: when it does not come up.
        """
        self.endpoint = f"http://127.0.0.1:{port}"
        self._log_path = folder / "engine.log"
        command = [
            str(binary),
            "serve",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--db-path",
            str(folder / DATABASE),
        ]
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # an interrupt from the terminal reaches the platform only
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one system call
            )
        try:
            self._wait_until_healthy()
            _index_streams(folder / DATABASE)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        with urllib3.connection_from_url(self.endpoint, retries=False, timeout=1) as pool:
            while time.monotonic() < deadline:
                if self._process.poll() is not None:
                    reason = self._log_path.read_text(errors="replace").strip()
                    raise PlatformError(f"the DynamoDB engine ended at its start: {reason}")
                try:
                    pool.request("GET", "/")
                except urllib3.exceptions.HTTPError:
                    time.sleep(0.005)
                else:
                    return
        raise PlatformError(f"the DynamoDB engine did not answer within {_START_SECONDS:.0f} s")


def _index_streams(database: Path) -> None:
    """Let the engine find stream records by their number.

    It numbers every record by looking for the greatest number so far, and reads streams from a number on, both without
    an index: each write and each look at a stream would take longer than the one before.
    """
    with closing(sqlite3.connect(database)) as connection:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_stream_records'").fetchone()
        if known is None:
            _log.warning("the DynamoDB engine keeps its streams in a way that is not known: it may become slow")
            return
        connection.execute(
            "CREATE INDEX IF NOT EXISTS _stream_numbers"
            " ON _stream_records (table_name, CAST(sequence_number AS INTEGER))"
        )


def find_binary() -> Path | None:
    """The native engine for this machine, when it is installed and runs."""
    system, machine = _SYSTEMS.get(platform.system()), _MACHINES.get(platform.machine())
    for name in ("dynoxide", "dynoxide.exe"):
        binary = _PACKAGES / f"{system}-{machine}" / name
        if binary.exists() and _runs(binary):
            return binary
    return None


def create_tables(dynamo: Dynamo, tables: Iterable[Table]) -> None:
    """Create the tables that do not exist yet.

    Raises:
        PlatformError: when an existing table has other keys or indexes than the template says.
    """
    for table in tables:
        try:
            existing = dynamo.call("DescribeTable", TableName=table.name)["Table"]
        except DynamoError as error:
            if error.code != "ResourceNotFoundException":
                raise
            dynamo.call("CreateTable", **table.definition)
            if table.ttl_attribute:
                expiry = {"Enabled": True, "AttributeName": table.ttl_attribute}
                dynamo.call("UpdateTimeToLive", TableName=table.name, TimeToLiveSpecification=expiry)
            continue
        if _shape(existing) != _shape(table.definition):
            raise PlatformError(
                f"the table {table.name} in the state folder has another shape than the template: reset it"
            )


def _shape(definition: Document) -> Json:
    """What cannot change in place: keys, indexes, the stream."""
    indexes = {
        index["IndexName"]: (_keys(index["KeySchema"]), index["Projection"].get("ProjectionType"))
        for group in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
        for index in definition.get(group) or []
    }
    return _keys(definition["KeySchema"]), indexes, definition.get("StreamSpecification", {}).get("StreamViewType")


def _keys(schema: Json) -> set[tuple[str, str]]:
    return {(part["AttributeName"], part["KeyType"]) for part in schema}


def _runs(binary: Path) -> bool:
    try:
        return subprocess.run([str(binary), "--version"], capture_output=True, timeout=5, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("the DynamoDB engine %s does not run here: %s", binary.name, error)
        return False


def _die_with_parent() -> None:
    """Ask Linux to end this process with the thread that started it."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
