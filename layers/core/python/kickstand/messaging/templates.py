"""The words: one function for each message, mails in plain text."""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from kickstand.billing.model import Invoice, Subject
from kickstand.fleet.model import Network
from kickstand.identity.model import Rider
from kickstand.kernel.currencies import formatted
from kickstand.messaging import rules
from kickstand.messaging.model import Mail, Template
from kickstand.pricing.rules import duration
from kickstand.rental.model import EndReason, Rental
from kickstand.sales.model import Gift, GiftLetter, Subscription

_LEFT: Final = (
    "You left {code} without ending your ride, and it stood there unlocked. We have ended the ride for you; the price"
    " counts until the vehicle stopped moving."
)
_COMPLAIN: Final = "If you think this is a mistake, just answer this mail."

_END_REASONS: Final = {
    EndReason.OPERATOR: "our staff have ended it",
    EndReason.PAUSED_TOO_LONG: "it was paused for longer than a pause may last",
    EndReason.TOO_LONG: "it reached the longest time for which a vehicle can be rented",
    EndReason.STOLEN: "the vehicle has not been returned for so long that we have to treat it as stolen",
}


def write(template: Template, rider: Rider, rental: Rental, network: Network, at: datetime) -> Mail:
    """The mail that tells a rider about a rental, as things were at ``at``."""
    return _mail(rider, network, *_WRITERS[template](rental, network, at))


def write_repaired(rider: Rider, code: str, network: Network) -> Mail:
    """The mail that tells a rider that the vehicle of this code has been repaired."""
    return _mail(
        rider,
        network,
        f"{code} has been repaired",
        (
            f"You told us that something was wrong with {code}. It has been repaired, thanks to you.",
            "You asked us to tell you; there is nothing you need to do.",
        ),
    )


def write_renewal_failed(rider: Rider, subscription: Subscription, network: Network, *, again: bool) -> Mail:
    """The mail that tells a rider that a subscription could not be renewed, and whether that is tried again."""
    name, zone = subscription.offer.name, ZoneInfo(network.timezone)
    price = formatted(subscription.offer.price, subscription.offer.currency)
    lasts = "lasts until" if subscription.is_valid(subscription.event.at) else "ended on"
    advice = "Please make sure that your saved card can be charged, or put enough money into your wallet."
    if again and subscription.due_at is not None:
        next_ = f"We will try again on {_day(subscription.due_at.astimezone(zone))}. {advice}"
    else:
        next_ = "We will not try again. If you want to go on, buy it anew in your app whenever you like."
    return _mail(
        rider,
        network,
        f"{name} could not be renewed",
        (
            f"We could not take {price} to renew {name}.",
            f"What you have paid for {lasts} {_day(subscription.valid_until.astimezone(zone))}.",
            next_,
        ),
    )


def write_renewal_waits(rider: Rider, subscription: Subscription, network: Network, link: str) -> Mail:
    """The mail that asks a rider to confirm the payment of a renewal at the bank."""
    name = subscription.offer.name
    price = formatted(subscription.offer.price, subscription.offer.currency)
    return _mail(
        rider,
        network,
        f"Please confirm the renewal of {name}",
        (
            f"Your bank wants you to confirm the payment of {price} by which {name} is renewed:",
            link,
            "Without that, it ends with what you have paid for. The link is for you alone: please do not pass it on.",
        ),
    )


def write_payment_waits(rider: Rider, invoice: Invoice, amount: int, network: Network, link: str) -> Mail:
    """The mail that asks a rider to confirm the payment of an invoice at the bank."""
    price = formatted(amount, invoice.currency)
    return _mail(
        rider,
        network,
        f"Please confirm your payment of {price}",
        (
            f"Your bank wants you to confirm the payment of {price} for {_SUBJECTS[invoice.subject]}:",
            link,
            "Until then it is open, and you cannot start again. The link is for you alone: please do not pass it on.",
        ),
    )


def write_debt(rider: Rider, invoice: Invoice, network: Network, *, tried: bool) -> Mail:
    """The mail that tells a rider what is to be paid: the card was ``tried`` in vain, or there is none."""
    price, about = formatted(invoice.due, invoice.currency), _SUBJECTS[invoice.subject]
    tried_in_vain = f"We could not take {price} for {about} from your card."
    happened = tried_in_vain if tried else f"{price} for {about} is still to be paid, and you have no card saved."
    return _mail(
        rider,
        network,
        f"Your payment of {price} has failed" if tried else f"Please pay {price}",
        (
            happened,
            "Please pay it in your app, or save a card there: we will charge that. Until then you cannot start again.",
            _COMPLAIN,
        ),
    )


_SUBJECTS: Final = {
    Subject.RENTAL: "your ride",
    Subject.RESERVATION: "your reservation",
    Subject.ORDER: "what you have ordered",
}


def write_gift_codes(rider: Rider, letter: GiftLetter, network: Network) -> Mail:
    """The mail that has the gift codes of an order in it."""
    zone = ZoneInfo(network.timezone)

    def described(gift: Gift) -> str:
        until = f", until {_day(gift.valid_until.astimezone(zone))}" if gift.valid_until else ""
        return f"{gift.code}: {formatted(gift.value, letter.currency)}{until}"

    one = len(letter.gifts) == 1
    puts = "This code puts" if one else "Each of these codes puts"
    return _mail(
        rider,
        network,
        "Your gift code" if one else f"Your {len(letter.gifts)} gift codes",
        (
            f"Thank you. {puts} money into the wallet of whoever redeems it in the app:",
            "\n".join(described(gift) for gift in letter.gifts),
            "A code can be redeemed once, by anybody who knows it: please pass it on only to whom it is meant for.",
        ),
    )


def _day(at: datetime) -> str:
    return f"{at.day} {at:%B %Y}"


def write_invoice(template: Template, rider: Rider, invoice: Invoice, address: str, network: Network) -> Mail:
    """The mail that tells a rider that an invoice, whose document is at ``address``, has been paid or taken back."""
    vat = ", VAT included" if any(line.vat for line in invoice.lines) else ""
    amount = f"{formatted(abs(invoice.total), invoice.currency)}{vat}"
    if template is Template.INVOICE_CREDITED:
        return _mail(
            rider,
            network,
            f"Your credit note {invoice.number}",
            (
                f"This is what we have taken back of what we have charged you: {amount}.",
                f"This is your credit note {invoice.number}:\n{address}",
                _COMPLAIN,
            ),
        )
    return _mail(
        rider,
        network,
        f"Your receipt {invoice.number}",
        (
            f"Thank you. You have paid {amount}.",
            f"This is your invoice {invoice.number}, which is also your receipt:\n{address}",
            _COMPLAIN,
        ),
    )


def _mail(rider: Rider, network: Network, subject: str, paragraphs: tuple[str, ...]) -> Mail:
    greeting = f"Hi {rider.first_name}," if rider.first_name else "Hi,"
    signature = f"{network.issuer.name}\n{network.issuer.email}"
    return Mail(subject=subject, text="\n\n".join((greeting, *paragraphs, signature)) + "\n")


Written = tuple[str, tuple[str, ...]]


def _ride_too_long(rental: Rental, network: Network, at: datetime) -> Written:
    del network
    code, length = rental.vehicle_code, _length(rental, at)
    return (
        f"Your ride on {code} is still running",
        (
            f"You have been renting {code} for {length}, and the ride is still being charged.",
            "If you are done, please park the vehicle, lock it and end the ride in your app.",
        ),
    )


def _ride_paused(rental: Rental, network: Network, at: datetime) -> Written:
    del at
    code, limit = rental.vehicle_code, network.timings.max_pause_s
    return (
        f"Your ride on {code} is paused",
        (
            f"{code} has not moved for a while, so we have paused your ride. It is still yours, and still charged.",
            *([f"A pause ends the ride after {_minutes(limit)}."] if limit else []),
            "Continue the ride in your app, or end it there if you are done.",
        ),
    )


def _ride_ended(rental: Rental, network: Network, at: datetime) -> Written:
    del network, at
    code = rental.vehicle_code
    reason = _END_REASONS.get(rental.end_reason) if rental.end_reason else None
    return (
        f"Your ride on {code} has ended",
        (
            f"Your ride on {code} has ended{f', because {reason}' if reason else ''}.",
            _price(rental),
            _COMPLAIN,
        ),
    )


def _left_unlocked_warning(rental: Rental, network: Network, at: datetime) -> Written:
    del at
    code, fee = rental.vehicle_code, network.left_unlocked_fine
    return (
        f"You left {code} unlocked",
        (
            _LEFT.format(code=code),
            _price(rental),
            "Please lock the vehicle and end the ride in your app whenever you are done.",
            *([f"Next time we will have to add a fee of {formatted(fee, network.currency)}."] if fee else []),
        ),
    )


def _left_unlocked_fine(rental: Rental, network: Network, at: datetime) -> Written:
    del at
    code, fee = rental.vehicle_code, formatted(rules.fine(rental), network.currency)
    return (
        f"You left {code} unlocked again",
        (
            _LEFT.format(code=code),
            f"As this was not the first time, a fee of {fee} has been added. {_price(rental)}",
            _COMPLAIN,
        ),
    )


_WRITERS: Final[dict[Template, Callable[[Rental, Network, datetime], Written]]] = {
    Template.RIDE_TOO_LONG: _ride_too_long,
    Template.RIDE_PAUSED: _ride_paused,
    Template.RIDE_ENDED: _ride_ended,
    Template.LEFT_UNLOCKED_WARNING: _left_unlocked_warning,
    Template.LEFT_UNLOCKED_FINE: _left_unlocked_fine,
}


def _price(rental: Rental) -> str:
    if rental.fare is None or not rental.fare.total:
        return "You pay nothing for this ride."
    return f"The price is {formatted(rental.fare.total, rental.fare.currency)}, VAT included."


def _length(rental: Rental, at: datetime) -> str:
    return _minutes(int(duration(rental.started_at, at).total_seconds()))


def _minutes(seconds: int) -> str:
    hours, minutes = divmod(seconds // 60, 60)
    parts = [_count(hours, "hour"), _count(minutes, "minute")]
    return " and ".join(part for part in parts if part) or "less than a minute"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}" if number else ""
