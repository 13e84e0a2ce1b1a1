import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import urllib3

from local.engine import find_binary
from local.server import ROOT, free_port

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.mark.parametrize("interrupt", [signal.SIGINT, signal.SIGTERM])
def test_the_platform_starts_with_a_city_and_an_interrupt_leaves_nothing_running(
    tmp_path: Path, interrupt: signal.Signals
) -> None:
    port = free_port()
    command = [sys.executable, "-m", "local", "serve", "--port", str(port), "--state", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as platform:
        url = f"http://127.0.0.1:{port}"
        answers = [_get(f"{url}{path}", platform) for path in ("/_local/health", "/_local/demo", "/docs", "/docs/voi")]
        children = _children(platform)
        platform.send_signal(interrupt)
        output, _ = platform.communicate(timeout=10)
    assert [answer.status for answer in answers] == [200] * 4
    assert platform.returncode == 0
    assert f"{url}\n" in output
    assert children or find_binary() is None
    assert [child for child in children if _runs(child)] == []
    with pytest.raises(urllib3.exceptions.HTTPError):
        urllib3.request("GET", url, retries=False)


def test_a_second_platform_and_a_reset_leave_the_state_of_a_running_one_alone(tmp_path: Path) -> None:
    state = ["--state", str(tmp_path / "state")]

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "local", *arguments, *state]
        return subprocess.run(
            command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=30, check=False
        )

    port = free_port()
    command = [sys.executable, "-m", "local", "serve", "--port", str(port), *state]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as platform:
        _get(f"http://127.0.0.1:{port}/_local/health", platform)
        second, reset = run("serve", "--port", str(free_port())), run("reset")
        kept = (tmp_path / "state" / "platform.db").exists()
        platform.send_signal(signal.SIGINT)
        platform.communicate(timeout=10)
    assert (second.returncode, reset.returncode, kept) == (1, 1, True)
    assert second.stderr.startswith("cannot start: a platform is running")
    assert reset.stderr.startswith("cannot reset: a platform is running")
    assert run("reset").returncode == 0
    assert not (tmp_path / "state").exists()


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "local", "serve", "--port", str(port), "--state", str(tmp_path)]
        ended = subprocess.run(
            command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=30, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith("cannot start: port ")
    assert "set PORT to another one" in ended.stderr


def _children(platform: "subprocess.Popen[str]") -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(platform.pid)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _get(url: str, platform: "subprocess.Popen[str]") -> urllib3.BaseHTTPResponse:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and platform.poll() is None:
        try:
            answer = urllib3.request("GET", url, retries=False)
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
            continue
        if answer.status != 503:
            return answer
        time.sleep(0.05)
    pytest.fail("the platform did not answer")
