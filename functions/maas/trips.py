"""Trips: a user's use of a vehicle, from unlocking it to leaving it."""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.http.operation import ErrorAnswer
from kickstand.http.surface import Loads
from kickstand.identity.service import Contact
from kickstand.kernel import clock
from kickstand.rental import service as rentals
from kickstand.rental.errors import RiderMismatch
from kickstand.rental.model import Rental, RiderPosition, Transition
from kickstand.rental.service import Instruction, RiderAction, StartTerms
from maas._categories import CATEGORIES, VehicleCategory, check_vehicle
from maas._geojson import GeoJsonPosition
from maas._products import ProductId
from maas._schemas import Body, Comment, Email, Moment, PathId, Text, UserId, Wire
from maas._surface import (
    DOCK_GROUP_NOT_FOUND,
    INVALID_LOCATION,
    INVALID_PRODUCT,
    INVALID_STATE,
    NO_VEHICLE_AVAILABLE,
    NOT_SUPPORTED,
    PAYMENT_REQUIRED,
    TOO_MANY_PENALTY_POINTS,
    TRIP_ENDED,
    TRIP_IN_PROGRESS,
    TRIP_NOT_FOUND,
    USER_MISMATCH,
    USER_NOT_FOUND,
    VEHICLE_NOT_AVAILABLE,
    VEHICLE_NOT_FOUND,
    Caller,
    maas,
)
from maas._trips import REASONS, STATES, Trip, TripState, TripStateTransitionReason, state_of, trips_of

TRIP_OF_ANOTHER: Final = ErrorAnswer(403, "user_mismatch", "The trip belongs to another user")

_FASTEST_KMH: Final = 1_000
_FARTHEST_M: Final = 20_038_000  # half of the equator


def _speed(limit_kmh: float) -> float:
    if not 1 <= limit_kmh <= _FASTEST_KMH:
        raise ValueError(f"not from 1 to {_FASTEST_KMH}")
    return limit_kmh


def _radius(radius_m: float) -> float:
    if not 0 <= radius_m <= _FARTHEST_M:
        raise ValueError("not a distance on Earth")
    return radius_m


class UserPosition(Body):
    """Where the user says to be."""

    position: GeoJsonPosition
    accuracy_radius_meters: Annotated[float, AfterValidator(_radius)] | None = Field(
        default=None, description="The true position is within this distance."
    )

    @property
    def claimed(self) -> RiderPosition:
        """What that says."""
        return RiderPosition(position=self.position.position, accuracy_m=self.accuracy_radius_meters)


class StartVehicleTrip(Body):
    """Who rides, and on what terms."""

    user_id: UserId = Field(description="The client's own id; a user that is named for the first time is created.")
    product_id: ProductId = Field(
        default=None, description="What the trip is charged by; without one, the client charges it as it likes."
    )
    user_position: UserPosition | None = None
    user_name: Text | None = Field(default=None, description="For customer support.")
    user_email: Email | None = Field(
        default=None,
        description="For customer support, and for mails: whoever has an address is written to when a trip takes long, "
        "is paused or ended by somebody or something else than the user, or is fined, and about a repair that the user "
        "asked to hear of.",
    )
    max_speed_kmh: Annotated[float, AfterValidator(_speed)] | None = Field(
        default=None,
        description=f"From 1 to {_FASTEST_KMH}; limits the vehicle further than its surroundings do. Fractions are "
        "dropped.",
    )

    @property
    def terms(self) -> StartTerms:
        """The terms."""
        return StartTerms(
            plan_id=self.product_id,
            position=self.user_position.claimed if self.user_position else None,
            contact=Contact(name=self.user_name, email=self.user_email),
            max_speed_kmh=None if self.max_speed_kmh is None else int(self.max_speed_kmh),
        )


class StartDockGroupTrip(StartVehicleTrip):
    """Who rides what, and on what terms."""

    vehicle_category: VehicleCategory


class UpdateTrip(Body):
    """What is to happen to a trip."""

    update: RiderAction = Field(description="What to do.")
    user_id: UserId | None = Field(default=None, description="Whose trip it has to be.")
    user_position: UserPosition | None = None
    state_transition_reason: TripStateTransitionReason | None = Field(
        default=None, description="Why, if it is not the user who wants it."
    )
    state_transition_comment: Comment | None = Field(default=None, description="More about that, for the user.")

    @property
    def instruction(self) -> Instruction:
        """What that tells the trip to do."""
        reason, comment = self.state_transition_reason, self.state_transition_comment
        said = Transition(reason=_DOMAIN_REASONS[reason] if reason else None, comment=comment)
        return Instruction(
            action=self.update,
            user_id=self.user_id,
            position=self.user_position.claimed if self.user_position else None,
            transition=said if reason or comment else None,
        )


_DOMAIN_REASONS: Final = {wire: reason for reason, wire in REASONS.items()}


class TripPath(Wire):
    """Which trip."""

    trip_id: Annotated[PathId, Loads(rentals.expect_id)]


class VehicleTripsPath(Wire):
    """Which vehicle."""

    vehicle_id: Annotated[PathId, Loads(fleet.expect_id)]


class DockGroupTripsPath(Wire):
    """Which dock group."""

    dock_group_id: Annotated[PathId, Loads(clusters.expect_cluster)]


class UserTripsPath(Wire):
    """Whose trips."""

    user_id: UserId


class UserTripsQuery(Wire):
    """Which of them."""

    states: list[TripState] | None = Field(default=None, alias="states[]", description="Only trips in these states.")
    since: Moment = Field(alias="from", description="Only trips that started then or later.")
    until: Moment | None = Field(default=None, alias="to", description="Only trips that started earlier.")

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.until is not None and self.until < self.since:
            raise ValueError("`to` is before `from`")
        return self


class TripList(Wire):
    """Trips, the newest first."""

    data: list[Trip]


def _trip(rental: Rental) -> Trip:
    (trip,) = trips_of([rental], clock.now())
    return trip


_START_ERRORS: Final = (
    INVALID_LOCATION,
    INVALID_PRODUCT,
    PAYMENT_REQUIRED,
    USER_MISMATCH,
    TOO_MANY_PENALTY_POINTS,
    TRIP_IN_PROGRESS,
    NOT_SUPPORTED,
)


@maas.operation(
    "PATCH",
    "/trips/{tripId}",
    tag="Trips",
    access="TripRequests",
    errors=(
        INVALID_LOCATION,
        USER_MISMATCH,
        TRIP_OF_ANOTHER,
        TRIP_NOT_FOUND,
        TRIP_ENDED,
        INVALID_STATE,
        NOT_SUPPORTED,
    ),
    refusals={RiderMismatch: TRIP_OF_ANOTHER},
)
def update_trip(caller: Caller, path: TripPath, body: UpdateTrip) -> Trip:
    """Pause, resume, cancel or end a trip.

    What a trip does already, or is about to do, is no error. A trip can be cancelled until its vehicle has unlocked,
    and costs nothing then. It ends where the vehicle stands, unless the vehicle's type or an area there forbids that;
    the answer has the final price, and the trip is `completed` when the vehicle has locked. A vehicle that belongs into
    docks ends its trip by being put into one.
    """
    caller.acts_for(body.user_id or rentals.find_by_id(caller.client, path.trip_id).external_rider_id or "")
    return _trip(rentals.instruct(caller.client, path.trip_id, body.instruction))


@maas.operation("GET", "/trips/{tripId}", tag="Trips", access="TripRequests", errors=(TRIP_NOT_FOUND,))
def get_trip(caller: Caller, path: TripPath) -> Trip:
    """Get a trip."""
    return _trip(rentals.find_by_id(caller.client, path.trip_id))


@maas.operation(
    "GET",
    "/users/{userId}/trips",
    tag="Users",
    access="TripRequests",
    errors=(USER_MISMATCH, USER_NOT_FOUND),
)
def get_user_trips(caller: Caller, path: UserTripsPath, query: UserTripsQuery) -> TripList:
    """List the trips of a user.

    Newest first; of more than a thousand, the latest thousand.
    """
    caller.acts_for(path.user_id)
    states = query.states or list(TripState)
    wanted = {state for state, shown in STATES.items() if shown & {*states}}
    found = rentals.list_external(caller.client, path.user_id, wanted, query.since, query.until)
    shown = [each for each in found if state_of(each) in states]
    return TripList(data=trips_of(shown, clock.now()))


@maas.operation(
    "POST",
    "/vehicles/{vehicleId}/trips",
    tag="Vehicles",
    access="TripRequests",
    errors=(*_START_ERRORS, VEHICLE_NOT_FOUND, VEHICLE_NOT_AVAILABLE),
)
def start_vehicle_trip(caller: Caller, path: VehicleTripsPath, body: StartVehicleTrip) -> Trip:
    """Start a trip with a vehicle.

    The vehicle unlocks, and nobody else can take it from this moment. A user has one trip at a time. A vehicle that is
    reserved can be taken by whoever reserved it, which completes the reservation. Should the vehicle fail to unlock,
    the trip is cancelled and costs nothing.
    """
    caller.acts_for(body.user_id)
    check_vehicle(caller, path.vehicle_id)
    return _trip(rentals.start_for(caller.client, body.user_id, path.vehicle_id, body.terms))


@maas.operation(
    "POST",
    "/dockgroups/{dockGroupId}/trips",
    tag="Dock groups",
    access="TripRequests",
    errors=(*_START_ERRORS, DOCK_GROUP_NOT_FOUND, NO_VEHICLE_AVAILABLE),
)
def start_dock_group_trip(caller: Caller, path: DockGroupTripsPath, body: StartDockGroupTrip) -> Trip:
    """Start a trip with any vehicle of a dock group.

    The user gets a vehicle of the category that nobody else has, well charged if there is a choice; the answer says
    which. Otherwise as with a vehicle of the user's own choice.
    """
    caller.acts_for(body.user_id)
    category = CATEGORIES[body.vehicle_category]
    return _trip(rentals.start_at_cluster(caller.client, body.user_id, path.dock_group_id, category, body.terms))
