"""How a charge becomes a receipt; pure."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from kickstand.billing.model import Charge, ChargeState, Receipt, ReceiptLine, Stop, VatSum
from kickstand.fleet.model import Network
from kickstand.kernel.place import Position
from kickstand.pricing.model import Fare, FareLine, LineKind
from kickstand.pricing.rules import duration
from kickstand.rental.model import Rental

_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's alphabet: nothing that is misread on paper or over the phone."""

_TEXTS: Final = {
    LineKind.START: "Start of the ride",
    LineKind.MINUTES: "Riding time, per minute begun",
    LineKind.SHORT_RIDE: "Short ride, not charged",
    LineKind.WAIVER: "Ride not charged",
    LineKind.LEFT_UNLOCKED: "Fee: vehicle left unlocked",
    LineKind.TRIP: "Ride",
    LineKind.EXTENDED_RENTAL: "Further riding time, per minute begun",
    LineKind.FREE_MINUTES_PER_DAY: "Free minutes of the day",
    LineKind.FREE_FLOATING_DOCKING_FEE: "Fee: vehicle left outside of a dock",
    LineKind.REGISTRATION_FEE: "Registration fee",
    LineKind.RESERVATION: "Reservation, per minute begun",
}

_NOTES: Final = {
    LineKind.SHORT_RIDE: "Short rides are free of charge.",
    LineKind.WAIVER: "This ride has ended with no charge.",
    LineKind.LEFT_UNLOCKED: "The fee for leaving the vehicle unlocked is outside the scope of VAT.",
}


def charge(rental: Rental, fare: Fare, at: datetime) -> Charge:
    """What is owed for an ended rental."""
    return Charge(
        id=rental.id,
        rental_public_id=rental.public_id,
        client_id=rental.client_id,
        product_id=rental.product_id,
        rider_id=rental.rider_id,
        network_id=rental.network_id,
        fare=fare,
        state=ChargeState.DUE if fare.total else ChargeState.NOTHING_DUE,
        recorded_at=at,
    )


def receipt(charge: Charge, rental: Rental, ended_at: datetime, network: Network) -> Receipt:
    """The receipt of a charge, in the network's local time.

    It names the vehicle and not the rider, and places to about a hundred metres: enough to recognise a ride by.
    """
    zone = ZoneInfo(network.timezone)
    issued_at = charge.recorded_at.astimezone(zone)
    return Receipt(
        number=receipt_number(charge.id, issued_at.year),
        issued_at=issued_at,
        issuer=network.issuer,
        network=network.name,
        vehicle_code=rental.vehicle_code,
        start=Stop(at=rental.started_at.astimezone(zone), place=_place(rental.vehicle_start)),
        end=Stop(at=ended_at.astimezone(zone), place=_place(rental.vehicle_end)),
        riding_s=int(duration(rental.started_at, ended_at).total_seconds()),
        distance_m=rental.distance_m,
        currency=charge.fare.currency,
        lines=tuple(_line(each) for each in charge.fare.lines),
        vat_sums=vat_sums(charge.fare),
        net=charge.fare.net,
        vat=charge.fare.vat,
        total=charge.fare.total,
        notes=_notes(charge.fare),
    )


def receipt_number(charge_id: int, year: int) -> str:
    """The number of a charge's receipt, such as ``2025-01JB-4VX0-Q2K``: the year of issue, then the charge's id."""
    digits, rest = "", charge_id
    while rest:
        rest, digit = divmod(rest, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    digits = digits.rjust(11, "0")
    return f"{year}-{digits[:4]}-{digits[4:8]}-{digits[8:]}"


def vat_sums(fare: Fare) -> tuple[VatSum, ...]:
    """Net and VAT by rate, the highest rate first and what is outside the scope of VAT last."""
    rates = sorted(
        {line.vat_percent for line in fare.lines}, key=lambda rate: -1 if rate is None else rate, reverse=True
    )
    return tuple(
        VatSum(
            percent=rate,
            net=sum(line.net for line in fare.lines if line.vat_percent == rate),
            vat=sum(line.vat for line in fare.lines if line.vat_percent == rate),
        )
        for rate in rates
    )


def document_key(charge: Charge) -> str:
    """Where the receipt's document is kept."""
    return f"receipts/{charge.network_id}/{charge.recorded_at:%Y/%m}/{charge.rental_public_id}.pdf"


def _notes(fare: Fare) -> tuple[str, ...]:
    notes = [_NOTES[line.kind] for line in fare.lines if line.kind in _NOTES]
    return tuple(notes) if fare.total else (*notes, "There is nothing to pay.")


def _line(line: FareLine) -> ReceiptLine:
    return ReceiptLine(
        text=_TEXTS[line.kind],
        quantity=line.quantity,
        unit_net=line.unit_net,
        vat_percent=line.vat_percent,
        net=line.net,
        vat=line.vat,
        gross=line.gross,
    )


def _place(position: Position | None) -> str | None:
    if position is None:
        return None
    latitude = f"{abs(position.latitude):.3f}° {'N' if position.latitude >= 0 else 'S'}"
    longitude = f"{abs(position.longitude):.3f}° {'E' if position.longitude >= 0 else 'W'}"
    return f"{latitude}, {longitude}"
