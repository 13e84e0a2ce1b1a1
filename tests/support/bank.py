"""A payment provider in memory: cards that behave, keys that are remembered, holds that end, answers that get lost."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from threading import RLock
from typing import Any, Final

import pytest

from kickstand.kernel import clock, store
from kickstand.payments import service
from kickstand.payments.model import Card, PaymentProfile, SavedCard
from kickstand.payments.provider import (
    Charge,
    Intent,
    IntentStatus,
    ProviderEvent,
    ProviderRefusal,
    ProviderUnreachable,
    Setup,
    SetupStatus,
)

HELD_FOR: Final = timedelta(days=7)
REMEMBERED: Final = timedelta(days=1)


class Plastic(StrEnum):
    """How a card behaves."""

    GOOD = "good"
    DECLINED = "declined"
    """Declined whenever it is charged, and no payment is made of it where it was named with the request."""
    PROVED = "proved"
    """The bank wants the rider to prove who they are, for every payment."""


class Fault(StrEnum):
    """How a call fails."""

    LOST = "lost"
    """It does not reach the provider."""
    UNANSWERED = "unanswered"
    """It has worked, and the answer gets lost."""


@dataclass
class Kept:
    """A payment as the provider keeps it."""

    intent: Intent
    charge: Charge
    held_at: datetime | None = None


@dataclass
class Bank:
    """The provider; a ``kickstand.payments.provider.Provider``.

    Attributes:
        faults: how the calls to come fail, by their number.
        calls: what was asked, oldest first, those that did not get there included.
        refuses_refunds: whether money that is to go back is not taken.
        smallest: what is taken at least, in minor units.
        returned: refunds that came back.
    """

    faults: dict[int, Fault] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    payments: dict[str, Kept] = field(default_factory=dict)
    cards: dict[str, Plastic] = field(default_factory=dict)
    refuses_refunds: bool = False
    smallest: int = 0
    returned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._one = RLock()  # does one thing at a time, whoever asks
        self._numbers = count(1)
        self._answers: dict[str, tuple[Any, datetime, Callable[[], Any]]] = {}
        self._refunds: dict[str, tuple[str, int]] = {}

    def fail(self, fault: Fault, nth: int = 1) -> None:
        """Let the ``nth`` call from now fail."""
        self.faults[len(self.calls) + nth] = fault

    # ── What is true there ───────────────────────────────────────────────────────────────────────────────────────────

    def money(self, currency: str) -> int:
        """What has been taken and not given back, in minor units."""
        kept = [each for each in self.payments.values() if each.charge.currency == currency]
        return sum(each.intent.captured - each.intent.refunded for each in kept)

    def charged(self, payment_ids: set[int] | None = None) -> list[int]:
        """What has been taken by each payment, or by each of some."""
        kept = [each for each in self.payments.values() if each.intent.captured]
        return [each.intent.captured for each in kept if payment_ids is None or each.charge.payment_id in payment_ids]

    def held(self) -> int:
        """How many amounts are held."""
        self._pass_time()
        return sum(each.intent.status is IntentStatus.HELD for each in self.payments.values())

    def ref_of(self, payment_id: int) -> str | None:
        """What a payment of ours is called here, if it is known."""
        return next((ref for ref, kept in self.payments.items() if kept.charge.payment_id == payment_id), None)

    def refund_of(self, refund_id: int) -> str | None:
        """What a refund of ours is called here, if it is known and was taken."""
        known = self._answers.get(f"refund-{refund_id}")
        try:
            return None if known is None else str(known[2]())
        except ProviderRefusal:
            return None

    # ── What riders do ───────────────────────────────────────────────────────────────────────────────────────────────

    def give_card(self, rider_id: int, plastic: Plastic = Plastic.GOOD) -> str:
        """Save a card of a rider."""
        known = service.ensure_customer(service.profile(rider_id))
        ref = self.plastic(plastic)
        card = SavedCard(ref=ref, brand="visa", last4="4242", expires="2034-12", saved_at=clock.now())
        service.keep(known, known.model_copy(update={"cards": (card,)}))
        store.begin()
        return ref

    def plastic(self, plastic: Plastic) -> str:
        """A card that is nobody's yet."""
        ref = f"pm_{next(self._numbers)}"
        self.cards[ref] = plastic
        return ref

    def choose(self, ref: str, plastic: Plastic = Plastic.GOOD) -> None:
        """A rider's browser chooses a card for a payment."""
        kept = self.payments[ref]
        if kept.intent.status is IntentStatus.WAITING_FOR_METHOD:
            self._try(ref, self.plastic(plastic))

    def prove(self, ref: str, *, ok: bool = True) -> None:
        """A rider proves who they are, or fails to."""
        kept = self.payments[ref]
        if kept.intent.status is not IntentStatus.WAITING_FOR_RIDER:
            return
        if ok:
            self._take(ref)
        else:
            self._set(ref, status=IntentStatus.WAITING_FOR_METHOD, decline="authentication_failed")

    # ── What we ask ──────────────────────────────────────────────────────────────────────────────────────────────────

    def publishable_key(self) -> str:
        """What clients identify us by."""
        return "pk_test"

    def create_customer(self, rider_id: int, key: str) -> str:
        """A customer."""
        return str(self._once("create_customer", key, rider_id, lambda: f"cus_{next(self._numbers)}"))

    def create_setup(self, setup_id: int, customer: str, key: str) -> Setup:
        """The saving of a card; nothing here needs it."""
        return Setup(ref=f"seti_{setup_id}_{customer}_{key}", status=SetupStatus.WAITING)

    def setup(self, ref: str) -> Setup:
        """The saving of a card; nothing here needs it."""
        return Setup(ref=ref, status=SetupStatus.WAITING)

    def cancel_setup(self, ref: str) -> Setup:
        """The saving of a card; nothing here needs it."""
        return Setup(ref=ref, status=SetupStatus.CANCELLED)

    def card(self, method: str) -> Card:
        """What may be shown of a card."""
        shown: Card = self._call("card", lambda: Card(brand=f"visa {method}", last4="4242", expires="2034-12"))
        return shown

    def detach(self, method: str) -> None:
        """Forget a card."""
        self._call("detach", lambda: self.cards.pop(method, None))

    def create_intent(self, charge: Charge, key: str) -> Intent:
        """A payment, tried at once where a card is named."""

        def create() -> Intent:
            if charge.amount < self.smallest:
                raise ProviderRefusal("amount_too_small")
            plastic = self.cards[charge.method] if charge.method else None
            if plastic is Plastic.DECLINED and not charge.capture:
                return Intent(ref=None, status=IntentStatus.WAITING_FOR_METHOD, decline="card_declined")
            ref = f"pi_{next(self._numbers)}"
            waiting = Intent(
                ref=ref,
                status=IntentStatus.WAITING_FOR_METHOD,
                payment_id=charge.payment_id,
                amount=charge.amount,
                secret=f"{ref}_secret",
            )
            self.payments[ref] = Kept(waiting, charge)
            if charge.method is not None:
                self._try(ref, charge.method)
            return self.payments[ref].intent

        found: Intent = self._once("create_intent", key, charge, create)
        return found

    def intent(self, ref: str) -> Intent:
        """How a payment stands."""
        found: Intent = self._call("intent", lambda: self.payments[ref].intent)
        return found

    def cancel_intent(self, ref: str, key: str) -> Intent:
        """Give up a payment or a hold."""

        def cancel() -> Intent:
            too_late = {IntentStatus.PROCESSING, IntentStatus.SUCCEEDED, IntentStatus.CANCELLED}
            if self.payments[ref].intent.status not in too_late:
                self._set(ref, status=IntentStatus.CANCELLED)
            return self.payments[ref].intent

        found: Intent = self._once("cancel_intent", key, ref, cancel)
        return found

    def capture(self, ref: str, amount: int, key: str) -> Intent:
        """Take a part of a hold."""

        def capture() -> Intent:
            kept = self.payments[ref]
            if amount < self.smallest:
                raise ProviderRefusal("amount_too_small")
            if kept.intent.status is not IntentStatus.HELD or amount > kept.intent.amount:
                raise ProviderRefusal("payment_intent_unexpected_state")
            self._set(ref, status=IntentStatus.SUCCEEDED, captured=amount)
            return kept.intent

        found: Intent = self._once("capture", key, (ref, amount), capture)
        return found

    def refund(self, ref: str, amount: int, key: str) -> str:
        """Give a part back."""

        def refund() -> str:
            intent = self.payments[ref].intent
            if self.refuses_refunds or amount > intent.captured - intent.refunded:
                raise ProviderRefusal("charge_already_refunded")
            self._set(ref, refunded=intent.refunded + amount)
            name = f"re_{next(self._numbers)}"
            self._refunds[name] = (ref, amount)
            return name

        return str(self._once("refund", key, (ref, amount), refund))

    def refund_stands(self, refund: str) -> bool:
        """Whether a refund has not come back."""
        return bool(self._call("refund_stands", lambda: refund not in self.returned))

    def come_back(self, refund: str) -> None:
        """A refund could not be delivered after all."""
        ref, amount = self._refunds[refund]
        self.returned.add(refund)
        self._set(ref, refunded=self.payments[ref].intent.refunded - amount)

    def event(self, body: bytes, signature: str | None) -> ProviderEvent | None:
        """Whoever is told knows our id of the payment."""
        ref = body.decode()
        return ProviderEvent(f"evt_{signature}", "changed", ref, payment_id=self.payments[ref].charge.payment_id)

    # ── Inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _call(self, name: str, work: Callable[[], Any]) -> Any:
        with self._one:
            self.calls.append(name)
            fault = self.faults.pop(len(self.calls), None)
            if fault is Fault.LOST:
                raise ProviderUnreachable
            self._pass_time()
            answer = _outcome(work)
        if fault is Fault.UNANSWERED:
            raise ProviderUnreachable
        return answer()

    def _once(self, name: str, key: str, asked: object, work: Callable[[], Any]) -> Any:
        """What was answered when it was asked for the first time, refusals included."""

        def answer() -> Any:
            known = self._answers.get(key)
            if known is None or clock.now() - known[1] > REMEMBERED:
                known = self._answers[key] = (asked, clock.now(), _outcome(work))
            assert known[0] == asked, f"{key} was used for something else"
            return known[2]()

        return self._call(name, answer)

    def _try(self, ref: str, method: str) -> None:
        match self.cards[method]:
            case Plastic.GOOD:
                self._set(ref, method=method, decline=None)
                self._take(ref)
            case Plastic.PROVED:
                self._set(ref, status=IntentStatus.WAITING_FOR_RIDER, method=method, decline=None)
            case Plastic.DECLINED:
                self._set(ref, status=IntentStatus.WAITING_FOR_METHOD, decline="card_declined")

    def _take(self, ref: str) -> None:
        kept = self.payments[ref]
        if kept.charge.capture:
            self._set(ref, status=IntentStatus.SUCCEEDED, captured=kept.charge.amount)
        else:
            self._set(ref, status=IntentStatus.HELD)
            kept.held_at = clock.now()

    def _set(self, ref: str, **news: Any) -> None:
        kept = self.payments[ref]
        kept.intent = replace(kept.intent, **news)

    def _pass_time(self) -> None:
        for ref, kept in self.payments.items():
            held_at = kept.held_at
            if kept.intent.status is IntentStatus.HELD and held_at is not None and clock.now() >= held_at + HELD_FOR:
                self._set(ref, status=IntentStatus.CANCELLED)


def _outcome(work: Callable[[], Any]) -> Callable[[], Any]:
    try:
        found = work()
    except ProviderRefusal as refusal:
        code = refusal.code

        def refuse() -> Any:
            raise ProviderRefusal(code)

        return refuse
    return lambda: found


def connected(patch: pytest.MonkeyPatch) -> Bank:
    """A provider that is asked from now on."""
    bank = Bank()
    patch.setattr(service, "provider", lambda: bank)
    return bank


def profile(rider_id: int) -> PaymentProfile:
    """What is known of a rider."""
    store.begin()
    return service.profile(rider_id)
