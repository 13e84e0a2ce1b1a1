"""Alerts: put up, changed, withdrawn, and shown while they apply."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.session import Session
from pydantic import ValidationError

from kickstand.fleet import alerts
from kickstand.fleet.errors import NetworkNotFound
from kickstand.fleet.model import Alert, AlertType, Period
from kickstand.fleet.store import AlertItem
from kickstand.kernel import clock, store
from tests.support.city import City

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def city(aws: Session, monkeypatch: pytest.MonkeyPatch) -> City:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    return City()


def alert(alert_id: int, **differently: Any) -> Alert:
    values = {
        "id": alert_id,
        "network_id": 1,
        "type": AlertType.STATION_CLOSURE,
        "summary": {"en": "Closed", "nb": "Stengt"},
        "updated_at": NOW - HOUR,
    }
    return Alert.model_validate(values | differently)


def shown(city: City) -> list[int]:
    store.begin()
    return [each.id for each in alerts.current_alerts(city.client)]


def test_an_alert_is_shown_until_it_is_withdrawn(city: City) -> None:
    put = alerts.put_alert(alert(7, cluster_ids=(58,), url="https://status.example/7"))
    assert put.updated_at == NOW
    store.begin()
    assert alerts.current_alerts(city.client) == [put]
    for _ in range(2):
        alerts.withdraw_alert(1, 7)
    assert shown(city) == []


@pytest.mark.parametrize(
    ("times", "applies"),
    [
        ([], True),
        ([Period(start=NOW - HOUR)], True),
        ([Period(start=NOW)], True),
        ([Period(start=NOW + HOUR)], False),
        ([Period(start=NOW - HOUR, end=NOW + HOUR)], True),
        ([Period(start=NOW - HOUR, end=NOW)], False),
        ([Period(start=NOW - 3 * HOUR, end=NOW - HOUR), Period(start=NOW - HOUR, end=NOW + HOUR)], True),
        ([Period(start=NOW - 3 * HOUR, end=NOW - HOUR), Period(start=NOW + HOUR)], False),
    ],
)
def test_an_alert_is_shown_while_it_applies(city: City, times: list[Period], applies: bool) -> None:
    alerts.put_alert(alert(7, times=tuple(times)))
    assert shown(city) == ([7] if applies else [])


def test_alerts_come_by_network_the_oldest_first(city: City) -> None:
    for alert_id in (12, 7, 100):
        alerts.put_alert(alert(alert_id))
    assert shown(city) == [7, 12, 100]


def test_a_changed_alert_replaces_the_one_before(city: City) -> None:
    alerts.put_alert(alert(7))
    alerts.put_alert(alert(7, type=AlertType.OTHER))
    store.begin()
    assert [each.type for each in alerts.current_alerts(city.client)] == [AlertType.OTHER]


def test_alerts_of_foreign_networks_are_not_shown(city: City) -> None:
    alerts.put_alert(alert(7))
    stranger, _ = city.partner("Stranger", (2,))
    store.begin()
    assert alerts.current_alerts(stranger) == []


def test_where_nobody_would_see_it_nothing_is_put_up(city: City) -> None:
    with pytest.raises(NetworkNotFound):
        alerts.put_alert(alert(7, network_id=404))


def test_an_alert_goes_some_time_after_its_last_hour(city: City) -> None:
    alerts.put_alert(alert(7, times=(Period(start=NOW, end=NOW + HOUR), Period(start=NOW, end=NOW + 2 * HOUR))))
    alerts.put_alert(alert(8, times=(Period(start=NOW, end=NOW + HOUR), Period(start=NOW))))
    alerts.put_alert(alert(9))
    kept = [AlertItem.get("NETWORK#1", f"ALERT#{number:016d}").expires_at for number in (7, 8, 9)]
    assert kept == [int((NOW + 2 * HOUR + timedelta(days=30)).timestamp()), None, None]


@pytest.mark.parametrize(
    "wrong",
    [
        {"summary": {}},
        {"summary": {"en": ""}},
        {"url": "http://status.example"},
        {"times": [{"start": NOW, "end": NOW}]},
        {"times": [{"start": datetime(2026, 6, 1)}]},  # noqa: DTZ001 - that is what is wrong
    ],
)
def test_an_alert_makes_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        alert(7, **wrong)
