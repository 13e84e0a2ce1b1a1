"""A partner's app, from the first request to the receipt. Riders log in nowhere: the partner's token is enough."""

import io
import json
from datetime import datetime
from pathlib import Path
from string import Formatter
from typing import Any, Final

import pytest
from pypdf import PdfReader

from tests.support.http import Answer
from tests.support.town import Place, Ride, Town, Vehicle, given_back, until

FACTS: Final = json.loads((Path(__file__).parents[1] / "contract" / "facts" / "voi.json").read_text())


NEW: Final = {"email": "agatha@kickstand.dev", "firstName": "Agatha", "externalId": "T-1"}


def test_a_ride_from_the_first_request_to_the_receipt(town: Town) -> None:
    town.platform.settle()  # a second is short while a new city is still being filled
    product, user = a_partner_brings_an_app_and_a_user(town)
    zone = the_app_shows_where_one_may_ride_and_park(town)
    vehicle = the_user_finds_a_vehicle_by_its_code(town, zone)
    price = the_price_is_shown(town, vehicle)
    rental = the_ride_begins(town, user, vehicle)
    from_now_on_the_vehicle_is_hers_alone(town, product, user, vehicle, rental)
    she_cannot_leave_it_where_parking_is_forbidden(town, vehicle, rental)
    cost = she_ends_the_ride_where_it_may_end(town, vehicle, rental, price)
    the_vehicle_is_there_for_everybody_again(town, user, vehicle)
    the_receipt_tells_who_what_and_how_much_vat(town, vehicle, rental)
    afterwards_everything_is_where_it_belongs(town, Ride(rental, user, NEW["email"], vehicle, town.demo), cost)


def a_partner_brings_an_app_and_a_user(town: Town) -> tuple[str, str]:
    product = town.demo.http.post("/v1/product/register", {"productName": "Travelizer"}).data[0]
    assert product["attributes"] == {"productName": "Travelizer", "state": "ACTIVE"}
    user = town.demo.http.post("/v1/user/register", NEW | {"productId": product["id"]}).data
    assert user["attributes"].items() >= NEW.items()
    return product["id"], user["id"]


def the_app_shows_where_one_may_ride_and_park(town: Town) -> str:
    http = town.demo.http
    zones = {each["zoneName"]: each["zoneId"] for each in http.get("/v1/zone/info").data["attributes"]["zones"]}
    assert zones == {"Oslo": "1", "Paris": "2"}
    areas = http.get(f"/v1/zone/id/{zones['Oslo']}")
    assert {each["area_type"] for each in areas.data["attributes"]["areas"]} >= {"operations", "no-parking"}
    assert "max-age=21600" in areas.headers["cache-control"]  # six hours; then it asks whether anything has changed
    again = http.get(f"/v1/zone/id/{zones['Oslo']}", if_none_match=areas.headers["etag"])
    assert (again.status, again.content) == (304, b"")
    return str(zones["Oslo"])


def the_user_finds_a_vehicle_by_its_code(town: Town, zone: str) -> Vehicle:
    vehicle = town.vehicle(zone)
    (found,) = town.demo.http.get(f"/v1/vehicles/code/{vehicle.code}").data
    assert found["id"] == vehicle.id
    assert found["attributes"] == town.demo.listed(zone)[vehicle.id]
    return vehicle


def the_price_is_shown(town: Town, vehicle: Vehicle) -> dict[str, Any]:
    price: dict[str, Any] = town.demo.http.get(f"/v1/pricing/vehicle/{vehicle.id}").data["attributes"]
    assert price == {"currency": "NOK", "startPrice": 800, "pricePerMinute": 200, "vat": 25}
    return price


def the_ride_begins(town: Town, user: str, vehicle: Vehicle) -> str:
    (rental,) = town.demo.start(user, vehicle, userStartLocation=location(vehicle.place)).data
    assert rental["attributes"]["state"] == "RUNNING"
    assert rental["attributes"]["userStartLocation"] == location(vehicle.place)
    return str(rental["id"])


def from_now_on_the_vehicle_is_hers_alone(town: Town, product: str, user: str, vehicle: Vehicle, rental: str) -> None:
    until(lambda: vehicle.id not in town.demo.listed(), seconds=1, what="the rented vehicle leaves the list")
    other = town.demo.register_user(product, "other@kickstand.dev")
    assert town.demo.start(other, vehicle).refusal == (400, "VehicleNotFound")
    assert town.demo.start(user, town.vehicle()).refusal == (400, "RentalAlreadyExists")
    (active,) = town.demo.http.get(f"/v1/rental/user/{user}/active").data
    assert (active["id"], active["attributes"]["vehicle"]["vehicleCode"]) == (rental, vehicle.code)
    until(lambda: town.commands(vehicle) == ["unlock"], what="the vehicle is told to unlock")
    town.settle()


def she_cannot_leave_it_where_parking_is_forbidden(town: Town, vehicle: Vehicle, rental: str) -> None:
    town.passes(minutes=6, seconds=10)
    town.moves(vehicle, town.forbidden())
    refused = town.demo.end(rental)
    assert refused.refusal == (400, "InvalidInput")
    assert "no parking" in refused.json["detail"]
    assert town.demo.rental(rental)["state"] == "RUNNING"


def she_ends_the_ride_where_it_may_end(town: Town, vehicle: Vehicle, rental: str, price: dict[str, Any]) -> object:
    town.passes(minutes=6, seconds=10)
    destination = town.vehicle().place
    town.moves(vehicle, destination)
    (answer,) = town.demo.end(rental, userEndLocation=location(destination)).data
    ended = answer["attributes"]
    assert (ended["state"], ended["rentalDurationMin"], minutes(ended)) == ("ENDED", 13, 13)
    net = price["startPrice"] + 13 * price["pricePerMinute"]
    assert ended["cost"]["total"] == {"amount": net * 125 // 100, "currency": "NOK", "vat": net * 25 // 100}
    assert ended["userEndLocation"] == ended["vehicleEndLocation"] == location(destination)
    return ended["cost"]


def the_vehicle_is_there_for_everybody_again(town: Town, user: str, vehicle: Vehicle) -> None:
    given_back(vehicle)
    until(lambda: vehicle.id in town.demo.listed(), seconds=1, what="the vehicle is listed again")
    (found,) = town.demo.http.get(f"/v1/vehicles/id/{vehicle.id}").data
    assert town.demo.listed()[vehicle.id] == found["attributes"]
    assert found["attributes"]["location"] != location(vehicle.place)
    assert town.commands(vehicle) == ["unlock", "lock"]
    assert town.demo.http.get(f"/v1/rental/user/{user}/active").refusal == (404, "ActiveRentalNotFound")


def the_receipt_tells_who_what_and_how_much_vat(town: Town, vehicle: Vehicle, rental: str) -> None:
    until(lambda: town.demo.rental(rental).get("receipt"), what="there is a receipt")
    receipt = town.demo.receipt(rental)
    assert (receipt.status, receipt.headers["content-type"]) == (200, "application/pdf")
    text = text_of(receipt)
    for expected in ("Kickstand Oslo AS (demo)", "VAT number NO 999 999 999 MVA", vehicle.code):
        assert expected in text
    assert row(text, "Start of the ride") == "1 8.00 25 % 8.00 2.00 10.00"
    assert row(text, "Riding time, per minute begun") == "13 2.00 25 % 26.00 6.50 32.50"
    assert row(text, "VAT 25 %") == "34.00 8.50 42.50"
    assert row(text, "Total incl. VAT") == "NOK 42.50"


def afterwards_everything_is_where_it_belongs(town: Town, ride: Ride, cost: object) -> None:
    town.settle()
    (listed,) = town.demo.http.get(f"/v1/rental/user/{ride.user}").data
    assert (listed["id"], listed["attributes"]["cost"]) == (ride.id, cost)
    assert town.events(ride) == ["RentalCompleted"]
    assert town.executions(ride) == ["SUCCEEDED"]
    assert town.mails(ride.mail) == []


def test_a_ride_of_a_minute_is_free(town: Town) -> None:
    ride = town.ride()
    town.passes(seconds=50)
    town.moves(ride.vehicle, town.vehicle().place)
    ride.partner.end(ride.id)
    town.settle()
    assert (ride.state, ride.attributes["cost"]["total"]["amount"]) == ("ENDED", 0)
    assert "There is nothing to pay." in text_of(ride.partner.receipt(ride.id))
    assert town.events(ride) == ["RentalCompleted"]


OPERATIONS: Final = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in FACTS["paths"].items()
    for method, operation in methods.items()
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_demo_knows_a_value_for_every_parameter(town: Town, name: str) -> None:
    method, path, operation = OPERATIONS[name]
    known = town.described["ids"]
    assert {field for _, field, _, _ in Formatter().parse(path) if field} <= known.keys()
    query = {each["name"]: known[each["name"]] for each in operation.get("parameters", []) if each["in"] == "query"}
    bodies: dict[str, Any] = {
        "register_product": {"productName": "Demo"},
        "update_product": {"productName": "Demo app", "productId": known["productId"]},
        "register_user": {"email": "demo@kickstand.dev", "productId": known["productId"]},
        "update_user": {"firstName": "Kari"},
        "start_rental": {"userId": known["userId"], "vehicleId": known["vehicleId"]},
        "end_rental": {},
    }
    answer = town.demo.http.call(method, path.format(**known), bodies.get(name), query=query)
    town.settle()
    documented = {(each["status"], each["errorCode"]) for each in operation.get("x-errors", [])}
    assert answer.status == 200 or answer.refusal in documented, answer.body
    assert answer.status < 500


def test_every_operation_without_a_token_is_refused_alike(town: Town) -> None:
    known = town.described["ids"]
    answers = [
        town.http.call(method, town.described["base"] + path.format(**known), {} if method in {"POST", "PUT"} else None)
        for method, path, _ in OPERATIONS.values()
    ]
    assert len(answers) == 18
    assert {(each.status, each.body) for each in answers} == {(401, answers[0].body)}


def location(place: Place) -> dict[str, float]:
    """A place on the wire."""
    return {"longitude": place[0], "latitude": place[1]}


def minutes(attributes: dict[str, Any]) -> int:
    """Minutes begun between the start and the end that a rental shows."""
    took = datetime.fromisoformat(attributes["endedAt"]) - datetime.fromisoformat(attributes["startedAt"])
    return -(-int(took.total_seconds() * 1000) // 60_000)


def text_of(document: Answer) -> str:
    """What a PDF of one page says."""
    (page,) = PdfReader(io.BytesIO(document.content)).pages
    return page.extract_text().replace("\u00a0", " ").replace("\0", "")


def row(text: str, label: str) -> str:
    """What stands beside ``label``."""
    return next(line.removeprefix(label).strip() for line in text.splitlines() if line.startswith(label))
