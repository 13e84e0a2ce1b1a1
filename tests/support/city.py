"""A small city for tests: a partner with a product and riders, a network, and vehicles that stand in it."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from kickstand.clients import service as clients
from kickstand.clients.model import ApiClient, Product
from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.model import (
    Ability,
    Category,
    Cluster,
    ClusterKind,
    DockState,
    Issuer,
    Lock,
    Network,
    RentTimings,
    Vehicle,
    VehicleModel,
)
from kickstand.geo.model import EndRefusal, Parking, Verdict
from kickstand.identity import service as identity
from kickstand.identity.model import Rider
from kickstand.identity.service import Profile
from kickstand.kernel import clock, ids, store
from kickstand.kernel.place import Position
from kickstand.pricing import service as pricing
from kickstand.pricing.model import PricingPlan, Tariff
from kickstand.rental import changes, rules
from kickstand.rental.model import RentalTrigger

OSLO = Position(longitude=10.7522, latitude=59.9139)
ALLOWED = Verdict(geofence_version=1, ride_start_allowed=True)
NO_PARKING = Verdict(geofence_version=1, ride_start_allowed=True, end_refusal=EndRefusal.NO_PARKING)
ISSUER = Issuer(
    name="Oslo Rides AS", address=("Storgata 1", "0155 Oslo"), vat_number="NO123456789MVA", email="o@r.example"
)
TIMINGS = RentTimings(
    too_long_notice_s=3600,
    too_long_repeat_s=1800,
    stolen_after_s=48 * 3600,
    auto_pause_after_s=1200,
    max_pause_s=1800,
    max_rental_s=6 * 3600,
    command_timeout_s=15,
    start_timeout_s=90,
)


SCOOTER = VehicleModel(id=1, name="Kick", category=Category.SCOOTER, max_range_m=40_000)
BIKE = VehicleModel(
    id=2, name="City", category=Category.BIKE, max_range_m=0, lock=Lock.DOCK, abilities=frozenset(), docked=True
)
E_BIKE = VehicleModel(
    id=3,
    name="City e",
    category=Category.E_BIKE,
    max_range_m=60_000,
    lock=Lock.BOLT,
    abilities=frozenset({Ability.PAUSE, Ability.END_REMOTELY}),
    docked=True,
)
"""A scooter that can everything, a bike that lives in docks, and an e-bike that has a bolt of its own."""

_numbers = count(1)


@dataclass
class City:
    """What a test talks about; made through the use cases, in whatever store is there."""

    network_id: int = 1
    parking: Parking = Parking.FREE_FLOATING
    timings: RentTimings = TIMINGS
    client: ApiClient = field(init=False)
    token: str = field(init=False)
    product: Product = field(init=False)

    def __post_init__(self) -> None:
        store.begin()
        fleet.put_network(
            Network(
                id=self.network_id,
                name="Oslo",
                currency="NOK",
                timezone="Europe/Oslo",
                vat_percent=25,
                parking=self.parking,
                timings=self.timings,
                left_unlocked_fine=29000,
                issuer=ISSUER,
            )
        )
        for model in (SCOOTER, BIKE, E_BIKE):
            fleet.put_model(model)
        self.client, self.token = self.partner("Travelizer")
        self.product = clients.register_product(self.client, "Travelizer")

    def partner(
        self, name: str, network_ids: tuple[int, ...] | None = None, *, charges_riders: bool = False
    ) -> tuple[ApiClient, str]:
        """A partner and its token."""
        seen = network_ids or (self.network_id,)
        client = clients.register_client(name, f"{name.lower()}@partner.example", seen, charges_riders=charges_riders)
        token = clients.issue_token(client.id)
        store.begin()
        return clients.authenticate(token), token

    def owe(self, client: ApiClient, user_id: str, *, in_debt: bool = True) -> None:
        """Let a partner's user be in debt, or not any more."""
        store.begin()
        user = identity.ensure_external(client, user_id)
        with store.Transaction() as tx:
            identity.note_debt(tx, user.rider_id, user.user_key, in_debt=in_debt)

    def rider(self, external_id: str | None = None) -> Rider:
        """A rider of the first product."""
        return identity.register(self.client, self.product.public_id, "agatha@mail.example", Profile(), external_id)

    def vehicle(
        self,
        position: Position = OSLO,
        verdict: Verdict = ALLOWED,
        code: str | None = None,
        model: VehicleModel = SCOOTER,
    ) -> Vehicle:
        """An available vehicle; a scooter if nothing else is said."""
        standing = fleet.Standing(position, "8809993867fffff", verdict)
        vehicle = fleet.new_vehicle(code or f"T{next(_numbers):03d}", self.tariff(model), standing, 80)
        fleet.add_vehicle(vehicle, standing.cell)
        return vehicle

    def cluster(self, docks: int = 8, position: Position = OSLO, type_: ClusterKind = ClusterKind.PHYSICAL) -> Cluster:
        """An active cluster with empty docks."""
        now = clock.now()
        cluster = Cluster(
            id=ids.new_id(),
            network_id=self.network_id,
            type=type_,
            name="58",
            title="Railway Square",
            position=position,
            docks={str(number): DockState.WORKING for number in range(1, docks + 1)},
            created_at=now,
            updated_at=now,
        )
        clusters.put_cluster(cluster)
        return cluster

    def docked(self, cluster: Cluster, number: int, model: VehicleModel = BIKE) -> Vehicle:
        """An available vehicle in a dock."""
        vehicle = self.vehicle(position=cluster.position, model=model)
        store.begin()
        standing = fleet.Standing(cluster.position, "8809993867fffff", ALLOWED)
        assert clusters.dock(vehicle.id, cluster.id, number, clock.now(), standing)
        store.begin()
        return fleet.vehicle(vehicle.id)

    def plan(self, **terms: Any) -> PricingPlan:
        """A plan of the first partner, free but for what is said."""
        plain = {"id": ids.new_id(), "client_id": self.client.id, "name": "Day", "currency": "NOK", "vat_percent": 25}
        plan = PricingPlan.model_validate({**plain, **terms})
        pricing.put_plan(plan)
        store.begin()
        return plan

    def tariff(self, model: VehicleModel = SCOOTER) -> Tariff:
        """10 NOK to start and 2.50 a minute, VAT of 25 % on top."""
        return Tariff(
            id=ids.new_id(),
            network_id=self.network_id,
            model_id=model.id,
            version=1,
            published_at=clock.now(),
            currency="NOK",
            start_price=1000,
            price_per_minute=250,
            vat_percent=25,
        )


def pause(rental_id: int) -> None:
    """Put a ride on hold, where its state allows it."""
    changes.advance(
        rental_id,
        RentalTrigger.PAUSE,
        lambda rental, _: rules.paused(rental, clock.now(), automatic=False),
        also=changes.hold,
    )


NOBODY = UUID("9b39971c-8e51-4b32-aa07-dd2fee64c2b0")
"""An id that nothing has."""
