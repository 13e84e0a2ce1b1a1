"""The platform ends in the middle of rides, kindly or not, and goes on where it was."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from local.engine import find_binary
from local.server import ROOT, free_port
from tests.support.http import Http
from tests.support.town import Partner, Ride, Town, Vehicle, running_town, until

pytestmark = pytest.mark.skipif(find_binary() is None, reason="moto keeps nothing between two runs")


def test_rides_and_their_timers_go_on_after_a_restart(tmp_path: Path) -> None:
    with running_town(tmp_path) as town:
        older = over(town, town.ride())
        riding = town.ride()
        standing = town.ride()
        town.passes(minutes=15)
        town.moves(riding.vehicle, town.vehicle().place)
        starting = silent_ride(town)
        before = town.now

    with running_town(tmp_path) as town:
        town.settle()
        assert before <= town.now  # the clock has not jumped back
        assert older.partner.receipt(older.id).content.startswith(b"%PDF")
        assert [each.state for each in (older, riding, standing, starting)] == ["ENDED", *["RUNNING"] * 3]
        assert town.told == []  # nobody is unlocked a second time

        town.passes(seconds=16)
        town.passes(seconds=75)
        assert starting.state == "ENDED_WITH_NO_CHARGE"
        town.passes(minutes=4)
        assert town.subjects(standing.mail) == [f"Your ride on {standing.vehicle.code} is paused"]
        assert town.mails(riding.mail) == []
        over(town, riding)

    with running_town(tmp_path) as town:
        town.passes(minutes=31)
        assert standing.state == "ENDED_WITH_NO_CHARGE"  # it never moved
        town.passes(hours=50)
        assert len(town.mails(standing.mail)) == 2
        assert town.mails(riding.mail) == []
        for ride in (older, riding, standing):
            assert (town.events(ride), town.executions(ride)) == (["RentalCompleted"], ["SUCCEEDED"])
        assert (town.events(starting), town.executions(starting)) == (["RentalCancelled"], ["SUCCEEDED"])


def test_a_personal_number_can_be_read_after_a_restart(tmp_path: Path) -> None:
    with running_town(tmp_path) as town:
        onboarding = f"/users/{town.described_maas['ids']['userId']}/onboarding"
        number = {"personalNumber": "01019000083"}
        assert town.maas.http.call("PUT", f"{onboarding}/personal-number", number).status == 200
    with running_town(tmp_path) as town:
        told = town.maas.http.call("POST", f"{onboarding}/personal-number/verify").document
        assert told["data"]["personalNumberVerified"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no signal for the death of a parent")
def test_a_killed_platform_leaves_no_engine_and_loses_no_ride(tmp_path: Path) -> None:
    with served(tmp_path) as first:
        partner, vehicle = first.demo()
        user = partner.register_user(partner.register_product("Rides"))
        rental = partner.start(user, vehicle).data[0]["id"]
        until(lambda: executions(first) == ["RUNNING"], what="the ride's workflow is started")
        first.passes(minutes=0, seconds=0)  # which waits until the vehicle has answered and been heard
        engine = first.engine()
        first.process.kill()
        first.process.wait(timeout=5)
        until(lambda: not answers(engine), seconds=5, what="the engine ends with its parent")

    with served(tmp_path, first.port) as second:
        assert partner.rental(rental)["state"] == "RUNNING"
        until(lambda: vehicle.id not in partner.listed(), what="the list goes on where it was")
        second.passes(minutes=20, seconds=10)
        until(lambda: subjects(second) == [f"Your ride on {vehicle.code} is paused"], what="the rider is told")
        partner.end(rental)
        until(lambda: partner.rental(rental).get("receipt"), what="there is a receipt")
        until(lambda: executions(second) == ["SUCCEEDED"], what="the workflow is done")
        assert partner.receipt(rental).content.startswith(b"%PDF")
        assert events(second) == ["RentalCompleted"]

        waiting = partner.start(user, vehicle).data[0]["id"]
        assert partner.rental(waiting)["state"] == "RUNNING"
        engine = second.engine()
        second.process.send_signal(signal.SIGINT)
        assert second.process.wait(timeout=5) == 0
        assert not answers(engine)
        assert not answers(second.port)


@dataclass
class Served:
    """``python -m local serve`` as a process of its own."""

    process: "subprocess.Popen[bytes]"
    port: int

    @property
    def http(self) -> Http:
        return Http(f"http://127.0.0.1:{self.port}")

    def demo(self) -> tuple[Partner, Vehicle]:
        """The demo's partner and its vehicle."""
        described = self.http.get("/_local/demo").json["surfaces"]["voi"]
        partner = Partner(Http(f"http://127.0.0.1:{self.port}{described['base']}", described["headers"]))
        (found,) = partner.http.get(f"/v1/vehicles/code/{described['ids']['code']}").data
        return partner, Vehicle(found["id"], found["attributes"]["code"], (0, 0))

    def passes(self, *, minutes: int, seconds: int) -> None:
        """Time passes."""
        self.http.post("/_local/clock", {"advance_seconds": minutes * 60 + seconds})

    def engine(self) -> int:
        """The port of the engine, which is a child process."""
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        (child,) = {pid for each in children for pid in each.read_text().split()}
        arguments = Path(f"/proc/{child}/cmdline").read_text().split("\0")
        return int(arguments[arguments.index("--port") + 1])


@contextmanager
def served(state: Path, port: int | None = None) -> Iterator[Served]:
    port = port or free_port()
    command = [sys.executable, "-m", "local", "serve", "--port", str(port), "--state", str(state)]
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "functions", ROOT / "layers/core/python")))
    environment = {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        running = Served(process, port)
        try:
            until(lambda: process.poll() is not None or healthy(running), seconds=30, what="the platform is ready")
            assert process.poll() is None
            yield running
        finally:
            process.kill()


def healthy(running: Served) -> bool:
    try:
        return running.http.get("/_local/health").status == 200
    except urllib3.exceptions.HTTPError:
        return False


def answers(port: int) -> bool:
    try:
        Http(f"http://127.0.0.1:{port}").get("/")
    except urllib3.exceptions.HTTPError:
        return False
    return True


def executions(running: Served) -> list[str]:
    found = running.http.get("/_local/workflows").json["executions"]
    return [each["status"] for each in found if "rental_id" in json.loads(each["input"])]


def outbox(running: Served) -> Any:
    return running.http.get("/_local/outbox").json


def subjects(running: Served) -> list[str]:
    """What riders were mailed about their rides; the demo's user gets an invoice, too."""
    return [each["subject"] for each in outbox(running)["mails"] if "ride" in each["subject"]]


def events(running: Served) -> list[str]:
    return [each["detail-type"] for each in outbox(running)["events"]]


def over(town: Town, ride: Ride) -> Ride:
    """A ride of three minutes that has been ended."""
    town.passes(minutes=3)
    town.moves(ride.vehicle, town.vehicle().place)
    assert ride.partner.end(ride.id).status == 200
    town.settle()
    return ride


def silent_ride(town: Town) -> Ride:
    """A ride on a vehicle that does not answer."""
    vehicle = town.vehicle()
    town.control(vehicle, unlock="silent", lock="silent")
    return town.ride(vehicle=vehicle)
