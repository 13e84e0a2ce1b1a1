"""Trips on the wire: a rental as this API's clients see it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, Self

from pydantic import Field

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Spot
from kickstand.fleet.model import Vehicle as DomainVehicle
from kickstand.kernel.money import Currency
from kickstand.kernel.place import Position
from kickstand.rental import service as rentals
from kickstand.rental.model import Rental, RentalState, SegmentKind, TransitionReason
from maas._geojson import Location
from maas._schemas import Number, Time, Wire
from maas._vehicles import Vehicle, is_shown, vehicle_of


class TripState(StrEnum):
    """Where a trip is in its life."""

    STARTING = "starting"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


STATES: Final = {
    RentalState.STARTING: {TripState.STARTING},
    RentalState.IN_PROGRESS: {TripState.IN_PROGRESS},
    RentalState.ON_HOLD: {TripState.ON_HOLD},
    RentalState.ENDING: {TripState.IN_PROGRESS, TripState.ON_HOLD},
    RentalState.COMPLETED: {TripState.COMPLETED},
    RentalState.CANCELLED: {TripState.CANCELLED},
}
"""As what clients can see each state of a rental."""


def state_of(rental: Rental) -> TripState:
    """As what clients see the state of a rental: one that ends stays as it was until the vehicle has locked."""
    if rental.state is RentalState.ENDING:
        return TripState.ON_HOLD if rental.segments[-1].kind is SegmentKind.PAUSE else TripState.IN_PROGRESS
    (state,) = STATES[rental.state]
    return state


class TripStateTransitionReason(StrEnum):
    """Why something other than the user changed a trip's state."""

    CANCELLED_BY_ADMINISTRATOR = "cancelled_by_administrator"
    TIME_LIMIT_EXCEEDED = "time_limit_exceeded"
    VEHICLE_COMMUNICATION_TIMEOUT = "vehicle_communication_timeout"
    STATION_COMMUNICATION_TIMEOUT = "station_communication_timeout"
    USER_INTERACTION_TIMEOUT = "user_interaction_timeout"
    VEHICLE_TAKEN_BY_ADMINISTRATOR = "vehicle_taken_by_administrator"
    VEHICLE_MOVED_TO_OPERATION_LOCATION = "vehicle_moved_to_operation_location"
    VEHICLE_DECOMMISSIONED = "vehicle_decommissioned"
    ILLEGAL_PARKING = "illegal_parking"


_W, _T = TripStateTransitionReason, TransitionReason

REASONS: Final = {
    _T.CANCELLED_BY_OPERATOR: _W.CANCELLED_BY_ADMINISTRATOR,
    _T.TIME_LIMIT_EXCEEDED: _W.TIME_LIMIT_EXCEEDED,
    _T.VEHICLE_UNREACHABLE: _W.VEHICLE_COMMUNICATION_TIMEOUT,
    _T.STATION_UNREACHABLE: _W.STATION_COMMUNICATION_TIMEOUT,
    _T.NO_INTERACTION: _W.USER_INTERACTION_TIMEOUT,
    _T.TAKEN_BY_OPERATOR: _W.VEHICLE_TAKEN_BY_ADMINISTRATOR,
    _T.MOVED_TO_DEPOT: _W.VEHICLE_MOVED_TO_OPERATION_LOCATION,
    _T.DECOMMISSIONED: _W.VEHICLE_DECOMMISSIONED,
    _T.ILLEGAL_PARKING: _W.ILLEGAL_PARKING,
}
"""What clients are told for each reason of ours."""


class TripPricingOrderLineDto(Wire):
    """A line of a trip's price."""

    type: str = Field(description="What it is for.")
    quantity: Number
    amount: Number = Field(description="The price of a unit without VAT, in minor units; negative for a deduction.")
    vat_rate: Number = Field(description="In percent.")


class TripPricing(Wire):
    """What a trip costs; of one that goes on, what it would cost if it ended now."""

    total_amount_including_vat: Number = Field(description="In minor units.")
    currency: Currency
    trip_duration_mins: Number = Field(description="Minutes begun.")
    free_minutes_from_price_matrix: Number | None = Field(
        default=None, description="Minutes that the product's price covers."
    )
    free_minutes_per_day_used: Number | None = Field(
        default=None, description="Of the product's free minutes, those that this trip uses."
    )
    free_minutes_per_day_remaining: Number | None = Field(
        default=None, description="Of the product's free minutes, those that this trip leaves for the same day."
    )
    order_lines: list[TripPricingOrderLineDto]

    @classmethod
    def of(cls, rental: Rental, now: datetime) -> Self:
        """What a rental comes to at this moment."""
        account = rentals.account(rental, now)
        usage = account.usage
        return cls(
            total_amount_including_vat=account.fare.total,
            currency=account.fare.currency,
            trip_duration_mins=account.minutes,
            free_minutes_from_price_matrix=usage.included_minutes if usage else None,
            free_minutes_per_day_used=usage.free_minutes_used if usage else None,
            free_minutes_per_day_remaining=usage.free_minutes_left if usage else None,
            order_lines=[
                TripPricingOrderLineDto(
                    type=line.kind, quantity=line.quantity, amount=line.unit_net, vat_rate=line.vat_percent or 0
                )
                for line in account.fare.lines
            ],
        )


class Trip(Wire):
    """A user's use of a vehicle, from unlocking it to leaving it."""

    type: Literal["MAAS_TRIP_STATE_UPDATE"] = "MAAS_TRIP_STATE_UPDATE"
    id: Number
    client_id: str = Field(description="Whose user rides.")
    user_id: str
    state: TripState
    state_transition_reason: TripStateTransitionReason | None = Field(
        default=None, description="Why it is in this state, unless the user wanted it."
    )
    state_transition_comment: str | None = None
    started_at_location: Location
    vehicle: Vehicle | None = Field(default=None, description="The vehicle as it is now.")
    ended_at_location: Location | None = None
    total_distance: Number | None = Field(default=None, description="In metres; known when the trip has ended.")
    updated_at: Time
    pricing: TripPricing

    @classmethod
    def of(cls, rental: Rental, now: datetime, vehicle: Vehicle | None, addresses: Mapping[int, str]) -> Self:
        """The wire form of a rental.

        Args:
            rental: of a user whom the client knows by an id of its own.
            now: until when a trip that goes on is charged.
            vehicle: what is told about the vehicle.
            addresses: of dock groups, by their ids.
        """
        transition = rental.transition
        reason = transition.reason if transition else None
        start = _place(rental.vehicle_start, rental.started_at, rental.start_spot, addresses)
        end = None
        if rental.ended_at is not None and rental.vehicle_end is not None:
            end = _place(rental.vehicle_end, rental.ended_at, rental.end_spot, addresses)
        return cls(
            id=rental.id,
            client_id=str(rental.client_public_id),
            user_id=rental.external_rider_id or "",
            state=state_of(rental),
            state_transition_reason=REASONS[reason] if reason else None,
            state_transition_comment=transition.comment if transition else None,
            started_at_location=start,
            vehicle=vehicle,
            ended_at_location=end,
            total_distance=rental.distance_m,
            updated_at=rental.event.at,
            pricing=TripPricing.of(rental, now),
        )


def _place(position: Position, at: datetime, spot: Spot | None, addresses: Mapping[int, str]) -> Location:
    address = addresses.get(spot.cluster_id) if spot else None
    return Location.of(position, at, state_position=position, spot=spot, address=address)


def trips_of(found: Sequence[Rental], now: datetime) -> list[Trip]:
    """Rentals on the wire, each with its vehicle; one read for up to a hundred things."""
    places = {spot.cluster_id for each in found for spot in (each.start_spot, each.end_spot) if spot}
    for cluster_id in places:
        clusters.expect_cluster(cluster_id)
    for model_id in {each.tariff.model_id for each in found}:
        fleet.expect_model(model_id)
    vehicles = fleet.vehicles({each.vehicle_id for each in found})
    addresses = {cluster_id: address for cluster_id in places if (address := clusters.cluster(cluster_id).address)}
    return [Trip.of(each, now, _vehicle(vehicles.get(each.vehicle_id), each), addresses) for each in found]


def _vehicle(vehicle: DomainVehicle | None, rental: Rental) -> Vehicle | None:
    if vehicle is None or not is_shown(model := fleet.model(vehicle.model_id)):
        return None
    return vehicle_of(vehicle, model, client_id=rental.client_id)


Vehicle.model_rebuild(_types_namespace={"Trip": Trip})
