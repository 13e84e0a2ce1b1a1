"""The demo's two cities: what they are called, what is ridden there and what it costs, and where one may ride."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from kickstand.fleet import alerts
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Ability, Alert, AlertType, Category, Issuer, Lock, Network, VehicleModel
from kickstand.geo import service as geo
from kickstand.geo.model import MultiPolygon, Parking, Verdict, Window, Zone, ZoneRule
from kickstand.kernel import clock
from kickstand.kernel.place import Position
from kickstand.pricing import service as pricing
from kickstand.pricing.model import Tariff, Terms
from kickstand.support import crm
from kickstand.support.model import CrmSettings, Platform
from local.demo.names import OSLO, PARIS

_DATA: Final = Path(__file__).parents[1] / "data"

CLOSED_STATION: Final = 610

SCOOTER, BIKE, E_BIKE, CAR, FAMILY_BIKE = 1, 2, 3, 4, 5
_MODELS: Final = (
    VehicleModel(
        id=SCOOTER,
        name="Kick 5",
        category=Category.SCOOTER,
        max_range_m=45_000,
        manufacturer="Kickstand (demo)",
        make="K5",
        bridge="segway_api",
    ),
    VehicleModel(
        id=BIKE,
        name="City 3",
        category=Category.BIKE,
        max_range_m=0,
        lock=Lock.DOCK,
        abilities=frozenset(),
        docked=True,
        manufacturer="Kickstand (demo)",
        make="C3",
        bridge="sharebike",
    ),
    VehicleModel(
        id=E_BIKE,
        name="City 3e",
        category=Category.E_BIKE,
        max_range_m=80_000,
        lock=Lock.BOLT,
        docked=True,
        manufacturer="Kickstand (demo)",
        make="C3e",
        bridge="linka",
    ),
    VehicleModel(id=CAR, name="Compact", category=Category.CAR, max_range_m=320_000),
    VehicleModel(
        id=FAMILY_BIKE,
        name="City 3e Family",
        category=Category.E_BIKE_CHILD_SEAT,
        max_range_m=60_000,
        lock=Lock.RING,
        abilities=frozenset({Ability.PAUSE, Ability.END_REMOTELY}),
        docked=True,
        manufacturer="Kickstand (demo)",
        make="C3eF",
        bridge="axa",
        lock_visual="ring_lock",
    ),
)

NETWORKS: Final = (
    Network(
        id=OSLO,
        name="Oslo",
        currency="NOK",
        timezone="Europe/Oslo",
        vat_percent=25,
        parking=Parking.FREE_FLOATING,
        categories=frozenset(model.category for model in _MODELS),
        languages=("nb", "en"),
        left_unlocked_fine=29_000,
        hold=5_000,
        issuer=Issuer(
            name="Kickstand Oslo AS (demo)",
            address=("Storgata 1", "0155 Oslo", "Norway"),
            vat_number="NO 999 999 999 MVA",
            email="oslo@kickstand.example",
        ),
    ),
    Network(
        id=PARIS,
        name="Paris",
        currency="EUR",
        timezone="Europe/Paris",
        vat_percent=20,
        parking=Parking.FREE_FLOATING,
        categories=frozenset({Category.SCOOTER}),
        languages=("fr", "en"),
        left_unlocked_fine=2_500,
        issuer=Issuer(
            name="Kickstand Paris SAS (demo)",
            address=("1 rue de Rivoli", "75001 Paris", "France"),
            vat_number="FR 99 999 999 999",
            email="paris@kickstand.example",
        ),
    ),
)

Tariffs = Mapping[tuple[int, int], Tariff]
"""By network and model."""

# start price and price per minute, without VAT
_PRICES: Final = {
    OSLO: {SCOOTER: (800, 200), BIKE: (0, 80), E_BIKE: (800, 240), CAR: (0, 320), FAMILY_BIKE: (1200, 240)},
    PARIS: {SCOOTER: (100, 25)},
}


def open_networks() -> Tariffs:
    """Put networks, models and tariffs in place."""
    for model in _MODELS:
        fleet.put_model(model)
    tariffs: dict[tuple[int, int], Tariff] = {}
    for network in NETWORKS:
        fleet.put_network(network)
        for model_id, (start, minute) in _PRICES[network.id].items():
            terms = Terms(
                currency=network.currency, start_price=start, price_per_minute=minute, vat_percent=network.vat_percent
            )
            if model_id == BIKE:  # it says nothing of its way: back in its dock it seems not to have moved
                terms = terms.model_copy(update={"free_under_m": 0})
            tariffs[network.id, model_id] = pricing.publish_tariff(network.id, model_id, terms)
    return tariffs


Judgement = Callable[[Sequence[Position]], list[Verdict]]


def publish_zones() -> dict[int, Judgement]:
    """Publish where one may ride and park; answers who judges places, by network."""
    judged: dict[int, Judgement] = {}
    for network in NETWORKS:
        zones = [
            Zone(
                id=network.id * 10_000 + number,
                network_id=network.id,
                name=each["name"],
                area_type=each["area_type"],
                rule=ZoneRule.model_validate(each["rule"]),
                geometry=MultiPolygon.model_validate(each["geometry"]),
                schedule=tuple(Window.model_validate(window) for window in each.get("schedule", [])),
            )
            for number, each in enumerate(data(f"{network.name.lower()}_zones.json")["zones"], 1)
        ]
        geo.put_zones(network.id, network.parking, zones, timezone=network.timezone)
        judged[network.id] = partial(geo.judge_all, network.id)
    return judged


def put_up_notices() -> None:
    """Tell everybody about a closed station, and how riders in Oslo get help."""
    alert = Alert(
        id=1,
        network_id=OSLO,
        type=AlertType.STATION_CLOSURE,
        cluster_ids=(CLOSED_STATION,),
        summary={"en": "Sotahjørnet is closed (demo)", "nb": "Sotahjørnet er stengt (demo)"},
        description={"en": "The square is being paved. The next station is Fred Olsens gate."},
        updated_at=clock.now(),
    )
    alerts.put_alert(alert)
    crm.configure(
        CrmSettings(
            network_id=OSLO,
            provider="intercom",
            app_id="demo-oslo",
            secrets={platform: f"demo-secret-for-{platform}" for platform in Platform},
        )
    )


def data(name: str) -> dict[str, Any]:
    """A file of real places."""
    document: dict[str, Any] = json.loads((_DATA / name).read_text(encoding="utf-8"))
    return document
