"""The city that a fresh platform starts with: two networks, three partners, their riders, clusters and vehicles.

Every id, code and secret is the same on every machine, so that examples can be copied. Positions, docks and zones come
from ``local/data``, whose README says where from.
"""

from typing import Any

from kickstand.clients.store import ClientItem
from kickstand.fleet import clusters, directory, listing
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import ClusterNotFound, VehicleNotFound
from kickstand.fleet.model import ClusterKind
from kickstand.kernel import store
from kickstand.support import service as support
from local.demo import cities, past, sales, streets
from local.demo.names import CODE, FIRST, FRIEND, OSLO, PARIS, PARIS_TOKEN, PAYER, TOKEN, USER, WEBHOOK_SECRET, uuid
from local.demo.partners import DIRECT, IN_BOTH, IN_PARIS, PAID_RIDES, PENALTY, WEBHOOK, admit, arrange_webhook, take_in
from local.types import Json
from local.vehicles import Dock, Status

__all__ = [
    "CODE",
    "FRIEND",
    "OSLO",
    "PARIS",
    "PARIS_TOKEN",
    "TOKEN",
    "USER",
    "describe",
    "locate",
    "locate_station",
    "repair",
    "seed",
]

_DOCK_GROUP, _RESERVED_AT = 551, 1755  # stations
_DAMAGED = 40


def seed() -> None:
    """Fill an empty city. Where the demo has been before it changes nothing, whatever has happened there since."""
    store.begin()
    if store.load(ClientItem.key(IN_BOTH.number)) is not None:
        return
    tariffs = cities.open_networks()
    city = streets.lay_out(tariffs, cities.publish_zones())
    take_in()
    oslo = cities.NETWORKS[0]
    sales.open_shop()
    sales.sell(oslo)
    city = city.ridden([past.ride(city.vehicles[0], oslo), past.trip(city, oslo)])
    city = city.replacing(past.reserve(city.e_bike_at(_RESERVED_AT)[0]))
    city.write()
    city = city.replacing(past.report_damage(city.vehicles[_DAMAGED]))
    cities.put_up_notices()
    arrange_webhook()
    # The lists are complete when the first request comes; the streams will find nothing new for them.
    listing.project((None, vehicle) for vehicle in city.vehicles)
    directory.project((None, cluster) for cluster in city.clusters)
    # The partner that the check above looks for comes last: a seeding that was cut short begins anew.
    admit()
    store.begin()


def describe() -> dict[str, Json]:
    """What a client needs to begin with, by surface.

    ``ids`` has a valid value for every path parameter. On one surface, whatever can be called ``id`` has the same one;
    the ``token`` of the hosted pages is an invoice's, as nobody is paying or saving a card.
    """
    return {"surfaces": {"voi": _voi(), "maas": _maas(), "checkout": _checkout()}}


def _voi() -> dict[str, Any]:
    first = str(uuid(FIRST))
    return {
        "base": "/voi",
        "headers": {"X-Auth-Token": IN_BOTH.token},
        "ids": {
            "id": first,
            "userId": first,
            "vehicleId": first,
            "rentalId": first,
            "productId": str(uuid(FIRST, "product")),
            "zoneId": str(OSLO),
            "zoneID": str(OSLO),
            "code": CODE,
        },
        "others": [{"about": "a partner in Paris only", "headers": {"X-Auth-Token": IN_PARIS.token}}],
    }


def _maas() -> dict[str, Any]:
    return {
        "base": "/maas",
        "headers": {"Authorization": f"Bearer {IN_BOTH.bearer}"},
        "client": {"id": str(IN_BOTH.client.public_id), "secret": IN_BOTH.secret, "webhookSecret": WEBHOOK_SECRET},
        "ids": {
            "id": str(FIRST),
            "vehicleId": str(FIRST),
            "qrCode": CODE,
            "gbfsId": str(uuid(FIRST)),
            "dockGroupId": str(_DOCK_GROUP),
            "tripId": str(past.TRIP),
            "reservationId": str(past.RESERVATION),
            "penaltyId": str(PENALTY),
            "webhookId": str(WEBHOOK),
            "orderId": str(sales.ORDER),
            "token": sales.ORDER_TOKEN,
            "userId": USER,
            "systemId": str(OSLO),
        },
        "shop": {
            "subscription": str(sales.MONTHLY),
            "giftCode": str(sales.GIFT),
            "discountCode": sales.DISCOUNT,
        },
        "others": [{"about": "a client in Paris only", "headers": {"Authorization": f"Bearer {IN_PARIS.bearer}"}}],
        "direct": {
            "about": "a client whose users pay the operator",
            "client": {"id": str(DIRECT.client.public_id), "secret": DIRECT.secret},
            "headers": {"Authorization": f"Bearer {DIRECT.bearer}"},
            "ids": {"userId": PAYER, "productId": str(PAID_RIDES)},
        },
    }


def _checkout() -> dict[str, Any]:
    return {"base": "/checkout", "headers": {}, "ids": {"token": sales.INVOICE_TOKEN}}


def locate(vehicle_id: int) -> Status | None:
    """Where a vehicle of the fleet stands, for the simulator that takes its place; ``None`` for no vehicle of ours."""
    store.begin()
    try:
        vehicle = fleet.vehicle(vehicle_id)
    except VehicleNotFound:
        return None
    return Status(
        longitude=vehicle.position.longitude,
        latitude=vehicle.position.latitude,
        battery_percent=vehicle.battery_percent,
        locked=vehicle.locked,
        dock=Dock(spot.cluster_id, spot.number) if (spot := vehicle.spot) and not spot.virtual else None,
    )


def repair(vehicle_id: int) -> bool:
    """Let staff repair a vehicle; answers whether it waited for that."""
    store.begin()
    maintenance_id = support.maintenance_of(vehicle_id)
    if maintenance_id is None:
        return False
    support.complete_maintenance(maintenance_id)
    return True


def locate_station(cluster_id: int) -> tuple[float, float] | None:
    """Longitude and latitude of a cluster with hardware, for the simulator that takes its place."""
    store.begin()
    try:
        cluster = clusters.cluster(cluster_id)
    except ClusterNotFound:
        return None
    if cluster.type is not ClusterKind.PHYSICAL:
        return None
    return cluster.position.longitude, cluster.position.latitude
