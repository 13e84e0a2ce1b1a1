"""Rentals started and ended on the local platform over HTTP, beside what its engine does alone."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import urllib3
from shapely import Point, union_all
from shapely.geometry import shape

from kickstand.kernel import items
from local import demo
from local.server import ROOT, Tables, free_port
from tests.support.bench import Table

pytestmark = pytest.mark.bench

CLIENTS = (1, 8)
CYCLES = 96
TRANSACTIONS = 400
FORBIDDEN = {"no-parking", "no-go-zone"}  # where rentals cannot end


def test_start_and_end(engine: Tables, tmp_path: Path) -> None:
    table = Table("Rentals on the local platform", "what", "clients", "per second", "ms each")
    for clients in CLIENTS:
        rate = per_second(transactions(), TRANSACTIONS, clients)
        table.row("engine alone: transactions of three items", clients, rate, clients * 1000 / rate)
    rates = []
    with platform(tmp_path) as url:
        for clients in CLIENTS:
            rates.append(per_second(cycles(url, clients), CYCLES, clients))
            table.row("start and end over HTTP", clients, rates[-1], clients * 1000 / rates[-1])
    table.show(
        "a start and an end are two requests; what they cause (commands to the vehicle and its answers, the workflow,",
        "receipt and charge, the listing) happens in the platform's one process at the same time",
    )
    assert all(rate > 1 for rate in rates)


def per_second(work: Callable[[int], None], times: int, clients: int) -> float:
    """How often ``work`` is done in a second, by so many clients together; it learns which client it works for."""
    work(0)
    with ThreadPoolExecutor(clients) as pool:
        started = time.perf_counter()
        shares = [pool.submit(again, work, number, times // clients) for number in range(clients)]
        for share in shares:
            share.result()
        return times // clients * clients / (time.perf_counter() - started)


def again(work: Callable[[int], None], client: int, times: int) -> None:
    for _ in range(times):
        work(client)


def transactions() -> Callable[[int], None]:
    items.connect()
    client: Any = items.connection().client
    table = os.environ["RENTAL_TABLE"]

    def write(_client: int) -> None:
        key = uuid4().hex
        puts = [
            {
                "Put": {
                    "TableName": table,
                    "Item": {"pk": {"S": f"{key}{part}"}, "sk": {"S": "BENCH"}, "note": {"S": "x" * 400}},
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            }
            for part in range(3)
        ]
        client.transact_write_items(TransactItems=puts)

    return write


def cycles(url: str, clients: int) -> Callable[[int], None]:
    """Each client has a rider of its own, and takes the next vehicle that nobody has had."""
    http = urllib3.PoolManager(maxsize=clients, retries=False, headers={"X-Auth-Token": demo.TOKEN})
    described = demo.describe()["surfaces"]["voi"]["ids"]

    def call(method: str, path: str, body: object = None) -> Any:
        answer = http.request(method, f"{url}/voi{path}", json=body)
        assert answer.status == 200, answer.data
        return answer.json()["data"]

    def rider() -> str:
        body = {"email": "bench@rider.example", "productId": described["productId"]}
        return str(call("POST", "/v1/user/register", body)["id"])

    riders = [rider() for _ in range(clients)]
    areas = call("GET", f"/v1/zone/id/{demo.OSLO}")["attributes"]["areas"]
    forbidden = union_all([shape(each["geometry"]) for each in areas if each["area_type"] in FORBIDDEN])
    vehicles = call("GET", f"/v1/vehicles/?zoneID={demo.OSLO}")
    standing = [each["id"] for each in vehicles if not forbidden.intersects(place(each))]
    turns, lock = count(), threading.Lock()

    def cycle(client: int) -> None:
        with lock:
            vehicle_id = standing[next(turns)]
        (rental,) = call("POST", "/v1/rental/start", {"userId": riders[client], "vehicleId": vehicle_id})
        call("POST", f"/v1/rental/{rental['id']}/end", {})

    return cycle


def place(vehicle: dict[str, Any]) -> Point:
    location = vehicle["attributes"]["location"]
    return Point(location["longitude"], location["latitude"])


@contextmanager
def platform(state: Path) -> Iterator[str]:
    """The platform as ``make run`` starts it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command: Sequence[str] = [sys.executable, "-m", "local", "serve", "--port", str(port), "--state", str(state)]
    roots = os.pathsep.join(str(ROOT / root) for root in ("functions", "layers/core/python", "."))
    with (state / "platform.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=os.environ | {"PYTHONPATH": roots})
    try:
        deadline = time.monotonic() + 60
        while not healthy(url):
            assert process.poll() is None, (state / "platform.log").read_text(encoding="utf-8")
            assert time.monotonic() < deadline, "the platform does not become ready"
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def healthy(url: str) -> bool:
    try:
        return urllib3.request("GET", f"{url}/_local/health", retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False
