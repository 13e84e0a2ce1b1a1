"""The platform as a whole: what starts in which order, and how it ends."""

import importlib
import importlib.util
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

from kickstand.kernel import aws, items
from local import payments, webhooks
from local.api import Gateway
from local.aws import AwsEndpoint, Services
from local.browser import Browser
from local.bus import Bus, Delivery
from local.clock import Clock
from local.control import Control
from local.docs import Docs
from local.engine import Dynamo, Engine, create_tables, find_binary
from local.errors import PlatformError
from local.functions import Functions
from local.keys import Keys
from local.objects import Objects
from local.outbox import Outbox
from local.queues import QueueReader, Queues
from local.schedules import Schedules
from local.stacks import REGION
from local.state import State
from local.streams import StreamReader
from local.template import load
from local.types import Json
from local.vehicles import Vehicles
from local.workflows import Workflows
from local.wsgi import Request, Response, Server, application, json_response

_log = logging.getLogger(__name__)
DEVELOPMENT: Mapping[str, str] = {
    "WebhookTargets": "any",
    "CheckoutUrl": "http://127.0.0.1:{port}/checkout",
    "PaymentProviderUrl": "http://127.0.0.1:{payments_port}",
}
"""What the template's parameters are on a developer's machine: receivers of webhooks run there too.

``{port}`` stands for the port of the APIs, ``{payments_port}`` for the one of the payment provider.
"""

ROOT = Path(__file__).resolve().parent.parent
_API_THREADS = 32
_AWS_THREADS = 32
_PAYMENTS_THREADS = 8
_QUIET_SECONDS = 0.02
_SWITCH_SECONDS = 0.0005  # a request gives up the interpreter at each read of the network, and must get it back soon
_SECRET = "local"  # noqa: S105 - the credentials of this machine's own endpoint


@dataclass(frozen=True)
class Settings:
    """Where the platform finds things; ports of 0 are chosen."""

    state: Path
    port: int = 3000
    aws_port: int = 0
    engine_port: int = 0
    payments_port: int = 0
    template: Path = ROOT / "template.yaml"
    roots: tuple[Path, ...] = (ROOT / "functions", ROOT / "layers" / "core" / "python")
    documents: Path = ROOT / "functions"
    seed: bool = True
    parameters: Mapping[str, str] = field(default_factory=lambda: DEVELOPMENT)


class Tables:
    """The template, its functions' environment and its tables on the DynamoDB engine."""

    def __init__(self, settings: Settings, endpoint: str) -> None:
        """Start the engine; ``endpoint`` is for everything else, and for tables where no engine runs."""
        settings.state.mkdir(parents=True, exist_ok=True)
        ports = {"port": settings.port, "payments_port": settings.payments_port}
        parameters = {name: value.format(**ports) for name, value in settings.parameters.items()}
        self.template = load(settings.template, endpoint, parameters)
        binary = find_binary()
        self._engine = Engine(binary, settings.engine_port or free_port(), settings.state) if binary else None
        if self._engine is None:
            _log.warning(
                "no DynamoDB engine runs on this machine: moto takes its place, slower and without persistence"
            )
        self.endpoint = self._engine.endpoint if self._engine else endpoint
        self.dynamo = Dynamo(self.endpoint)
        self.environment = {
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ENDPOINT_URL_DYNAMODB": self.endpoint,
            **self.template.environment,
        }
        self._environment = dict(os.environ)
        os.environ.update(self.environment)
        os.environ.pop("AWS_SESSION_TOKEN", None)
        os.environ.pop("AWS_PROFILE", None)
        _disconnect()

    def create(self) -> None:
        """Create the tables that do not exist yet."""
        create_tables(self.dynamo, self.template.tables.values())

    def stop(self) -> None:
        """End the engine and put the environment back."""
        if self._engine:
            self._engine.stop()
        os.environ.clear()
        os.environ.update(self._environment)
        _disconnect()


def _disconnect() -> None:
    items.disconnect()
    aws.disconnect()


class Platform:
    """The running platform. Starting it changes this process's environment variables; one runs per process."""

    def __init__(self, settings: Settings) -> None:
        """Start everything; returns when requests can be answered.

        Raises:
            PlatformError: when it cannot start.
        """
        self._settings = settings
        self._ready = False
        self._cleanup = ExitStack()
        self._started = time.perf_counter()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """Where the APIs are."""
        return f"http://127.0.0.1:{self._server.port}"

    def settle(self, timeout: float = 30) -> None:
        """Wait until nothing happens any more: streams read, queues empty, workflows waiting.

        Raises:
            TimeoutError: when that does not come within ``timeout`` seconds.
        """
        busy = self.busy_after(timeout)
        if busy:
            raise TimeoutError(f"the platform is still busy after {timeout} s: {', '.join(busy)}")

    def busy_after(self, timeout: float) -> list[str]:
        """Wait until nothing happens any more, for ``timeout`` seconds at most; answers what is still busy then."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            marks = [(reader, reader.position()) for reader in self.stream_readers]
            for reader in self.stream_readers:
                reader.wake()
            while time.monotonic() < deadline and not all(reader.idle(mark) for reader, mark in marks):
                time.sleep(_QUIET_SECONDS / 4)
            if self._quiet():
                time.sleep(_QUIET_SECONDS)
                if self._quiet() and all(reader.idle(mark) for reader, mark in marks):
                    return []
        return [name for name, idle in self._idle_parts() if not idle()] or ["streams"]

    def stop(self) -> None:
        """End everything, in the reverse order of the start."""
        self._ready = False
        self._cleanup.close()

    def _start(self) -> None:
        settings = replace(self._settings, payments_port=self._settings.payments_port or free_port())
        settings.state.mkdir(parents=True, exist_ok=True)
        sys.setswitchinterval(_SWITCH_SECONDS)
        aws_port = settings.aws_port or free_port()
        endpoint = f"http://127.0.0.1:{aws_port}"
        self._server = self._serve_http(application(self._answer), settings.port, _API_THREADS)
        tables = Tables(replace(settings, port=self._server.port), endpoint)
        self._cleanup.callback(tables.stop)
        self.template = tables.template
        self.state = State(settings.state / "platform.db")
        self._cleanup.callback(self.state.close)
        self.clock = Clock(self.state)
        self._cleanup.callback(self.clock.stop)
        self._start_payments(settings)
        self.functions = Functions(self.template.functions, settings.roots)
        self._cleanup.callback(self.functions.stop)
        self.outbox = Outbox(self.state, self.clock)
        self._cleanup.enter_context(webhooks.noted(self.outbox))
        self.queues = Queues(self.template.queues, self.state, self.clock)
        self.workflows = Workflows(self.template.state_machines, self.state, self.clock, self.functions, endpoint)
        self._cleanup.callback(self.workflows.stop)
        delivery = Delivery(self.functions, self.queues, self.workflows)
        bus = Bus(self.template.rules, self.template.buses, delivery, self.outbox, self.clock)
        self.vehicles = Vehicles(self.template.topic_rules, self.queues, self.clock)
        objects = Objects(self.template.buckets, settings.state / "objects", _SECRET)
        secrets = {arn: json.dumps(payments.KEYS) for arn in self.template.secrets}
        services = Services(
            objects, self.queues, self.workflows, bus, self.vehicles, self.outbox, Keys(self.state), secrets
        )
        self._serve_http(AwsEndpoint(services), aws_port, _AWS_THREADS)

        tables.create()
        self.dynamo = tables.dynamo
        self._gateway = Gateway(self.template.apis, self.functions, self.clock)
        demo = _demo_module() if settings.seed else None
        described = payments.described(settings.payments_port)
        self._control = Control(
            clock=self.clock,
            busy_after=self.busy_after,
            outbox=self.outbox,
            browser=Browser(f"{self.url}/checkout", f"http://127.0.0.1:{settings.payments_port}"),
            vehicles=self.vehicles,
            workflows=self.workflows,
            docs=Docs(_documents(settings.documents)),
            bases={api.base.strip("/") or api.name: api.base or "/" for api in self.template.apis},
            demo=(lambda: demo.describe() | {"payments": described}) if demo else dict,
            environment=tables.environment,
        )
        if demo:
            demo.seed()
            if hasattr(demo, "locate"):
                self.vehicles.locate, self.vehicles.locate_station = demo.locate, demo.locate_station
                self.vehicles.repair = demo.repair
        # After the demo, which leaves nothing for them to do that anybody waits for.
        self._start_readers(Schedules(self.template.schedules, delivery, self.clock))
        self.workflows.resume()
        self._ready = True
        seconds = time.perf_counter() - self._started
        _log.info("ready after %.1f s: %s", seconds, self.url)

    def _serve_http(self, serve: Callable[..., Json], port: int, threads: int) -> Server:
        try:
            server = Server(serve, port, threads)
        except OSError as error:
            raise PlatformError(f"port {port} cannot be used ({error.strerror}); set PORT to another one") from error
        self._cleanup.callback(server.stop)
        return server

    def _start_payments(self, settings: Settings) -> None:
        localstripe = payments.Localstripe(settings.state / "payments", free_port())
        self._cleanup.callback(localstripe.stop)
        told = payments.Webhooks(f"{self.url}/checkout/stripe/events")
        self.payments = payments.Gate(localstripe, self.state, told)
        self._cleanup.callback(self.payments.stop)
        self._serve_http(application(self.payments.answer), settings.payments_port, _PAYMENTS_THREADS)

    def _start_readers(self, schedules: Schedules) -> None:
        streams = [source for source in self.template.sources if source.source_arn not in self.template.queues]
        queues = [source for source in self.template.sources if source.source_arn in self.template.queues]
        self.stream_readers = [
            StreamReader(source, self.dynamo, self.functions, self.queues, self.state) for source in streams
        ]
        self.queue_readers = [
            QueueReader(source, self.queues, self.functions) for source in queues for _ in range(source.concurrency)
        ]
        readers: list[StreamReader | QueueReader] = [*self.stream_readers, *self.queue_readers]
        for reader in readers:
            reader.start()
            self._cleanup.callback(reader.stop)
        self.functions.after_invocation = self._wake_streams
        schedules.start()
        self._cleanup.callback(schedules.stop)

    def _wake_streams(self) -> None:
        for reader in self.stream_readers:
            reader.wake()

    def _idle_parts(self) -> list[tuple[str, Callable[[], bool]]]:
        return [
            ("functions", self.functions.idle),
            ("payments", self.payments.idle),
            ("vehicles", self.vehicles.idle),
            ("clock", self.clock.idle),
            ("workflows", self.workflows.idle),
            *((reader.name, reader.idle) for reader in self.queue_readers),
        ]

    def _quiet(self) -> bool:
        return all(idle() for _, idle in self._idle_parts())

    def _answer(self, request: Request) -> Response:
        if not self._ready:
            return json_response(503, {"message": "starting"})
        return self._control.serve(request) or self._gateway.serve(request)


def free_port() -> int:
    """A port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _documents(folder: Path) -> dict[str, Path]:
    return {path.parent.name: path for path in folder.glob("*/openapi.json")}


def _demo_module() -> ModuleType | None:
    """The module that fills an empty city and describes it."""
    return importlib.import_module("local.demo") if importlib.util.find_spec("local.demo") else None
