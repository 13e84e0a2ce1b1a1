"""The way to a receiver: what is refused, what is believed, and that ten seconds are ten seconds."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kickstand.webhooks import gateway
from kickstand.webhooks.errors import TargetRefused
from kickstand.webhooks.model import Failure, Outcome
from kickstand.webhooks.rules import target
from tests.support.receivers import Received, Receiver, running_receiver

NAME: Final = "receiver.test"
SUCCESS: Final = Outcome(failure=None, status=200)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("WEBHOOK_TARGETS", "any")
    with running_receiver() as running:
        yield running


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second has to do instead of ten."""
    monkeypatch.setattr(gateway, "DEADLINE_S", 0.5)


def post(url: str, body: str = '{"a":1}') -> Outcome:
    return gateway.post(url, body, lambda: {"Signature": "t=1,v0=2", "uowid": "7.trip.1"}, about="7.trip.1")


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name have these addresses; answers the names that are asked for."""
    asked: list[str] = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in each], socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def connecting(monkeypatch: pytest.MonkeyPatch, port: int | None = None) -> list[str]:
    """Lead every connection to a port of this machine, or nowhere; answers the addresses that were wanted."""
    wanted: list[str] = []

    def lead(address: tuple[str, int], timeout: float) -> socket.socket:
        wanted.append(address[0])
        if port is None:
            raise ConnectionRefusedError
        connection = socket.socket()
        connection.settimeout(timeout)
        connection.connect(("127.0.0.1", port))
        return connection

    monkeypatch.setattr(socket, "create_connection", lead)
    return wanted


# ── What is sent ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_is_a_document_with_its_headers(receiver: Receiver) -> None:
    assert post(f"{receiver.url}/hooks/trips/events", '{"æ":1}') == SUCCESS
    (got,) = receiver.got
    assert got.path == "/hooks/trips/events"
    assert got.body == '{"æ":1}'.encode()
    host = receiver.url.removeprefix("http://")
    assert {name: got.headers[name] for name in ("host", "signature", "uowid", "content-type", "connection")} == {
        "host": host,
        "signature": "t=1,v0=2",
        "uowid": "7.trip.1",
        "content-type": "application/json",
        "connection": "close",
    }
    assert got.headers["user-agent"].startswith("Kickstand-Webhooks/")


def test_a_base_without_a_path_is_its_root(receiver: Receiver) -> None:
    post(receiver.url)
    assert receiver.got[0].path == "/"


def test_the_signature_is_made_when_the_connection_stands(receiver: Receiver) -> None:
    order: list[str] = []

    def stamp() -> dict[str, str]:
        order.append("stamped")
        return {}

    def take(_: Received, _connection: socket.socket) -> int:
        order.append("received")
        return 200

    receiver.conduct = take
    gateway.post(receiver.url, "{}", stamp, about="")
    assert order == ["stamped", "received"]
    with running_receiver() as gone:
        url = gone.url
    gateway.post(url, "{}", stamp, about="")
    assert order == ["stamped", "received"]


# ── What answers mean ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (200, None),
        (204, None),
        (302, Failure.STATUS),
        (410, Failure.GONE),
        (429, Failure.STATUS),
        (500, Failure.STATUS),
    ],
)
def test_statuses(receiver: Receiver, status: int, failure: Failure | None) -> None:
    receiver.conduct = lambda *_: status
    assert post(receiver.url) == Outcome(failure=failure, status=status)


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    def redirect(_: Received, connection: socket.socket) -> None:
        head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {receiver.url}/other\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(head.encode())

    receiver.conduct = redirect
    assert post(receiver.url) == Outcome(failure=Failure.STATUS, status=307)
    assert [each.path for each in receiver.got] == ["/"]


def test_only_the_head_of_an_answer_is_read(receiver: Receiver, hurry: None) -> None:
    def endless(_: Received, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _chunk in range(100):
            connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            time.sleep(0.05)

    receiver.conduct = endless
    assert post(receiver.url) == SUCCESS


def raw(*parts: bytes, pause: float = 0.0) -> Callable[[Received, socket.socket], None]:
    def answer(_: Received, connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)

    return answer


@pytest.mark.parametrize(
    "conduct",
    [
        raw(),
        raw(b"HTTP/1.1 20"),
        raw(b"\x16\x03\x01\x00\xa5"),
        raw(b"200 OK\r\n\r\n"),
        raw(b"HTTP/1.1 abc OK\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"),
    ],
    ids=["nothing", "half a line", "tls", "no http", "no status", "many headers", "a long header"],
)
def test_who_dies_or_babbles_has_taken_nothing(receiver: Receiver, conduct: Any) -> None:
    receiver.conduct = conduct
    assert post(receiver.url) == Outcome(failure=Failure.BROKEN)


def test_who_has_said_so_has_taken_it(receiver: Receiver) -> None:
    receiver.conduct = raw(b"HTTP/1.1 200 OK\r\nContent-")
    assert post(receiver.url) == SUCCESS


def test_who_dies_while_reading_has_taken_nothing(receiver: Receiver) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def die() -> None:
            connection, _ = listener.accept()
            connection.recv(10)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            connection.close()  # with a reset

        threading.Thread(target=die, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert post(url, f'"{"x" * 1_000_000}"') == Outcome(failure=Failure.BROKEN)


def test_nobody_there(receiver: Receiver) -> None:
    with running_receiver() as gone:
        url = gone.url
    assert post(url) == Outcome(failure=Failure.UNREACHABLE)


# ── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def in_time(url: str) -> Outcome:
    started = time.monotonic()
    outcome = post(url)
    assert 0.3 < time.monotonic() - started < 2.5
    return outcome


def test_a_slow_answer_is_not_waited_for(receiver: Receiver, hurry: None) -> None:
    receiver.conduct = raw(b"", b"HTTP/1.1 200 OK\r\n\r\n", pause=5)
    assert in_time(receiver.url) == Outcome(failure=Failure.TIMEOUT)


def test_nor_is_one_that_comes_drop_by_drop(receiver: Receiver, hurry: None) -> None:
    receiver.conduct = raw(*(bytes([each]) for each in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), pause=0.1)
    assert in_time(receiver.url) == Outcome(failure=Failure.TIMEOUT)


def test_nor_one_that_is_always_about_to_come(receiver: Receiver, hurry: None) -> None:
    receiver.conduct = raw(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 40, pause=0.05)
    assert in_time(receiver.url) == Outcome(failure=Failure.TIMEOUT)


def test_who_reads_slowly_is_not_waited_for(receiver: Receiver, hurry: None) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        started = time.monotonic()
        assert post(url, f'"{"x" * 20_000_000}"') == Outcome(failure=Failure.TIMEOUT)
        assert time.monotonic() - started < 2.5


def test_nor_who_does_not_greet(monkeypatch: pytest.MonkeyPatch, hurry: None) -> None:
    monkeypatch.setenv("WEBHOOK_TARGETS", "any")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        assert in_time(url) == Outcome(failure=Failure.TIMEOUT)


def test_a_name_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch, hurry: None) -> None:
    never = threading.Event()
    late: list[Any] = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: late if never.wait(9) else [])
    wanted = connecting(monkeypatch)
    assert in_time(f"https://{NAME}") == Outcome(failure=Failure.TIMEOUT)
    never.set()
    for thread in threading.enumerate():
        if thread.name == "resolve":
            thread.join()
    assert wanted == []  # whoever resolved it late has not gone on


def test_an_address_that_does_not_answer_leaves_time_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_TARGETS", "any")
    resolving(monkeypatch, "192.0.2.1", "192.0.2.2")
    waits: list[tuple[str, float]] = []

    def wait(address: tuple[str, int], timeout: float) -> socket.socket:
        waits.append((address[0], timeout))
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", wait)
    assert post(f"https://{NAME}") == Outcome(failure=Failure.TIMEOUT)
    assert [address for address, _ in waits] == ["192.0.2.1", "192.0.2.2"]
    assert max(timeout for _, timeout in waits) <= gateway.DEADLINE_S / 2


# ── Where to ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("169.254.169.254",),
        ("10.1.2.3",),
        ("::1",),
        ("::ffff:8.8.8.8",),
        ("fd00:ec2::254",),
        ("8.8.8.8", "127.0.0.1"),
        ("2a00:1450:4001:801::200e", "192.168.1.1"),
    ],
)
def test_no_connection_is_made_to_a_name_with_an_address_that_is_not_public(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    resolving(monkeypatch, *addresses)
    wanted = connecting(monkeypatch)
    assert post(f"https://{NAME}") == Outcome(failure=Failure.FORBIDDEN)
    assert wanted == []
    with pytest.raises(TargetRefused, match="not public"):
        gateway.check(target(f"https://{NAME}", anywhere=False))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0", "[::1]", "[::ffff:127.0.0.1]"])
def test_this_machine_is_refused_however_it_is_written(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    wanted = connecting(monkeypatch)
    assert post(f"https://{host}/").failure in {Failure.FORBIDDEN, Failure.UNRESOLVED}
    assert wanted == []


def test_a_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolving(monkeypatch, "2606:4700::1111", "8.8.8.8", "8.8.4.4")
    wanted = connecting(monkeypatch)
    assert post(f"https://{NAME}") == Outcome(failure=Failure.UNREACHABLE)
    assert asked == [NAME]  # nobody could answer something else the second time
    assert wanted == ["8.8.8.8", "8.8.4.4", "2606:4700::1111"]


def test_a_name_without_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: Any, **__: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    assert post(f"https://{NAME}") == Outcome(failure=Failure.UNRESOLVED)
    with pytest.raises(TargetRefused, match="no address"):
        gateway.check(target(f"https://{NAME}", anywhere=False))


def test_a_target_that_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "8.8.8.8")
    gateway.check(target(f"https://{NAME}", anywhere=False))


def test_what_was_registered_when_anything_would_do_is_judged_anew(receiver: Receiver, monkeypatch: Any) -> None:
    monkeypatch.setenv("WEBHOOK_TARGETS", "public")
    assert post(receiver.url) == Outcome(failure=Failure.FORBIDDEN)
    assert receiver.got == []


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the receiver's name, which is its own authority, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "receiver.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def secured(authority: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver with TLS, at a public address as far as the gateway knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    with running_receiver(context) as running:
        resolving(monkeypatch, "8.8.8.8")
        connecting(monkeypatch, int(running.url.rpartition(":")[2]))
        yield running


def trusting(monkeypatch: pytest.MonkeyPatch, authority: Path) -> None:
    context = ssl.create_default_context(cafile=str(authority))
    monkeypatch.setattr(gateway, "_tls", lambda: context)


def test_the_certificate_is_that_of_the_name(
    secured: Receiver, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting(monkeypatch, authority)
    assert post(f"https://{NAME}/hooks") == SUCCESS
    assert secured.got[0].headers["host"] == NAME
    assert post("https://other.test/hooks") == Outcome(failure=Failure.INSECURE)
    assert len(secured.got) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(secured: Receiver) -> None:
    assert post(f"https://{NAME}/hooks") == Outcome(failure=Failure.INSECURE)
    assert secured.got == []


def test_who_speaks_no_tls_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_TARGETS", "any")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def greet() -> None:
            connection, _ = listener.accept()
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.recv(10_000)
            connection.close()

        threading.Thread(target=greet, daemon=True).start()
        assert post(f"https://127.0.0.1:{listener.getsockname()[1]}") == Outcome(failure=Failure.INSECURE)


def test_a_secured_answer_is_not_waited_for_either(
    secured: Receiver, authority: Path, monkeypatch: pytest.MonkeyPatch, hurry: None
) -> None:
    trusting(monkeypatch, authority)
    secured.conduct = raw(*(bytes([each]) for each in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), pause=0.1)
    assert in_time(f"https://{NAME}/hooks") == Outcome(failure=Failure.TIMEOUT)
