"""Figures as clients of the MaaS surface see them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.session import Session

from kickstand.clients import service as clients
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Category, VehicleModel
from kickstand.identity import service as identity
from kickstand.insights import service as insights
from kickstand.kernel import ids
from kickstand.rental.model import Segment, SegmentKind
from tests.support import samples
from tests.support.api import Client, Reply, access_token, maas
from tests.support.capacity import measured
from tests.support.city import City

KARI, OLA = "kari", "ola"
START = datetime(2025, 6, 14, 12, tzinfo=UTC)
NOTHING = {
    "totalTrips": 0,
    "totalDistanceKm": 0,
    "totalRidingTimeSec": 0,
    "co2SavedGrams": 0,
    "caloriesBurned": 0,
    "totalSpentCents": 0,
    "currency": "NOK",
    "spentByCurrency": [],
}


@pytest.fixture
def city(aws: Session) -> City:
    city = City()
    fleet.put_model(VehicleModel(id=samples.MODEL_ID, name="Bike", category=Category.BIKE, max_range_m=0))
    for user in (KARI, OLA):
        identity.ensure_external(city.client, user)
    return city


@pytest.fixture
def api(city: City) -> Client:
    return maas(access_token(city.client.id))


def ride(city: City, started_at: datetime = START, currency: str = "NOK", distance_m: int = 1_234) -> None:
    """A ride of Kari's of ten minutes, which costs 3.33 with VAT."""
    ridden = Segment(kind=SegmentKind.RIDE, started_at=started_at, ended_at=started_at + timedelta(minutes=10))
    insights.count(
        samples.ended_rental(
            distance_m=distance_m,
            terms=samples.tariff(currency=currency),
            id=ids.new_id(),
            rider_id=identity.external(city.client, KARI).rider_id,
            started_at=started_at,
            ended_at=ridden.ended_at,
            segments=(ridden,),
        )
    )


def ask(api: Client, user: str = KARI, since: object = "2025-06-01T00:00:00Z", until: str | None = None) -> Reply:
    query: dict[str, Any] = {"from": since} | ({"to": until} if until is not None else {})
    return api.call("get_user_statistics", path={"userId": user}, query=query)


def error(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["code"]


def test_what_trips_add_up_to(city: City, api: Client) -> None:
    for day in range(3):
        ride(city, START + timedelta(days=day))
    reply = ask(api)
    assert reply.status == 200
    assert reply.json == {
        "totalTrips": 3,
        "totalDistanceKm": 3.7,
        "totalRidingTimeSec": 1_800,
        "co2SavedGrams": 444,
        "caloriesBurned": 111,
        "totalSpentCents": 999,
        "currency": "NOK",
        "spentByCurrency": [{"currency": "NOK", "totalSpentCents": 999}],
    }


@pytest.mark.parametrize(("metres", "kilometres"), [(4, 0), (5, 0.01), (994, 0.99), (995, 1), (123_454, 123.45)])
def test_kilometres_have_two_decimals(city: City, api: Client, metres: int, kilometres: float) -> None:
    ride(city, distance_m=metres)
    assert ask(api).json["totalDistanceKm"] == kilometres


def test_who_has_not_ridden_has_nothing(city: City, api: Client) -> None:
    ride(city)
    assert ask(api, OLA).json == NOTHING
    assert ask(api, since="2025-07-01T00:00:00Z").json == NOTHING


def test_the_currency_is_that_of_the_clients_system(city: City, api: Client) -> None:
    ride(city)
    ride(city, currency="EUR")
    ride(city, currency="EUR")
    figures = ask(api).json
    assert (figures["currency"], figures["totalSpentCents"]) == ("NOK", 333)
    assert figures["spentByCurrency"] == [
        {"currency": "EUR", "totalSpentCents": 666},
        {"currency": "NOK", "totalSpentCents": 333},
    ]


@pytest.mark.parametrize(
    ("since", "until", "trips"),
    [
        ("2025-06-14T12:00:00Z", None, 2),
        ("2025-06-14T12:00:00.000001Z", None, 1),
        ("2025-06-14T14:00:00+02:00", "2025-06-14T17:00:00+02:00", 1),
        ("2025-06-14T00:00:00Z", "2025-06-14T15:00:00Z", 1),
        ("2025-06-14T00:00:00Z", "2025-06-14T15:00:01Z", 2),
        ("2025-06-14T00:00:00Z", "2025-06-15T00:00:00Z", 2),
        ("2025-06-14T12:00:00Z", "2025-06-14T12:00:00Z", 0),
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", 2),
    ],
)
def test_from_is_the_first_moment_and_to_the_first_beyond(
    city: City, api: Client, since: str, until: str | None, trips: int
) -> None:
    ride(city)
    ride(city, START + timedelta(hours=3))
    assert ask(api, since=since, until=until).json["totalTrips"] == trips


def test_users_that_do_not_exist_have_no_figures(city: City, api: Client) -> None:
    other, _ = city.partner("Other")
    assert error(ask(api, "nobody")) == (404, "user_not_found")
    assert error(ask(maas(access_token(other.id)))) == (404, "user_not_found")


def test_a_request_on_behalf_of_another_user_is_refused(api: Client) -> None:
    assert error(ask(api.with_headers(on_behalf_of=OLA))) == (403, "user_mismatch")
    assert ask(api.with_headers(on_behalf_of=KARI)).status == 200


def test_a_client_without_a_system_has_no_currency(city: City) -> None:
    homeless = clients.register_client("Homeless", "h@partner.example", [])
    identity.ensure_external(homeless, KARI)
    assert error(ask(maas(access_token(homeless.id)))) == (404, "system_not_found")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"to": "2025-06-14T12:00:00Z"},
        {"from": ""},
        {"from": "yesterday"},
        {"from": "2025-06-14"},
        {"from": "2025-06-14T12:00:00"},
        {"from": "2025-06-14T12:00:00 02:00"},
        {"from": "1750000000"},
        {"from": "2025-06-31T12:00:00Z"},
        {"from": "2025-06-14T12:00:00Z", "to": "later"},
        {"from": "2025-06-14T12:00:00Z", "to": "2025-06-14T11:59:59Z"},
    ],
)
def test_a_range_that_cannot_be(api: Client, query: dict[str, str]) -> None:
    reply = api.call("get_user_statistics", path={"userId": KARI}, query=query)
    assert error(reply) == (400, "invalid_request")


@pytest.mark.parametrize("since", ["2025-06-01T00:00:00Z", "2025-06-01T00:00:01Z"])
def test_asking_takes_three_round_trips(api: Client, since: str) -> None:
    with measured() as usage:
        assert ask(api, since=since).status == 200
    assert usage.calls == ["BatchGetItem", "Query", "BatchGetItem"]
