"""Events on the wire, and which of them follow from what has happened."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import Field, WithJsonSchema

from kickstand.billing.model import Invoice, Subject
from kickstand.kernel.currencies import formatted
from kickstand.kernel.events import Event
from kickstand.kernel.money import Currency
from kickstand.pricing.model import Fare, FareLine, LineKind
from kickstand.rental import service as rentals
from kickstand.rental.model import EndReason, Rental, Reservation, TransitionReason
from maas._schemas import Number, Wire
from maas._trips import REASONS

_LARGEST_NUMBER: Final = 2**53 - 1


# ── Invoices ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class OrderLineType(StrEnum):
    """What a line of an invoice is for."""

    TRIP = "trip"
    EXTENDED_RENTAL = "extended_rental"
    FREE_FLOATING_DOCKING_FEE = "free_floating_docking_fee"
    FREE_MINUTES_PER_DAY = "free_minutes_per_day"
    REGISTRATION_FEE = "registration_fee"
    RESERVATION = "reservation"


_LINES: Final = {
    LineKind.TRIP: (OrderLineType.TRIP, "Trip"),
    LineKind.EXTENDED_RENTAL: (OrderLineType.EXTENDED_RENTAL, "{} min beyond those included"),
    LineKind.FREE_MINUTES_PER_DAY: (OrderLineType.FREE_MINUTES_PER_DAY, "{} min free today"),
    LineKind.FREE_FLOATING_DOCKING_FEE: (OrderLineType.FREE_FLOATING_DOCKING_FEE, "Vehicle left outside of a dock"),
    LineKind.REGISTRATION_FEE: (OrderLineType.REGISTRATION_FEE, "Registration"),
    LineKind.RESERVATION: (OrderLineType.RESERVATION, "Reservation, {} min"),
    # There is no word for it; it is the fee for a vehicle that was not left as it should be.
    LineKind.LEFT_UNLOCKED: (OrderLineType.FREE_FLOATING_DOCKING_FEE, "Vehicle left without being locked"),
}
"""How lines of the fare of a plan are called."""


class MaasUserInvoiceOrderLine(Wire):
    """A line of an invoice."""

    cost: Number = Field(description="VAT included, in minor units; negative for a deduction.")
    default_description: str = Field(description="In English.")
    type: OrderLineType

    @classmethod
    def of(cls, line: FareLine) -> Self:
        """The wire form of a line of a plan's fare."""
        kind, description = _LINES[line.kind]
        return cls(cost=line.gross, default_description=description.format(line.quantity), type=kind)


class UserInvoiceEvent(Wire):
    """What a user owes for a trip or a reservation that was charged by a product."""

    user_id: str
    product_id: Number
    trip_id: Number | None = Field(default=None, description="The trip, or the one that completed the reservation.")
    reservation_id: Number | None = Field(
        default=None, description="The reservation, or the one that the trip completed, which is invoiced by itself."
    )
    currency: Currency
    order_lines: list[MaasUserInvoiceOrderLine]

    @classmethod
    def of_trip(cls, rental: Rental, event: Event) -> Self | None:
        """What is owed for a trip, if the event has ended one, unless the user pays the operator."""
        if event.name != "RentalCompleted" or rental.plan is None or rental.fare is None or rental.rider_pays:
            return None
        user_id, trip, reservation = rental.external_rider_id or "", rental.id, rental.reservation_id
        return cls._of(user_id, rental.plan.id, rental.fare, trip, reservation)

    @classmethod
    def of_reservation(cls, reservation: Reservation) -> Self | None:
        """What is owed for a reservation; nothing while it is active, where it is free, and where we are paid."""
        if reservation.plan is None or reservation.fare is None or not reservation.fare.lines:
            return None
        if reservation.rider_pays:
            return None
        user_id, trip = reservation.external_rider_id, reservation.rental_id
        return cls._of(user_id, reservation.plan.id, reservation.fare, trip, reservation.id)

    @classmethod
    def _of(cls, user_id: str, product_id: int, fare: Fare, trip_id: int | None, reservation_id: int | None) -> Self:
        return cls(
            user_id=user_id,
            product_id=product_id,
            trip_id=trip_id,
            reservation_id=reservation_id,
            currency=fare.currency,
            order_lines=[MaasUserInvoiceOrderLine.of(line) for line in fare.lines],
        )


# ── Penalties ────────────────────────────────────────────────────────────────────────────────────────────────────────


class UserPenaltyEvent(Wire):
    """Penalty points that a user got for the length of a trip."""

    penalty_id: Number
    user_id: str
    penalty_type: Literal["trip_duration"] = "trip_duration"
    penalty_points: Number = Field(description="Those of this penalty; the trip may have brought others before.")

    @classmethod
    def of(cls, rental: Rental, event: Event) -> Self | None:
        """The penalty, if the event is one; it is kept under the event's id."""
        if event.name != "RentalPenalised":
            return None
        return cls(penalty_id=event.id, user_id=rental.external_rider_id or "", penalty_points=event.data["points"])


# ── Messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class MessageType(StrEnum):
    """What a message is about."""

    TRIP_TIME_WARNING = "trip_time_warning"
    TRIP_CANCELLED = "trip_cancelled"
    VEHICLE_INCORRECTLY_PARKED = "vehicle_incorrectly_parked"
    RESERVATION_CANCELLED = "reservation_cancelled"
    ILLEGAL_PARKING = "illegal_parking"
    PAYMENT_ACTION_REQUIRED = "payment_action_required"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_DUE = "payment_due"


class UserMessageParameter(Wire):
    """Something that the text of a message names."""

    key: str
    value: str


def _addressed(user_id: str) -> int | str:
    """A user's id as a number where that loses nothing, as the reference has it in messages only."""
    if user_id.isascii() and user_id.isdecimal():
        number = int(user_id[:17])
        if str(number) == user_id and number <= _LARGEST_NUMBER:
            return number
    return user_id


class UserMessageEvent(Wire):
    """Something that a user has to be told."""

    user_id: Annotated[int | str, WithJsonSchema({"type": ["number", "string"]})] = Field(
        description="The client's own id: a number where it is one, written without zeros in front; text otherwise."
    )
    default_message: str = Field(description="In English.")
    message_type: MessageType
    parameters: list[UserMessageParameter] = Field(description="What the message names, for a text of the client's.")

    @classmethod
    def of_trip(cls, rental: Rental, event: Event) -> Self | None:
        """What the user has to be told about a trip, if the event is not the user's own doing."""
        about: dict[str, int | str] = {
            "tripId": rental.id,
            "vehicleId": rental.vehicle_id,
            "vehicleNumber": rental.vehicle_code,
        }
        if event.name == "RentalTooLong":
            minutes = rentals.account(rental, event.at).minutes
            text = f"Your trip with vehicle {rental.vehicle_code} has taken {minutes} minutes by now. Please end it."
            return cls._of(rental.external_rider_id, MessageType.TRIP_TIME_WARNING, text, about | {"minutes": minutes})
        said = _about_the_end(rental, event)
        if said is None:
            return None
        kind, text = said
        transition = rental.transition
        if transition is not None and transition.reason is not None:
            about |= {"reason": REASONS[transition.reason]}
        if transition is not None and transition.comment is not None:
            about |= {"comment": transition.comment}
        return cls._of(rental.external_rider_id, kind, text.format(rental.vehicle_code), about)

    @classmethod
    def of_reservation(cls, reservation: Reservation, event: Event) -> Self | None:
        """What the user has to be told about a reservation, if the event is not the user's own doing."""
        if event.name == "ReservationExpired":
            text = "Your reservation has expired; the vehicle can be taken by others now."
        elif event.name == "ReservationCancelled" and reservation.by_operator:
            text = "Your reservation has been cancelled, for the vehicle is not available any more."
        else:
            return None
        about = {"reservationId": reservation.id, "vehicleId": reservation.vehicle_id}
        return cls._of(reservation.external_rider_id, MessageType.RESERVATION_CANCELLED, text, about)

    @classmethod
    def of_payment(cls, user_id: str, invoice: Invoice, event: Event, url: str) -> Self:
        """What the user has to do about the payment of an invoice, which can be confirmed at ``url``."""
        amount = formatted(invoice.due, invoice.currency)
        about = _about_invoice(invoice)
        if event.name == "PaymentActionWanted":
            text = f"Your bank wants you to confirm your payment of {amount}."
            return cls._of(user_id, MessageType.PAYMENT_ACTION_REQUIRED, text, about | {"url": url})
        text = f"Your payment of {amount} has failed. Please pay it, or save another card."
        return cls._of(user_id, MessageType.PAYMENT_FAILED, text, about)

    @classmethod
    def of_debt(cls, user_id: str, invoice: Invoice) -> Self:
        """That the user, who has no card, has to pay an invoice."""
        text = f"Please pay {formatted(invoice.due, invoice.currency)}, or save a card."
        return cls._of(user_id, MessageType.PAYMENT_DUE, text, _about_invoice(invoice))

    @classmethod
    def _of(cls, user_id: str | None, kind: MessageType, text: str, about: Mapping[str, int | str]) -> Self:
        parameters = [UserMessageParameter(key=key, value=str(value)) for key, value in about.items()]
        return cls(user_id=_addressed(user_id or ""), default_message=text, message_type=kind, parameters=parameters)


def _about_invoice(invoice: Invoice) -> dict[str, int | str]:
    about: dict[str, int | str] = {"invoiceId": invoice.id, "amount": invoice.due, "currency": invoice.currency}
    return about | {_SUBJECTS[invoice.subject]: invoice.subject_id}


_SUBJECTS: Final = {Subject.RENTAL: "tripId", Subject.RESERVATION: "reservationId", Subject.ORDER: "orderId"}

_Said = tuple[MessageType, str]

_ENDED: Final = MessageType.TRIP_CANCELLED, "Your trip with vehicle {} has been ended."
_LEFT: Final = (
    MessageType.VEHICLE_INCORRECTLY_PARKED,
    "You left vehicle {} without ending your trip, so it has been ended for you.",
)
_ILLEGAL: Final = (
    MessageType.ILLEGAL_PARKING,
    "Vehicle {} is parked where that is not allowed. Your trip has been ended.",
)
_CANCELLED: Final = MessageType.TRIP_CANCELLED, "Your trip with vehicle {} has been cancelled."

_ENDS: Final[dict[EndReason, _Said]] = {
    EndReason.OPERATOR: _ENDED,
    EndReason.TOO_LONG: _ENDED,
    EndReason.STOLEN: _ENDED,
    EndReason.LEFT_UNLOCKED: _LEFT,
    EndReason.PAUSED_TOO_LONG: _LEFT,
    EndReason.UNLOCK_REJECTED: _CANCELLED,
    EndReason.UNLOCK_UNCONFIRMED: _CANCELLED,
}
"""What users are told about ends that are not their own doing."""


def _about_the_end(rental: Rental, event: Event) -> _Said | None:
    if event.name not in {"RentalEnding", "RentalCancelled"} or rental.end_reason is None:
        return None
    reason = rental.transition.reason if rental.transition else None
    if reason is TransitionReason.ILLEGAL_PARKING:
        return _ILLEGAL
    if rental.end_reason is EndReason.CANCELLED and reason is not None:
        return _CANCELLED  # by the client's staff
    return _ENDS.get(rental.end_reason)


# ── Lost vehicles ────────────────────────────────────────────────────────────────────────────────────────────────────


class LostVehicleEvent(Wire):
    """A vehicle that counts as lost, or has been found."""

    client_id: str = Field(description="Whose user rode it last.")
    vehicle_id: Number
    lost: bool
