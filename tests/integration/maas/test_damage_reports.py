"""Damage reports as clients of the MaaS surface make them."""

from typing import Any

import pytest

from kickstand.fleet import service as fleet
from kickstand.fleet.model import Category, Unavailability, VehicleModel
from kickstand.kernel import store
from kickstand.support import service as support
from local.server import Tables
from tests.support.api import Client, Reply, access_token, maas
from tests.support.capacity import measured
from tests.support.city import BIKE, City

BRAKES, LIGHTS, BELL, SADDLE = 1, 6, 7, 8
MOPED = VehicleModel(id=4, name="Buzz", category=Category.MOPED, max_range_m=90_000)


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    city = City()
    fleet.put_model(MOPED)
    return city


@pytest.fixture(scope="module")
def api(city: City) -> Client:
    return maas(access_token(city.client.id))


def report(api: Client, vehicle_id: int | str, **body: Any) -> Reply:
    content = {"userId": "U-1", "damageTypeIds": [BELL], **body}
    return api.call("create_damage_report", path={"vehicleId": str(vehicle_id)}, body=content)


def types(api: Client, vehicle_id: int | str, locale: str = "nb-NO") -> Reply:
    return api.call("get_damage_types", path={"vehicleId": str(vehicle_id)}, query={"locale": locale})


def test_the_damages_of_a_vehicle_have_names_in_the_language_asked_for(city: City, api: Client) -> None:
    scooter, bike = types(api, city.vehicle().id).json["rows"], types(api, city.vehicle(model=BIKE).id).json["rows"]
    assert {"id": BRAKES, "name": "Bremsene virker ikke som de skal", "severity": "critical"} in scooter
    assert {each["id"] for each in bike} - {each["id"] for each in scooter} >= {SADDLE}
    assert types(api, city.vehicle().id, "tlh").json["rows"][0]["name"] == "Brakes do not work properly"


def test_a_report_is_answered_with_all_that_is_kept(city: City, api: Client) -> None:
    vehicle = city.vehicle()
    answer = report(api, vehicle.id, damageTypeIds=[BELL, LIGHTS, BELL], comment="It squeaks", notifyOnRepair=True)
    assert answer.status == 200
    created = answer.json
    store.begin()
    assert created.pop("maintenanceId") == support.maintenance_of(vehicle.id)
    assert created.pop("id")
    assert created.pop("createdAt").endswith("Z")
    assert created == {
        "vehicleId": vehicle.id,
        "userId": "U-1",
        "damageTypeIds": [BELL, LIGHTS],
        "severity": "major",
        "comment": "It squeaks",
        "notifyOnRepair": True,
    }


def test_what_may_be_left_out_is_left_out(city: City, api: Client) -> None:
    created = report(api, city.vehicle().id).json
    assert "comment" not in created
    assert created["notifyOnRepair"] is False


def test_reports_of_two_users_are_one_maintenance(city: City, api: Client) -> None:
    vehicle = city.vehicle()
    one, two = report(api, vehicle.id).json, report(api, vehicle.id, userId="U-2", damageTypeIds=[BRAKES]).json
    assert one["maintenanceId"] == two["maintenanceId"]
    assert one["id"] != two["id"]
    store.begin()
    assert fleet.vehicle(vehicle.id).unavailabilities == {Unavailability.BROKEN}


@pytest.mark.parametrize(
    "wrong",
    [
        {"damageTypeIds": []},
        {"damageTypeIds": [999]},
        {"damageTypeIds": [SADDLE]},
        {"damageTypeIds": ["1"]},
        {"damageTypeIds": [1.5]},
        {"damageTypeIds": 1},
        {"damageTypeIds": list(range(1, 30))},
        {"damageTypeIds": None},
        {"comment": "x" * 1001},
        {"comment": "\x00"},
        {"comment": 7},
        {"notifyOnRepair": "yes"},
    ],
)
def test_what_cannot_be_so_is_an_invalid_damage_report(city: City, api: Client, wrong: dict[str, Any]) -> None:
    vehicle = city.vehicle()
    answer = report(api, vehicle.id, **wrong)
    assert (answer.status, answer.json["code"]) == (400, "ERR_INVALID_DAMAGE_REPORT")
    store.begin()
    assert support.maintenance_of(vehicle.id) is None


@pytest.mark.parametrize("wrong", [{"userId": ""}, {"userId": 7}, {"userId": "x" * 256}, {"userId": None}])
def test_without_a_user_the_request_is_invalid(city: City, api: Client, wrong: dict[str, Any]) -> None:
    answer = report(api, city.vehicle().id, **wrong)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("vehicle", ["x", "0", "-1", "1.5", str(2**53)])
def test_an_impossible_vehicle_is_an_invalid_request(api: Client, vehicle: str) -> None:
    for answer in (report(api, vehicle), types(api, vehicle)):
        assert (answer.status, answer.json["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("query", [{}, {"locale": ""}, {"locale": "nb NO"}])
def test_a_language_has_to_be_named(city: City, api: Client, query: dict[str, str]) -> None:
    answer = api.call("get_damage_types", path={"vehicleId": str(city.vehicle().id)}, query=query)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")


def test_vehicles_of_others_and_of_other_kinds_do_not_exist(city: City, api: Client) -> None:
    stranger = maas(access_token(city.partner("Stranger", (2,))[0].id))
    vehicle, moped = city.vehicle(), city.vehicle(model=MOPED)
    for client, vehicle_id in ((stranger, vehicle.id), (api, moped.id), (api, 404)):
        for answer in (report(client, vehicle_id), types(client, vehicle_id)):
            assert (answer.status, answer.json["code"]) == (404, "vehicle_not_found")


def test_nobody_reports_on_behalf_of_another(city: City, api: Client) -> None:
    vehicle = city.vehicle()
    report(api, vehicle.id, userId="U-2")
    for name, status in (("U-1", 200), ("U-2", 403), ("nobody yet", 200)):
        answer = api.call(
            "create_damage_report",
            path={"vehicleId": str(vehicle.id)},
            body={"userId": "U-1", "damageTypeIds": [BELL]},
            headers={"on-behalf-of": name},
        )
        assert answer.status == status


def test_a_report_takes_one_reading_and_one_writing(city: City, api: Client) -> None:
    vehicle = city.vehicle()
    fleet.model(vehicle.model_id)
    with measured() as usage:
        assert report(api, vehicle.id, damageTypeIds=[BRAKES]).status == 200
    assert usage.calls == ["BatchGetItem", "TransactWriteItems"]
    assert usage.read_units <= 4
    assert usage.write_units <= 10
    with measured() as usage:
        assert types(api, vehicle.id).status == 200
    assert usage.calls == ["BatchGetItem"]
