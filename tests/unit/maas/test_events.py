"""What clients are told, and when: every word that the reference has for it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from kickstand.billing.model import Invoice, InvoiceLine, InvoiceState, Subject
from kickstand.fleet.model import Spot
from kickstand.kernel.events import Event
from kickstand.pricing import rules as pricing
from kickstand.pricing.model import Allowance, Fare, FareLine, LineKind, PricingPlan
from kickstand.rental import rules
from kickstand.rental.model import (
    EndReason,
    Rental,
    RentalState,
    Reservation,
    ReservationState,
    Track,
    Transition,
    TransitionReason,
)
from maas._events import MessageType, OrderLineType, UserInvoiceEvent, UserMessageEvent, UserPenaltyEvent
from maas._reservations import Reservation as WireReservation
from maas._trips import REASONS, STATES, Trip, TripState, TripStateTransitionReason, state_of
from tests.support import samples

START = samples.START
CLIENT = UUID("9309adde-a64e-43bf-b9fa-5bb0f202d65a")
PLAN = PricingPlan(
    id=24,
    client_id=5,
    name="Day",
    currency="EUR",
    vat_percent=25,
    trip_price=1000,
    included_minutes=10,
    price_per_minute=100,
    free_minutes_per_day=5,
    free_floating_fee=2000,
    registration_fee=500,
    reservation_price_per_minute=40,
    penalty_after_s=3600,
    penalty_points=2,
)

SPOT = Spot(cluster_id=3, cluster_name="58", number=7)


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def rental(**changes: Any) -> Rental:
    """A ride of a client's user that goes on."""
    return samples.rental(external_rider_id="User12345", client_public_id=CLIENT, **changes)


def planned(**changes: Any) -> Rental:
    """A ride on the plan, by somebody who has never used it."""
    allowance = Allowance(day=START.date(), free_minutes_left=5, registration_due=True)
    return rental(plan=PLAN, allowance=allowance, **changes)


def starting(**changes: Any) -> Rental:
    return rental(state=RentalState.STARTING, **changes)


def track(**changes: Any) -> Track:
    return rules.first_track(rental()).model_copy(update={"distance_m": 2_840, **changes})


def ended(reason: EndReason, *, of: Rental | None = None, said: Transition | None = None, fine: int = 0) -> Rental:
    """A ride that ends after twenty minutes."""
    ending = rules.Ending(reason, after(20), fine=fine, transition=said)
    return rules.ended(of or rental(), track(), ending, after(20))


def reservation(**changes: Any) -> Reservation:
    values = {
        "id": 34312,
        "client_id": 5,
        "client_public_id": CLIENT,
        "holder_id": samples.RIDER_ID,
        "external_rider_id": "User12345",
        "network_id": samples.NETWORK_ID,
        "vehicle_id": 9,
        "created_at": START,
        "updated_at": START,
        "expires_at": after(15),
        "event": Event(id=7, name="ReservationMade", at=START),
    }
    return Reservation.model_validate(values | changes)


def over(state: ReservationState, event: str, **changes: Any) -> Reservation:
    """A reservation on the plan that is over after nine minutes."""
    plan = changes.get("plan", PLAN)
    fare = pricing.reservation_fare(plan, START, after(9)) if plan else None
    happened = Event(id=8, name=event, at=after(9))
    return reservation(
        **{"plan": plan, "state": state, "ended_at": after(9), "fare": fare, "event": happened} | changes
    )


def message_of(of: Rental) -> UserMessageEvent | None:
    return UserMessageEvent.of_trip(of, of.event)


# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_state_of_a_rental_shows_as_one_of_a_trip() -> None:
    assert STATES.keys() == set(RentalState)
    assert {state_of(rental(state=state)) for state in RentalState} == set(TripState)


def test_a_trip_that_ends_shows_as_it_did_before() -> None:
    assert state_of(ended(EndReason.RIDER)) is TripState.IN_PROGRESS
    held = rules.paused(rental(), after(10), automatic=False)
    assert state_of(ended(EndReason.RIDER, of=held)) is state_of(held) is TripState.ON_HOLD
    resumed = rules.resumed(held, after(15), unlock=True)
    assert state_of(ended(EndReason.RIDER, of=resumed)) is TripState.IN_PROGRESS


def test_every_reason_has_one_word() -> None:
    assert REASONS.keys() == set(TransitionReason)
    assert sorted(REASONS.values()) == sorted(TripStateTransitionReason)


# ── Trips ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_trip_that_ends_has_its_places_its_distance_and_its_price() -> None:
    trip = Trip.of(ended(EndReason.RIDER), after(25), None, {})
    assert (trip.id, trip.client_id, trip.user_id) == (samples.RENTAL_ID, str(CLIENT), "User12345")
    assert (trip.state, trip.total_distance) == (TripState.IN_PROGRESS, 2_840)
    assert trip.started_at_location.timestamp == START
    assert trip.ended_at_location is not None
    assert trip.ended_at_location.timestamp == trip.updated_at == after(20)
    assert trip.pricing.trip_duration_mins == 20
    assert trip.pricing.total_amount_including_vat == 476
    assert [(each.type, each.quantity, each.amount, each.vat_rate) for each in trip.pricing.order_lines] == [
        ("start", 1, 100, 19),
        ("minutes", 20, 15, 19),
    ]
    assert trip.pricing.free_minutes_from_price_matrix is None


def test_a_trip_that_goes_on_shows_what_its_time_would_cost() -> None:
    trip = Trip.of(rental(), after(5), None, {})
    assert (trip.state, trip.ended_at_location, trip.total_distance) == (TripState.IN_PROGRESS, None, None)
    assert trip.pricing.trip_duration_mins == 5
    assert trip.pricing.total_amount_including_vat == 208


def test_a_product_shows_what_is_used_of_it() -> None:
    pricing_ = Trip.of(planned(), after(13), None, {}).pricing
    assert pricing_.free_minutes_from_price_matrix == 10
    assert (pricing_.free_minutes_per_day_used, pricing_.free_minutes_per_day_remaining) == (3, 2)
    assert [(each.type, each.quantity, each.amount) for each in pricing_.order_lines] == [
        ("trip", 1, 1000),
        ("extended_rental", 3, 100),
        ("free_minutes_per_day", 3, -100),
        ("registration_fee", 1, 500),
    ]
    assert pricing_.total_amount_including_vat == 1875


def test_a_place_in_a_dock_names_the_dock_and_the_address_of_its_group() -> None:
    start = Trip.of(rental(start_spot=SPOT), after(1), None, {3: "123 Railway St"}).started_at_location
    place = {"type": "Point", "coordinates": [10.7522, 59.9139]}
    assert start.model_dump(by_alias=True, exclude_none=True) == {
        "timestamp": "2025-06-14T18:22:07.000Z",
        "geoPosition": {"position": place, "streetAddress": "123 Railway St"},
        "statePosition": {"position": place},
        "dock": {"dockGroupId": 3, "dockGroupName": "58", "dockNumber": 7},
    }
    elsewhere = Trip.of(rental(start_spot=SPOT), after(1), None, {}).started_at_location
    assert elsewhere.geo_position is not None
    assert elsewhere.geo_position.street_address is None


def test_what_was_said_about_a_transition_is_passed_on() -> None:
    said = Transition(reason=TransitionReason.ILLEGAL_PARKING, comment="On a tram stop")
    trip = Trip.of(ended(EndReason.OPERATOR, said=said), after(20), None, {})
    assert trip.state_transition_reason is TripStateTransitionReason.ILLEGAL_PARKING
    assert trip.state_transition_comment == "On a tram stop"


# ── Reservations ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("state", "completed", "cancelled"),
    [
        (ReservationState.COMPLETED, after(9), None),
        (ReservationState.CANCELLED, None, after(9)),
        (ReservationState.EXPIRED, None, after(9)),
    ],
)
def test_the_end_of_a_reservation(state: ReservationState, completed: Any, cancelled: Any) -> None:
    wire = WireReservation.of(over(state, "…"))
    assert (wire.completed_at, wire.cancelled_at) == (completed, cancelled)


def test_an_active_reservation_has_no_end() -> None:
    wire = WireReservation.of(reservation(cluster_id=3))
    assert wire.model_dump(by_alias=True, exclude_none=True) == {
        "id": 34312,
        "vehicleId": 9,
        "dockGroupId": 3,
        "userId": "User12345",
        "clientId": str(CLIENT),
        "createdAt": "2025-06-14T18:22:07.000Z",
        "updatedAt": "2025-06-14T18:22:07.000Z",
        "expiresAt": "2025-06-14T18:37:07.000Z",
    }


# ── Invoices ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def invoice_of_trip(*, fine: int = 0, docked: bool = True, reason: EndReason = EndReason.RIDER) -> UserInvoiceEvent:
    ending = rules.Ending(reason, after(20), fine=fine, place=rules.Place(docked=docked))
    done = rules.completed(rules.ended(planned(reservation_id=34312), track(), ending, after(20)), after(21))
    invoice = UserInvoiceEvent.of_trip(done, done.event)
    assert invoice is not None
    return invoice


def test_a_trip_on_a_product_is_invoiced_when_it_is_complete() -> None:
    invoice = invoice_of_trip(docked=False)
    assert (invoice.user_id, invoice.product_id, invoice.currency) == ("User12345", 24, "EUR")
    assert (invoice.trip_id, invoice.reservation_id) == (samples.RENTAL_ID, 34312)
    assert [(each.type, each.cost, each.default_description) for each in invoice.order_lines] == [
        (OrderLineType.TRIP, 1250, "Trip"),
        (OrderLineType.EXTENDED_RENTAL, 1250, "10 min beyond those included"),
        (OrderLineType.FREE_MINUTES_PER_DAY, -625, "5 min free today"),
        (OrderLineType.FREE_FLOATING_DOCKING_FEE, 2500, "Vehicle left outside of a dock"),
        (OrderLineType.REGISTRATION_FEE, 625, "Registration"),
    ]


def test_a_fine_goes_by_the_nearest_word_and_says_what_it_is() -> None:
    last = invoice_of_trip(fine=290, reason=EndReason.LEFT_UNLOCKED).order_lines[-1]
    assert last.type is OrderLineType.FREE_FLOATING_DOCKING_FEE
    assert (last.cost, last.default_description) == (290, "Vehicle left without being locked")


def test_a_reservation_on_a_product_is_invoiced_when_it_is_over() -> None:
    invoice = UserInvoiceEvent.of_reservation(over(ReservationState.COMPLETED, "ReservationCompleted", rental_id=99))
    assert invoice is not None
    assert (invoice.trip_id, invoice.reservation_id) == (99, 34312)
    assert [(each.type, each.cost, each.default_description) for each in invoice.order_lines] == [
        (OrderLineType.RESERVATION, 450, "Reservation, 9 min")
    ]


def test_every_kind_of_line_of_an_invoice_happens() -> None:
    trip = invoice_of_trip(docked=False).order_lines
    held = UserInvoiceEvent.of_reservation(over(ReservationState.EXPIRED, "ReservationExpired"))
    assert held is not None
    assert {each.type for each in (*trip, *held.order_lines)} == set(OrderLineType)


def test_every_line_that_a_plan_can_have_is_known() -> None:
    of_tariffs = {LineKind.START, LineKind.MINUTES, LineKind.SHORT_RIDE, LineKind.WAIVER}
    lines = tuple(FareLine(kind=kind, unit_net=1) for kind in LineKind if kind not in of_tariffs)
    done = planned(fare=Fare(currency="EUR", lines=lines), event=Event(id=1, name="RentalCompleted", at=START))
    invoice = UserInvoiceEvent.of_trip(done, done.event)
    assert invoice is not None
    assert len(invoice.order_lines) == len(lines)


def test_nothing_is_invoiced_without_a_product_before_the_end_or_for_nothing() -> None:
    ending = ended(EndReason.RIDER, of=planned())
    cancelled = rules.cancelled(planned(state=RentalState.STARTING), EndReason.UNLOCK_REJECTED, after(1))
    complete = rules.completed(ended(EndReason.RIDER), after(21))
    for each in (ending, cancelled, complete):
        assert UserInvoiceEvent.of_trip(each, each.event) is None
    free = PLAN.model_copy(update={"reservation_price_per_minute": 0})
    assert UserInvoiceEvent.of_reservation(reservation(plan=PLAN)) is None
    assert UserInvoiceEvent.of_reservation(over(ReservationState.EXPIRED, "ReservationExpired", plan=None)) is None
    assert UserInvoiceEvent.of_reservation(over(ReservationState.EXPIRED, "ReservationExpired", plan=free)) is None


def test_nobody_is_billed_by_the_client_who_pays_the_operator() -> None:
    done = rules.completed(ended(EndReason.RIDER, of=planned(rider_pays=True)), after(21))
    assert UserInvoiceEvent.of_trip(done, done.event) is None
    held = over(ReservationState.EXPIRED, "ReservationExpired", rider_pays=True)
    assert UserInvoiceEvent.of_reservation(held) is None


# ── Penalties ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_penalty_is_told_under_the_id_that_it_is_kept_under() -> None:
    penalised = rules.penalised(planned(), after(60))
    told = UserPenaltyEvent.of(penalised, penalised.event)
    assert told is not None
    assert told.model_dump(by_alias=True) == {
        "penaltyId": penalised.event.id,
        "userId": "User12345",
        "penaltyType": "trip_duration",
        "penaltyPoints": 2,
    }
    assert UserPenaltyEvent.of(rental(), rental().event) is None


# ── Messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────

ILLEGAL = Transition(reason=TransitionReason.ILLEGAL_PARKING)
BY_STAFF = Transition(reason=TransitionReason.CANCELLED_BY_OPERATOR, comment="Sorry!")

ABOUT_TRIPS = [
    (MessageType.TRIP_TIME_WARNING, rules.noticed(rental(), after(180))),
    (MessageType.TRIP_CANCELLED, rules.cancelled(starting(), EndReason.UNLOCK_REJECTED, after(1))),
    (MessageType.TRIP_CANCELLED, rules.cancelled(starting(), EndReason.UNLOCK_UNCONFIRMED, after(1))),
    (MessageType.TRIP_CANCELLED, rules.cancelled(starting(), EndReason.CANCELLED, after(1), BY_STAFF)),
    (MessageType.TRIP_CANCELLED, ended(EndReason.OPERATOR)),
    (MessageType.TRIP_CANCELLED, ended(EndReason.TOO_LONG)),
    (MessageType.TRIP_CANCELLED, ended(EndReason.STOLEN)),
    (MessageType.VEHICLE_INCORRECTLY_PARKED, ended(EndReason.LEFT_UNLOCKED)),
    (MessageType.VEHICLE_INCORRECTLY_PARKED, ended(EndReason.PAUSED_TOO_LONG)),
    (MessageType.ILLEGAL_PARKING, ended(EndReason.OPERATOR, said=ILLEGAL)),
    (MessageType.ILLEGAL_PARKING, rules.cancelled(starting(), EndReason.CANCELLED, after(1), ILLEGAL)),
]
ABOUT_RESERVATIONS = [
    over(ReservationState.EXPIRED, "ReservationExpired"),
    over(ReservationState.CANCELLED, "ReservationCancelled", by_operator=True),
]


@pytest.mark.parametrize(("kind", "of"), ABOUT_TRIPS)
def test_users_are_told_what_was_not_their_doing(kind: MessageType, of: Rental) -> None:
    message = message_of(of)
    assert message is not None
    assert message.message_type is kind
    assert "XR4Y" in message.default_message
    named = {each.key: each.value for each in message.parameters}
    assert (named["tripId"], named["vehicleId"], named["vehicleNumber"]) == (str(samples.RENTAL_ID), "9", "XR4Y")
    assert "{" not in message.default_message


@pytest.mark.parametrize("of", ABOUT_RESERVATIONS, ids=lambda of: of.state)
def test_users_are_told_that_a_reservation_is_gone(of: Reservation) -> None:
    message = UserMessageEvent.of_reservation(of, of.event)
    assert message is not None
    assert message.message_type is MessageType.RESERVATION_CANCELLED
    assert {each.key: each.value for each in message.parameters} == {"reservationId": "34312", "vehicleId": "9"}


def invoice(**changes: object) -> Invoice:
    """An invoice over 43.75 for a trip, of which 3.75 have been paid."""
    values = {
        "id": 8,
        "client_id": 5,
        "rider_id": samples.RIDER_ID,
        "network_id": samples.NETWORK_ID,
        "subject": Subject.RENTAL,
        "subject_id": samples.RENTAL_ID,
        "year": 2025,
        "currency": "EUR",
        "lines": (InvoiceLine(text="Ride", net=3_500, vat_percent=25, vat=875),),
        "total": 4_375,
        "paid": 375,
        "state": InvoiceState.OPEN,
        "token": "t",
        "recorded_at": START,
        "event": Event.new("InvoiceRecorded", START),
    }
    return Invoice.model_validate(values | changes)


OF_PAYMENTS = {
    "PaymentActionWanted": MessageType.PAYMENT_ACTION_REQUIRED,
    "PaymentFailed": MessageType.PAYMENT_FAILED,
    "PaymentCancelled": MessageType.PAYMENT_FAILED,
}


@pytest.mark.parametrize("name", OF_PAYMENTS)
def test_users_are_told_what_to_do_about_payments(name: str) -> None:
    message = UserMessageEvent.of_payment("94", invoice(), Event.new(name, START), "https://rides.example/p")
    assert (message.user_id, message.message_type) == (94, OF_PAYMENTS[name])
    assert "EUR\N{NO-BREAK SPACE}40.00" in message.default_message
    named = {each.key: each.value for each in message.parameters}
    about = {"invoiceId": "8", "amount": "4000", "currency": "EUR", "tripId": str(samples.RENTAL_ID)}
    assert named == about | ({"url": "https://rides.example/p"} if name == "PaymentActionWanted" else {})


def test_users_are_told_what_is_to_be_paid() -> None:
    message = UserMessageEvent.of_debt("kari", invoice(subject=Subject.RESERVATION, subject_id=7))
    assert message.message_type is MessageType.PAYMENT_DUE
    assert {each.key: each.value for each in message.parameters}["reservationId"] == "7"


def test_every_type_of_message_happens() -> None:
    happened = {kind for kind, _ in ABOUT_TRIPS} | {MessageType.RESERVATION_CANCELLED, MessageType.PAYMENT_DUE}
    assert happened | {*OF_PAYMENTS.values()} == set(MessageType)


def test_messages_say_why() -> None:
    message = message_of(rules.cancelled(starting(), EndReason.CANCELLED, after(1), BY_STAFF))
    assert message is not None
    named = {each.key: each.value for each in message.parameters}
    assert (named["reason"], named["comment"]) == ("cancelled_by_administrator", "Sorry!")
    warning = message_of(rules.noticed(rental(), after(180)))
    assert warning is not None
    assert {each.key: each.value for each in warning.parameters}["minutes"] == "180"
    assert "180 minutes" in warning.default_message


@pytest.mark.parametrize(
    "of",
    [
        rental(),
        rules.unlocked(starting(), after(1)),
        rules.paused(rental(), after(1), automatic=False),
        rules.cancelled(starting(), EndReason.CANCELLED, after(1)),
        ended(EndReason.RIDER),
        rules.completed(ended(EndReason.OPERATOR), after(21)),
        rules.penalised(planned(), after(60)),
    ],
    ids=lambda of: of.event.name,
)
def test_users_are_not_told_what_they_did_or_have_been_told(of: Rental) -> None:
    assert message_of(of) is None


@pytest.mark.parametrize("event", ["ReservationMade", "ReservationCompleted", "ReservationCancelled"])
def test_users_are_not_told_what_they_did_to_a_reservation(event: str) -> None:
    of = over(ReservationState.CANCELLED, event)
    assert UserMessageEvent.of_reservation(of, of.event) is None


@pytest.mark.parametrize(
    ("user_id", "sent"),
    [
        ("94", 94),
        ("0", 0),
        (str(2**53 - 1), 2**53 - 1),
        (str(2**53), str(2**53)),
        ("0094", "0094"),
        ("-94", "-94"),
        ("94.0", "94.0"),
        ("٩", "٩"),
        ("User94", "User94"),
        ("9" * 255, "9" * 255),
    ],
)
def test_a_user_is_a_number_where_that_loses_nothing(user_id: str, sent: int | str) -> None:
    message = message_of(ended(EndReason.OPERATOR, of=samples.rental(external_rider_id=user_id)))
    assert message is not None
    assert message.model_dump(mode="json")["user_id"] == sent
