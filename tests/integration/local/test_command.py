import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import urllib3

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
        platform.send_signal(interrupt)
        output, _ = platform.communicate(timeout=10)
    assert [answer.status for answer in answers] == [200] * 4
    assert platform.returncode == 0
    assert f"{url}\n" in output
    with pytest.raises(urllib3.exceptions.HTTPError):
        urllib3.request("GET", url, retries=False)


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
