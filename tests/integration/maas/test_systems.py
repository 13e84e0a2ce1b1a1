"""Systems, their alerts and their customer relations, as clients of the MaaS surface see them."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from botocore.session import Session

from kickstand.fleet import alerts
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Alert, AlertType, Category, Network, Period
from kickstand.geo import service as geo
from kickstand.geo.model import Parking
from kickstand.http import surface as http_surface
from kickstand.kernel import clock, store
from kickstand.support import crm
from kickstand.support.model import CrmSettings, Platform
from tests.support.api import Client, Reply, access_token, maas
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.zones import OSLO, at, square, zone


@pytest.fixture
def city(aws: Session) -> City:
    city = City()
    offered = frozenset({Category.SCOOTER, Category.E_BIKE, Category.CAR, Category.E_BIKE_CHILD_SEAT})
    change(1, categories=offered, languages=("nb", "en"))
    return city


def change(network_id: int, **differently: object) -> Network:
    store.begin()
    network = fleet.network(1).model_copy(update={"id": network_id, **differently})
    fleet.put_network(network)
    return network


def client_of(city: City, *networks: int) -> Client:
    return maas(access_token(city.partner(f"Partner of {networks}", networks)[0].id))


def operate(network_id: int, metres_east: float = 0) -> None:
    store.begin()
    ring = square(1000, at(metres_east, 0))
    geo.put_zones(network_id, Parking.FREE_FLOATING, [zone(1, ring=ring, network_id=network_id)])


# ── Systems ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_system_says_what_a_client_has_to_know(city: City) -> None:
    operate(1)
    system = client_of(city, 1).call("get_system").json["data"]
    box = system.pop("boundingBox")
    assert box[0] < OSLO.longitude < box[2]
    assert box[1] < OSLO.latitude < box[3]
    centre = system.pop("center")
    assert centre["coordinates"] == pytest.approx([OSLO.longitude, OSLO.latitude], abs=1e-6)
    assert system == {
        "id": 1,
        "name": "Oslo",
        "timezone": "Europe/Oslo",
        "currency": "NOK",
        "vatPercent": 25,
        "languages": ["nb", "en"],
        "vehicleCategories": ["ebike", "scooter", "ebike_with_childseat"],
        "parking": "free_floating",
        "reservationSeconds": 900,
        "operator": "Oslo Rides AS",
        "supportEmail": "o@r.example",
    }


def test_before_its_first_geofence_a_system_is_nowhere(city: City) -> None:
    system = client_of(city, 1).call("get_system").json["data"]
    assert not {"center", "boundingBox"} & system.keys()


def test_superpowers_show_settings(city: City) -> None:
    api = client_of(city, 1)
    settings = api.call("get_system", query={"superpowers": "true"}).json["data"]["settings"]
    assert settings["maxPause"] == 1800
    assert settings["leftUnlockedFine"] == 29_000
    assert "settings" not in api.call("get_system", query={"superpowers": "false"}).json["data"]
    answer = api.call("get_system", query={"superpowers": "very much"})
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")


def test_the_system_is_the_first_and_the_systems_are_all(city: City) -> None:
    for number in (2, 3):
        change(number, name=f"City {number}")
    api = client_of(city, 3, 2)
    assert api.call("get_system").json["data"]["name"] == "City 2"
    assert [each["id"] for each in api.call("get_systems").json["data"]] == [2, 3]


def test_a_client_without_system_has_none(city: City) -> None:
    api = client_of(city, 404)
    answer = api.call("get_system")
    assert (answer.status, answer.json["code"]) == (404, "system_not_found")
    assert api.call("get_systems").json["data"] == []
    assert api.call("get_system_alerts").json["data"] == []


def test_systems_are_found_by_a_position(city: City) -> None:
    change(2)
    change(3)
    operate(1)
    operate(2, 500)
    api = client_of(city, 1, 2, 3)

    def found(latitude: float, longitude: float) -> list[int]:
        answer = api.call("get_systems", query={"position": f"{latitude:.6f},{longitude:.6f}"})
        return [each["id"] for each in answer.json["data"]]

    assert found(OSLO.latitude, OSLO.longitude) == [1, 2]
    east = at(1200, 0)
    assert found(east.latitude, east.longitude) == [2]
    assert found(OSLO.longitude, OSLO.latitude) == []
    assert found(0, 0) == []
    assert client_of(city, 2).call("get_systems", query={"position": "59.9139,10.7522"}).json["data"][0]["id"] == 2


@pytest.mark.parametrize(
    "position",
    [
        "",
        "59.9",
        "59.9,",
        ",10.7",
        "59.9,10.7,0",
        "59.9 , 10.7",
        "59.9;10.7",
        "59,9,10,7",
        "91,10",
        "-90.1,10",
        "59.9,181",
        "59.9,-180.5",
        "nan,10",
        "1e1,10",
        "0x3b,10",
        "+59.9,10.7",
        "٥٩.٩,10.7",
        "59.9,10.7\n",
        "[59.9,10.7]",
    ],
)
def test_a_position_is_two_numbers(city: City, position: str) -> None:
    answer = client_of(city, 1).call("get_systems", query={"position": position})
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")


def test_systems_take_one_reading_after_the_client(city: City) -> None:
    change(2)
    operate(1)
    api = client_of(city, 1, 2)
    for operation in ("get_system", "get_systems"):
        with measured() as usage:
            assert api.call(operation).status == 200
        assert usage.calls == ["BatchGetItem", "BatchGetItem"]


# ── Alerts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_alerts_are_shown_while_they_apply(city: City) -> None:
    now = clock.now()
    change(2)
    alert = Alert(
        id=7,
        network_id=1,
        type=AlertType.STATION_CLOSURE,
        times=(Period(start=datetime(2026, 1, 1, 12, tzinfo=UTC)),),
        cluster_ids=(58,),
        summary={"en": "Closed", "nb": "Stengt"},
        description={"en": "For the marathon"},
        url="https://status.example/7",
        updated_at=now,
    )
    alerts.put_alert(alert)
    over = (Period(start=now - timedelta(hours=2), end=now - timedelta(hours=1)),)
    alerts.put_alert(alert.model_copy(update={"id": 8, "times": over}))
    everything = {"id": 9, "network_id": 2, "times": (), "cluster_ids": (), "description": None, "url": None}
    alerts.put_alert(alert.model_copy(update=everything))

    first, second = client_of(city, 1, 2).call("get_system_alerts").json["data"]
    assert first.pop("lastUpdated") >= f"{now:%Y-%m-%d}"
    assert first == {
        "id": 7,
        "systemId": 1,
        "type": "station_closure",
        "times": [{"start": "2026-01-01T12:00:00.000Z"}],
        "dockGroupIds": [58],
        "summary": [{"language": "en", "text": "Closed"}, {"language": "nb", "text": "Stengt"}],
        "description": [{"language": "en", "text": "For the marathon"}],
        "url": "https://status.example/7",
    }
    assert (second["id"], second["systemId"], second["times"], second["dockGroupIds"]) == (9, 2, [], [])
    assert [each["id"] for each in client_of(city, 2).call("get_system_alerts").json["data"]] == [9]


# ── Customer relations ───────────────────────────────────────────────────────────────────────────────────────────────

ANYBODY = Client("maas", {})


def ask(system: str = "1", **query: str) -> Reply:
    given = {"userId": "U-7", "platform": "ios"} | query
    return ANYBODY.call("get_crm_settings", path={"systemId": system}, query=given)


@pytest.fixture
def configured(city: City) -> CrmSettings:
    settings = CrmSettings(
        network_id=1, provider="intercom", app_id="abc123", secrets={Platform.IOS: "for-ios", Platform.WEB: "for-web"}
    )
    crm.configure(settings)
    return settings


def test_everybody_gets_what_an_app_needs(configured: CrmSettings) -> None:
    answer = ask()
    token = hmac.new(b"for-ios", b"U-7", hashlib.sha256).hexdigest()
    assert (answer.status, answer.json) == (200, {"provider": "intercom", "appId": "abc123", "token": token})
    assert ask(platform="web").json["token"] != token
    assert ask(userId="U-8").json["token"] != token


def test_what_is_not_there_is_said_to_be_missing(configured: CrmSettings) -> None:
    answers = {
        "system_not_found": [ask("404"), ask("x"), ask("01"), ask(str(2**53))],
        "crm_not_configured": [ask(platform="android")],
    }
    change(2)
    answers["crm_not_configured"].append(ask("2"))
    for code, given in answers.items():
        assert [(each.status, each.json["code"]) for each in given] == [(404, code)] * len(given)


@pytest.mark.parametrize("query", [{"userId": ""}, {"userId": "x" * 256}, {"userId": "\x00"}, {"platform": "symbian"}])
def test_who_asks_nonsense_is_told_so(configured: CrmSettings, query: dict[str, str]) -> None:
    answer = ask(**query)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")


def test_secrets_are_neither_answered_nor_logged(configured: CrmSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = StringIO()
    for handler in http_surface.logger.handlers:
        monkeypatch.setattr(handler, "stream", logged)
    answer = ask()
    for secret in configured.secrets.values():
        assert secret not in answer.body.decode()
        assert secret not in logged.getvalue()
    assert "U-7" not in logged.getvalue()
    assert '"operation":"get_crm_settings"' in logged.getvalue()
