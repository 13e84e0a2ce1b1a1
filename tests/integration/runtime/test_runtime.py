"""The example events under the real Lambda runtime, by its interface emulator: no container, one function each."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3

from kickstand.clients import access
from kickstand.kernel import clock
from local.server import ROOT, Platform, free_port
from local.testing import running_platform
from tests.conftest import disconnect

RUNTIME = "2015-03-31/functions/function/invocations"
PATIENCE_S = 15


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    disconnect()
    with pytest.MonkeyPatch.context() as patch:
        # Functions in processes of their own go by the machine's clock, whatever earlier stories have done to ours.
        patch.setattr(clock, "_offset", timedelta())
        with running_platform(tmp_path_factory.mktemp("runtime")) as running:
            running.settle()
            yield running
    disconnect()


class Function:
    """A function in the runtime; it takes one invocation at a time."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self._url, self._process, self._log = url, process, log

    def invoke(self, event: dict[str, Any]) -> Any:
        """The function's answer; an error of the function is an error here."""
        answer = urllib3.request("POST", f"{self._url}/{RUNTIME}", json=event, timeout=PATIENCE_S, retries=False).json()
        assert not (isinstance(answer, dict) and "errorType" in answer), (answer, self._log.read_text(encoding="utf-8"))
        return answer


def emulator() -> Path:
    machine = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[os.uname().machine]
    found = list((ROOT / ".venv-sam").glob(f"lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"))
    assert found, "the runtime interface emulator comes with aws-sam-cli: run `make .venv-sam/.ready`"
    return found[0]


@contextmanager
def function(handler: str, folder: Path) -> Iterator[Function]:
    """``handler`` in the runtime, with the environment that the platform gives to its functions."""
    port, log = free_port(), folder / f"{handler}.log"
    roots = os.pathsep.join(str(ROOT / root) for root in ("functions", "layers/core/python"))
    environment = os.environ | {"PYTHONPATH": roots, "AWS_LAMBDA_FUNCTION_NAME": handler.rpartition(".")[2]}
    command = [str(emulator()), "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    command += ["--runtime-api-address", f"127.0.0.1:{free_port()}"]
    command += [sys.executable, "-m", "awslambdaric", handler]
    with log.open("wb") as written:
        process = subprocess.Popen(command, env=environment, stdout=written, stderr=written, start_new_session=True)
    try:
        wait_for(port, process, log)
        yield Function(f"http://127.0.0.1:{port}", process, log)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(2)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait(5)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError(log.read_text(encoding="utf-8"))


def event(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))
    return read


def test_a_rental_starts_and_ends(platform: Platform, tmp_path: Path) -> None:
    with function("voi.rentals.start_rental", tmp_path) as start:
        answer = start.invoke(event("start-rental"))
        assert answer["statusCode"] == 200, answer
        (rental,) = json.loads(answer["body"])["data"]
        assert rental["attributes"]["state"] == "RUNNING"
        again = start.invoke(event("start-rental"))
        assert json.loads(again["body"])["errorCode"] == "RentalAlreadyExists"
    with function("voi.rentals.end_rental", tmp_path) as end:
        ended_before = end.invoke(event("end-rental"))
        assert json.loads(ended_before["body"])["errorCode"] == "RentalAlreadyEnded"
        answer = end.invoke(event("end-rental") | {"pathParameters": {"rentalId": rental["id"]}})
        assert answer["statusCode"] == 200, answer
        (ended,) = json.loads(answer["body"])["data"]
        assert ended["id"] == rental["id"]
        assert ended["attributes"]["state"] != "RUNNING"


def test_a_list_of_vehicles(platform: Platform, tmp_path: Path) -> None:
    with function("voi.vehicles.list_vehicles_by_zone", tmp_path) as vehicles:
        answer = vehicles.invoke(event("list-vehicles"))
        assert answer["statusCode"] == 200
        assert len(json.loads(answer["body"])["data"]) > 250
        known = event("list-vehicles")
        known["headers"]["if-none-match"] = answer["headers"]["etag"]
        assert vehicles.invoke(known)["statusCode"] == 304


def test_a_user_registers(platform: Platform, tmp_path: Path) -> None:
    with function("voi.users.register_user", tmp_path) as register:
        answer = register.invoke(event("register-user"))
        assert answer["statusCode"] == 200, answer
        assert json.loads(answer["body"])["data"]["attributes"]["firstName"] == "Ola"


def test_a_client_gets_a_token(platform: Platform, tmp_path: Path) -> None:
    with function("maas.auth.issue_token", tmp_path) as issue:
        answer = issue.invoke(event("issue-token"))
        assert answer["statusCode"] == 200, answer
        # Not whether it is valid: other tests have moved the clock of this process, and not that of the runtime.
        assert access.claimed_client(json.loads(answer["body"])["access_token"]) == 1


def test_batches_of_a_stream(platform: Platform, tmp_path: Path) -> None:
    assert not {"rental-1", "reservation-1"} & executions(platform).keys()
    with function("reactions.rental.follow_rental_table", tmp_path) as follow:
        assert follow.invoke(event("stream-of-rentals")) == {"batchItemFailures": []}
        assert follow.invoke(event("stream-of-reservations")) == {"batchItemFailures": []}
    platform.settle()
    assert executions(platform).keys() >= {"rental-1", "reservation-1"}
    assert executions(platform)["reservation-1"] == "SUCCEEDED"


def executions(platform: Platform) -> dict[str, str]:
    """The states of all executions, by name."""
    machines = platform.template.state_machines
    return {each["name"]: each["status"] for arn in machines for each in platform.workflows.executions(arn)}


def test_batches_of_a_queue(platform: Platform, tmp_path: Path) -> None:
    with function("reactions.vehicles.receive_messages", tmp_path) as receive:
        assert receive.invoke(event("queue-of-vehicle-messages")) == {"batchItemFailures": []}
        assert receive.invoke(event("queue-of-station-messages")) == {"batchItemFailures": []}
    with function("reactions.webhooks.deliver_webhooks", tmp_path) as deliver:
        assert deliver.invoke(event("queue-of-webhooks")) == {"batchItemFailures": []}


def test_tasks_of_workflows(platform: Platform, tmp_path: Path) -> None:
    with function("workflows.rental.plan", tmp_path) as plan:
        assert plan.invoke(event("workflow-plan"))["next"] == "settle"
    with function("workflows.reservation.expire", tmp_path) as expire:
        assert expire.invoke(event("workflow-expire")) == {}
    with function("workflows.webhook.retry_webhook", tmp_path) as retry:
        assert retry.invoke(event("workflow-retry")) == {"next": "done", "seconds": 0}
