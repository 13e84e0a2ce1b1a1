"""A day on the platform: no function asks for what its role does not allow, and no role allows what nobody asks for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from local.server import Platform
from local.testing import running_platform
from tests.support.rights import Asked, recorded

# A link is signed by the role and followed by the client; parking takes a fault that does not go away.
UNSEEN = {
    "RentalRequestsRole": {("s3:GetObject", "DocumentsBucket/receipts/*")},
}


class Day:
    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.demo = self.call("GET", "/_local/demo")["surfaces"]["voi"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = self.demo["headers"] if path.startswith("/voi") else {}
        data = json.dumps(body).encode() if body is not None else None
        request = Request(self.platform.url + path, data, {**headers, "content-type": "application/json"}, method=method)  # noqa: S310 - this machine
        with urlopen(request) as answer:  # noqa: S310
            content = answer.read()
        return json.loads(content) if content else None

    def advance(self, seconds: int) -> None:
        self.call("POST", "/_local/clock", {"advance_seconds": seconds})
        self.platform.settle()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with pytest.MonkeyPatch.context() as patch, recorded(patch) as asked:
        with running_platform(tmp_path_factory.mktemp("state")) as platform:
            live(Day(platform))
        yield asked


def live(day: Day) -> None:
    ids = day.demo["ids"]
    product = day.call("POST", "/voi/v1/product/register", {"productName": "Rides"})["data"][0]["id"]
    day.call("PUT", "/voi/v1/product", {"id": product, "productName": "Rides and more"})
    rider = day.call("POST", "/voi/v1/user/register", {"email": "a@kickstand.dev", "productId": product, "externalId": "7"})
    print(rider)


def test_nothing_is_asked_for_that_is_not_allowed(asked: Asked) -> None:
    assert asked.refused() == {}


def test_nothing_is_allowed_that_is_not_asked_for(asked: Asked) -> None:
    idle = {role: unused - UNSEEN.get(role, set()) for role, unused in asked.idle().items()}
    assert {role: unused for role, unused in idle.items() if unused} == {}
