"""A day on the platform: no function asks for what its role does not allow, and no role allows what nobody asks for."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from uuid import UUID

import pytest
from shapely.geometry import shape

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Category
from kickstand.geo import service as geo
from kickstand.geo.model import AreaType, ZoneRule
from kickstand.kernel import ids, store
from kickstand.pricing.service import current, publish_tariff
from kickstand.rental import reservations
from kickstand.rental import service as rentals
from local.server import Platform
from local.testing import running_platform
from tests.support.receivers import Conduct, running_receiver
from tests.support.rights import Asked, recorded, roles

UNSEEN = {
    # What a repetition after a crash looks at before it does something again.
    "FollowRentalsRole": {("dynamodb:BatchGetItem", "FleetTable")},
    "TellOfRentalsRole": {("dynamodb:BatchGetItem", "MessagingTable")},
    "FollowMaintenancesRole": {("dynamodb:BatchGetItem", "MessagingTable")},
    # The role signs the link, the client follows it.
    "RentalRequestsRole": {("s3:GetObject", "DocumentsBucket/receipts/*")},
}
"""Rights that this day does not use."""


class Day:
    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.demo = self.call("GET", "/_local/demo")["surfaces"]["voi"]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._send(method, path, data, {**self._credentials(path), "content-type": "application/json", **named})

    def post_form(self, path: str, **members: str) -> Any:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return self._send("POST", path, urlencode(members).encode(), kind)

    def _credentials(self, path: str) -> dict[str, str]:
        surface = path.split("/")[1]
        if surface.startswith("_"):
            return {}
        found: dict[str, str] = self.call("GET", "/_local/demo")["surfaces"][surface]["headers"]
        return found  # asked for anew: some last an hour only, and the day is long

    def _send(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Any:
        request = Request(self.platform.url + path, data, headers, method=method)
        try:
            with urlopen(request) as answer:
                content = answer.read()
        except HTTPError as error:
            pytest.fail(f"{method} {path}: {error.code} {error.read().decode()}")
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
    product = day.call("POST", "/voi/v1/product/register", {"productName": "Rides"})["data"][0]["id"]
    day.call("PUT", "/voi/v1/product", {"productId": product, "productName": "Rides and more"})
    day.call("GET", "/voi/v1/product")
    new = {"email": "kari@kickstand.dev", "productId": product, "externalId": "K-7"}
    rider = day.call("POST", "/voi/v1/user/register", new)["data"]["id"]
    day.call("DELETE", f"/voi/v1/product/{product}")
    day.call("PATCH", f"/voi/v1/user/{rider}", {"firstName": "Kari"})
    day.call("GET", f"/voi/v1/user/id/{rider}")

    client = day.call("GET", "/_local/demo")["surfaces"]["maas"]["client"]
    grant = {"grant_type": "client_credentials", "client_id": client["id"], "client_secret": client["secret"]}
    day.post_form("/maas/auth/token", **grant)
    day.call("PUT", "/maas/users/kari")
    look_after_a_user(day)
    come_aboard(day)
    ask_around(day)
    break_and_repair(day)
    slow_down(day)

    zone = day.call("GET", "/voi/v1/zone/info")["data"]["attributes"]["zones"][0]["zoneId"]
    areas = day.call("GET", f"/voi/v1/zone/id/{zone}")["data"]["attributes"]["areas"]
    vehicles = day.call("GET", f"/voi/v1/vehicles/?zoneID={zone}")["data"]
    day.call("GET", f"/voi/v1/vehicles/code/{vehicles[0]['attributes']['code']}")
    day.call("GET", f"/voi/v1/vehicles/id/{vehicles[0]['id']}")
    day.call("GET", f"/voi/v1/pricing/vehicle/{vehicles[0]['id']}")

    ride_for_a_client(day)

    first = start(day, rider, vehicles[0]["id"])
    slow = next(area for area in areas if area["area_type"] == "slow-zone")
    number = ids.id_of(UUID(vehicles[0]["id"]))
    day.call("POST", f"/_local/vehicles/{number}", {"move_to": inside(slow["geometry"]), "speed_kmh": 12.0})
    day.advance(600)
    day.call("GET", f"/voi/v1/rental/user/{rider}/active")
    day.call("POST", f"/voi/v1/rental/{first}/end", {})
    day.advance(60)
    day.call("GET", f"/voi/v1/rental/{first}")
    day.call("GET", f"/voi/v1/rental/user/{rider}")

    end_elsewhere(day)
    group = int(day.call("GET", "/_local/demo")["surfaces"]["maas"]["ids"]["dockGroupId"])
    start_at(day, group, userId="hal", productId=1)  # forgotten, at plans: penalties come, and use is kept
    day.call("POST", f"/maas/vehicles/{scooter(day)}/trips", {"userId": "lea", "productId": 2})
    start(day, rider, vehicles[1]["id"])  # forgotten: every timer of a rental comes
    for _ in range(60):
        day.advance(3600)
    for vehicle, answer in zip(vehicles[2:4], ("reject", "silent"), strict=True):
        day.call("POST", "/_local/vehicles/all", {"unlock": answer, "lock": answer})
        start(day, rider, vehicle["id"])
        day.advance(3600)

    offered = current(1, 1)
    assert offered is not None
    publish_tariff(1, 1, offered.model_copy(update={"start_price": offered.start_price + 100}))
    day.platform.settle()


def look_after_a_user(day: Day) -> None:
    described = day.call("GET", "/_local/demo")["surfaces"]["maas"]["ids"]
    user = f"/maas/users/{described['userId']}"
    day.call("GET", f"{user}/statistics?from=2026-01-01T12:00:00Z")
    new = day.call("POST", f"{user}/penalties", {"penaltyPoints": 1, "tripId": int(described["tripId"])})
    day.call("GET", f"{user}/penalties")
    day.call("PATCH", f"{user}/penalties/{new['penaltyId']}", {})


def come_aboard(day: Day) -> None:
    """A user tells, accepts and proves everything."""
    onboarding = "/maas/users/kari/onboarding"
    day.call("GET", onboarding)
    day.call("PUT", f"{onboarding}/name", {"firstName": "Kari", "lastName": "Nordmann"})
    day.call("PUT", f"{onboarding}/personal-number", {"personalNumber": "01019000083"})
    day.call("POST", f"{onboarding}/personal-number/verify")
    day.call("POST", f"{onboarding}/terms-and-conditions", {"accepted": True})
    for step, kind, body in (
        ("phone-number", "sms", {"phoneNumber": "+4712345678"}),
        ("email", "mails", {"email": "kari@kickstand.dev"}),
    ):
        started = day.call("POST", f"{onboarding}/{step}/verify/start", body)
        code = day.call("GET", "/_local/outbox")[kind][-1]["text"][:6]
        day.call("POST", f"{onboarding}/{step}/verify", {"state": started["state"], "code": code})


def ask_around(day: Day) -> None:
    for question in ("areas", "system", "systems", "systems?position=59.9139,10.7522", "system/alerts"):
        day.call("GET", f"/maas/{question}", on_behalf_of="kari")
    day.call("GET", "/maas/crm/1/settings?userId=kari&platform=ios")


def slow_down(day: Day) -> None:
    """For a while, everybody in Oslo goes slowly; what is parked is told too."""
    store.begin()
    network, before = fleet.network(1), geo.areas(1)
    everywhere = [zone for zone in before.zones if zone.area_type is AreaType.OPERATIONS and not zone.schedule]
    slow = {"area_type": AreaType.SLOW_ZONE, "rule": ZoneRule.of(AreaType.SLOW_ZONE, 5)}
    more = [zone.model_copy(update={"id": zone.id + 10**9, **slow}) for zone in everywhere]
    for zones in ([*before.zones, *more], before.zones):
        store.begin()
        geo.put_zones(1, network.parking, zones, timezone=before.timezone)
        day.advance(180)


def break_and_repair(day: Day) -> None:
    """A vehicle breaks while somebody has it reserved; two riders report it, and one of them hears of its repair."""
    described = day.call("GET", "/_local/demo")["surfaces"]["maas"]["ids"]
    store.begin()
    vehicle = reservations.get(int(described["reservationId"])).vehicle_id
    day.call("GET", f"/maas/vehicles/{vehicle}/damagereports/types?locale=nb")
    report = {"userId": "K-7", "damageTypeIds": [12], "notifyOnRepair": True}
    day.call("POST", f"/maas/vehicles/{vehicle}/damagereports", report)
    for damage in (12, 1):  # one that joins, one that is worse
        report = {"userId": "somebody new", "damageTypeIds": [damage]}
        day.call("POST", f"/maas/vehicles/{vehicle}/damagereports", report)
    day.platform.settle()
    day.call("POST", f"/_local/vehicles/{vehicle}", {"repair": True})
    day.platform.settle()


def ride_for_a_client(day: Day) -> None:
    """A client's users ride, reserve and lose vehicles, and its server is told of everything."""
    described = day.call("GET", "/_local/demo")["surfaces"]["maas"]
    group = int(described["ids"]["dockGroupId"])
    with running_receiver() as server:
        hook = f"/maas/webhooks/{day.call('POST', '/maas/webhooks', {'url': server.url})['id']}"
        server.conduct = _answering(503)
        trip = start_at(day, group, productId=1)
        day.call("PATCH", f"/maas/trips/{trip['id']}", {"update": "cancel"})
        day.platform.settle()
        server.conduct = _answering(200)
        day.advance(3600)
        day.call("GET", "/maas/webhooks")
        day.call("GET", f"{hook}/deliveries")
        day.call("POST", f"{hook}/replay", {"since": "2026-01-01T12:00:00Z"})
        trip = start_at(day, group, productId=1, userName="Kari")
        day.call("GET", "/maas/users/kari/trips?from=2026-01-01T12:00:00Z&states[]=starting")
        for seen in ("vehicles", f"vehicles/{trip['vehicle']['id']}", "dockgroups", f"dockgroups/{group}/vehicles"):
            day.call("GET", f"/maas/{seen}", on_behalf_of="kari")
        day.advance(45 * 60)
        store.begin()
        free = clusters.cluster(group).free_docks[0]
        bike = trip["vehicle"]["id"]
        day.call("POST", f"/_local/vehicles/{bike}", {"dock": {"cluster_id": group, "number": free}})
        day.platform.settle()
        assert day.call("GET", f"/maas/trips/{trip['id']}")["state"] == "completed"
        for new_user in ("ola", "nora"):
            reserve(day, bike, new_user, cancel=True)
        reserve(day, bike, "kari", cancel=False)
        day.advance(16 * 60)
        number = scooter(day)
        trip = day.call("POST", f"/maas/vehicles/{number}/trips", {"userId": "per", "productId": 1})
        day.platform.settle()
        for update in ("pause", "resume", "end"):
            day.call("PATCH", f"/maas/trips/{trip['id']}", {"update": update})
        day.platform.settle()
        lose(day, number)
        for first in (503, 410):  # whoever tries again is told, and then whoever tries first
            server.conduct = _answering(first)
            reserve(day, bike, "kari", cancel=True)
            server.conduct = _answering(410)
            day.advance(3600)
            day.call("PATCH", hook, {"enabled": True})


def end_elsewhere(day: Day) -> None:
    """A trip at a plan ends on the other surface."""
    trip = day.call("POST", f"/maas/vehicles/{scooter(day)}/trips", {"userId": "K-7", "productId": 2})
    day.platform.settle()
    store.begin()
    day.call("POST", f"/voi/v1/rental/{rentals.get(trip['id']).public_id}/end", {})
    day.platform.settle()


def _answering(status: int) -> Conduct:
    return lambda _received, _connection: status


def scooter(day: Day) -> int:
    """A scooter that can be rented, and left where it stands."""
    store.begin()
    for shown in day.call("GET", "/voi/v1/vehicles/?zoneID=1")["data"][4:]:
        vehicle = fleet.vehicle(ids.id_of(UUID(shown["id"])))
        if fleet.model(vehicle.model_id).category is Category.SCOOTER and vehicle.verdict.ride_end_allowed:
            return vehicle.id
    raise AssertionError("there is none")


def start_at(day: Day, group: int, **terms: object) -> Any:
    rider = {"userId": "kari", "vehicleCategory": "bike", **terms}
    return day.call("POST", f"/maas/dockgroups/{group}/trips", rider)


def reserve(day: Day, vehicle: int, user: str, *, cancel: bool) -> None:
    made = day.call("POST", f"/maas/vehicles/{vehicle}/reservations", {"userId": user, "productId": 1})
    day.call("GET", f"/maas/reservations/{made['id']}")
    day.call("GET", f"/maas/users/{user}/reservations")
    if cancel:
        day.call("DELETE", f"/maas/reservations/{made['id']}")
    day.platform.settle()


def lose(day: Day, vehicle: int) -> None:
    """Nobody brings a vehicle back, and it does not say where it is."""
    store.begin()
    network = fleet.network(1)
    short = {"auto_pause_after_s": 0, "too_long_notice_s": 0, "max_rental_s": 0, "stolen_after_s": 3600}
    fleet.put_network(network.model_copy(update={"timings": network.timings.model_copy(update=short)}))
    day.call("POST", f"/maas/vehicles/{vehicle}/trips", {"userId": "kari"})
    day.platform.settle()
    day.call("POST", f"/_local/vehicles/{vehicle}", {"lock": "silent"})
    day.advance(3700)
    day.advance(60)
    fleet.put_network(network)


def inside(geometry: dict[str, Any]) -> list[float]:
    point = shape(geometry).representative_point()
    return [point.x, point.y]


def start(day: Day, rider: str, vehicle: str) -> str:
    rental = day.call("POST", "/voi/v1/rental/start", {"userId": rider, "vehicleId": vehicle})["data"][0]
    day.platform.settle()
    return str(rental["id"])


def test_nothing_is_asked_for_that_is_not_allowed(asked: Asked) -> None:
    assert asked.refused() == {}


def test_nothing_is_allowed_that_is_not_asked_for(asked: Asked) -> None:
    idle = {role: sorted(unused - UNSEEN.get(role, set())) for role, unused in asked.idle().items()}
    lines = [f"{role}: {action} {place}" for role in sorted(idle) for action, place in idle[role]]
    assert not lines, "\n".join(lines)


def test_every_role_is_used_on_this_day(asked: Asked) -> None:
    assert roles() - asked.needs.keys() == set()
