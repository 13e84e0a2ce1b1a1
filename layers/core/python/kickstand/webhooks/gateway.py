"""The way to receivers, to whoever delivers (SQS), and to the workflow that tries again (Step Functions)."""

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from http.client import HTTPConnection, HTTPException
from queue import Empty, SimpleQueue
from typing import Final, Self

from aws_lambda_powertools import Logger

from kickstand.kernel import aws, executions
from kickstand.webhooks.errors import TargetRefused
from kickstand.webhooks.model import Again, Failure, Lane, Outcome, Replay, Wake
from kickstand.webhooks.rules import Target, is_public, outcome, target

DEADLINE_S: Final = 10.0
"""What an attempt may take in all: the name's resolution, the connection, TLS, the request, and the answer's head."""

_CONNECT_S: Final = 4.0  # so that another address can be tried when one does not answer
_RESOLVE_S: Final = 4.0
_MOST_ADDRESSES: Final = 4
_BATCH: Final = 10

logger = Logger()


class PublishingFailed(Exception):
    """The queue refused messages; whoever sent them tries again."""


# ── Receivers ────────────────────────────────────────────────────────────────────────────────────────────────────────


def anywhere() -> bool:
    """Whether endpoints may be anywhere and without TLS, as on a developer's machine."""
    return os.environ["WEBHOOK_TARGETS"] == "any"


def check(where: Target) -> None:
    """Make sure that events may be sent to a target.

    Raises:
        TargetRefused: its name has no address, or one that is not public.
    """
    try:
        _addresses(where, time.monotonic() + _RESOLVE_S)
    except _Failed as failed:
        reasons = {
            Failure.FORBIDDEN: "The URL's host has an address that is not public",
            Failure.UNRESOLVED: "The URL's host has no address",
            Failure.TIMEOUT: "The URL's host cannot be found in time",
        }
        raise TargetRefused(reasons[failed.failure]) from None


def post(url: str, body: str, stamp: Callable[[], Mapping[str, str]], *, about: str) -> Outcome:
    """Send one request to a receiver; tells what came of it, whatever the receiver does.

    The name is resolved anew and every address it has must be allowed; the connection goes to one of these and is
    proved by the certificate of the name. Redirects are not followed, and of the answer only the head is read.

    Args:
        url: where to.
        body: the JSON document.
        stamp: makes the headers that depend on the time; called when the connection stands.
        about: the delivery, for the log.
    """
    started = time.monotonic()
    try:
        result = _posted(url, body, stamp, started + DEADLINE_S)
    except TargetRefused:
        result = Outcome(failure=Failure.FORBIDDEN)
    except _Failed as failed:
        result = Outcome(failure=failed.failure)
    took = round((time.monotonic() - started) * 1000, 1)
    logger.info("webhook", extra={"about": about, "failure": result.failure, "status": result.status, "ms": took})
    return result


def _posted(url: str, body: str, stamp: Callable[[], Mapping[str, str]], deadline: float) -> Outcome:
    where = target(url, anywhere=anywhere())
    with _Line(_connect(_addresses(where, deadline), where.port, deadline), deadline) as line:
        return _exchange(line, where, body.encode(), stamp)


class _Failed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


def _addresses(where: Target, deadline: float) -> list[str]:
    """The addresses of a target, IPv4 first.

    Resolving knows no deadline, so a thread does it, and nothing else; it is left to itself when it takes too long.
    """
    answers: SimpleQueue[list[str] | None] = SimpleQueue()

    def resolve() -> None:
        try:
            found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        except (OSError, UnicodeError):
            answers.put(None)
        else:
            answers.put([str(address[0]) for *_, address in sorted(found, key=lambda each: each[0] != socket.AF_INET)])

    threading.Thread(target=resolve, name="resolve", daemon=True).start()
    try:
        found = answers.get(timeout=_left(deadline))
    except Empty:
        raise _Failed(Failure.TIMEOUT) from None
    if not found:
        raise _Failed(Failure.UNRESOLVED)
    if not anywhere() and not all(is_public(address) for address in found):
        raise _Failed(Failure.FORBIDDEN)
    return list(dict.fromkeys(found))


def _connect(addresses: Sequence[str], port: int, deadline: float) -> socket.socket:
    failure = Failure.UNREACHABLE
    for address in addresses[:_MOST_ADDRESSES]:
        try:
            return socket.create_connection((address, port), min(_left(deadline), _CONNECT_S))
        except TimeoutError:
            failure = Failure.TIMEOUT
        except OSError:
            continue
    raise _Failed(failure)


class _Line:
    """A connection that is cut at the deadline, whatever is being waited for on it."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self.socket = connected
        self.deadline = deadline
        self._timer = threading.Timer(deadline - time.monotonic(), self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self.socket.settimeout(DEADLINE_S)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self.socket.close()

    @property
    def is_cut(self) -> bool:
        """Whether the deadline has come."""
        return time.monotonic() >= self.deadline

    def _cut(self) -> None:
        try:
            # Not the method of SSLSocket: that one takes the encryption off before it shuts the connection down.
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
        except OSError:
            return  # it has been closed already


def _exchange(line: _Line, where: Target, body: bytes, stamp: Callable[[], Mapping[str, str]]) -> Outcome:
    try:
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if where.scheme == "https":
            line.socket = secured = _tls().wrap_socket(
                line.socket, server_hostname=where.host, do_handshake_on_connect=False
            )
            secured.do_handshake()
        connection = HTTPConnection(where.host, where.port)
        connection.sock = line.socket
        connection.auto_open = 0
        headers = {
            "Host": where.authority,
            "Accept": "*/*",
            "Connection": "close",
            "Content-Type": "application/json",
            "User-Agent": "Kickstand-Webhooks/1",
            **stamp(),
        }
        connection.request("POST", where.path or "/", body, headers)
        return outcome(connection.getresponse().status)
    except ssl.SSLError as error:
        lost = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
        failure = Failure.BROKEN if lost else Failure.INSECURE
    except TimeoutError:
        failure = Failure.TIMEOUT
    except (OSError, HTTPException):
        failure = Failure.BROKEN
    raise _Failed(Failure.TIMEOUT if line.is_cut else failure)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _left(deadline: float) -> float:
    """The seconds until a deadline.

    Raises:
        _Failed: there are none.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise _Failed(Failure.TIMEOUT)
    return left


# ── Whoever delivers ─────────────────────────────────────────────────────────────────────────────────────────────────


def ask(errands: Sequence[Wake | Again | Replay], *, delay_s: int = 0) -> None:
    """Put errands into the queue, to be done in ``delay_s`` seconds at the earliest.

    Raises:
        PublishingFailed: some of them are not there.
    """
    queue = aws.client("sqs")
    for start in range(0, len(errands), _BATCH):
        entries = [
            {
                "Id": str(number),
                "MessageBody": errand.model_dump_json(),
                "DelaySeconds": delay_s,
                # The queue is a fair one: a client whose receivers are slow does not make the others wait.
                "MessageGroupId": str(errand.client_id),
            }
            for number, errand in enumerate(errands[start : start + _BATCH])
        ]
        answer = queue.send_message_batch(QueueUrl=os.environ["WEBHOOK_QUEUE"], Entries=entries)
        if answer.get("Failed"):
            raise PublishingFailed(answer["Failed"][0].get("Code", "unknown"))


def start_workflow(lane: Lane) -> None:
    """Start the workflow that a lane has been handed to; one that runs or ran stays the only one."""
    known = {"client_id": lane.client_id, "endpoint_id": lane.endpoint_id, "subject": lane.subject, "owner": lane.owner}
    executions.start(os.environ["WEBHOOK_WORKFLOW_ARN"], f"webhook-{lane.endpoint_id}-{lane.owner}", known)
