import os
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
import urllib3

from local.engine import find_binary
from local.errors import PlatformError
from local.server import ROOT, Platform, free_port
from local.testing import running_platform, running_tables, settings
from tests.integration.local.conftest import BASE
from tests.integration.local.fixtures.handlers import api, reactions

persistent = pytest.mark.skipif(find_binary() is None, reason="moto keeps nothing between two runs")


@persistent
def test_a_restart_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    reactions.reset()
    with running_platform(tmp_path, seed=False, base=BASE) as platform:
        machine = next(iter(platform.template.state_machines))
        urllib3.request("PUT", f"{platform.url}/things/v1/things/kept", json={})
        boto3.client("stepfunctions").start_execution(stateMachineArn=machine, name="long", input="{}")
        boto3.client("s3").put_object(Bucket=os.environ["DOCUMENTS_BUCKET"], Key="k", Body=b"b")
        platform.clock.advance(100)
        platform.settle()
        before = platform.clock.now()
    assert reactions.seen == ["kept"]

    with running_platform(tmp_path, seed=False, base=BASE) as platform:
        platform.settle()
        assert reactions.seen == ["kept"]
        assert reactions.steps == ["first", "first"]
        assert platform.clock.now() > before
        stored = boto3.client("dynamodb").scan(TableName=os.environ["THINGS_TABLE"])["Items"]
        assert [item["pk"]["S"] for item in stored] == ["kept"]
        assert boto3.client("s3").get_object(Bucket=os.environ["DOCUMENTS_BUCKET"], Key="k")["Body"].read() == b"b"
        (execution,) = platform.workflows.executions(machine, "RUNNING")
        assert execution["name"] == "long"


@persistent
def test_changes_that_came_last_are_delivered_after_a_restart(tmp_path: Path) -> None:
    with running_tables(tmp_path, base=BASE) as tables:
        item = {"pk": {"S": "late"}, "sk": {"S": "thing"}, "kind": {"S": "thing"}}
        tables.dynamo.call("PutItem", TableName=os.environ["THINGS_TABLE"], Item=item)
    reactions.reset()
    with running_platform(tmp_path, seed=False, base=BASE) as platform:
        platform.settle()
        assert reactions.seen == ["late"]


def test_the_environment_is_put_back(tmp_path: Path) -> None:
    before = dict(os.environ)
    with running_tables(tmp_path, base=BASE):
        assert os.environ["GREETING"] == "hello from kickstand"
    assert dict(os.environ) == before


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with running_platform(tmp_path / "first", seed=False, base=BASE) as platform:
        port = int(platform.url.rsplit(":", 1)[1])
        with pytest.raises(PlatformError, match=f"port {port} cannot be used"):
            Platform(settings(tmp_path / "second"))


def test_moto_takes_the_place_of_the_engine_where_none_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api.table.cache_clear()  # a client of the engine, in a process that had one
    monkeypatch.setattr("local.server.find_binary", lambda: None)
    reactions.reset()
    with running_platform(tmp_path, seed=False, base=BASE) as platform:
        assert urllib3.request("PUT", f"{platform.url}/things/v1/things/slow", json={}).status == 201
        platform.settle()
        assert reactions.seen == ["slow"]
    api.table.cache_clear()


@persistent
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no signal for the death of a parent")
def test_the_engine_dies_with_a_killed_parent(tmp_path: Path) -> None:
    port = free_port()
    script = (
        "import sys, time; from pathlib import Path; from local.engine import Engine, find_binary\n"
        "Engine(find_binary(), int(sys.argv[1]), Path(sys.argv[2])); print('up', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(port), str(tmp_path)]
    paths = f"{ROOT}{os.pathsep}{ROOT / 'layers/core/python'}"
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths}) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        parent.kill()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            urllib3.request("GET", f"http://127.0.0.1:{port}/", retries=False)
        except urllib3.exceptions.HTTPError:
            return
        time.sleep(0.05)
    pytest.fail("the engine still runs")
