"""The tasks of a rental's workflow: plan, wait, act; then settle. See ``statemachines/rental.asl.yaml``.

Every task reads the rental afresh and repeats harmlessly, so the workflow's own state is no more than the rental's id.
"""

from math import ceil
from typing import Any, Final

from kickstand.billing import rides
from kickstand.billing import service as billing
from kickstand.kernel import clock
from kickstand.rental import lifecycle, rules
from kickstand.rental import service as rentals
from kickstand.rental.model import RentalState
from workflows._tasks import logger, name_of, task

_LONGEST_WAIT_S: Final = 30 * 24 * 3600


class RentalChanged(Exception):
    """The rental is not what was planned on any more."""


@task("rental_id")
def plan(event: dict[str, Any]) -> dict[str, Any]:
    """Decide what comes next: ``act`` on what is due, ``wait`` for what will be or for a change, ``settle`` the end."""
    situation = lifecycle.situation(event["rental_id"])
    rental, deadline = situation.rental, situation.deadline
    planned: dict[str, Any] = {"rental_id": rental.id, "version": rental.version, "timer": None}
    if rental.state in {RentalState.COMPLETED, RentalState.CANCELLED}:
        return planned | {"next": "settle"}
    if deadline is None:
        return planned | {"next": "wait", "seconds": _LONGEST_WAIT_S}
    remaining_s = ceil((deadline.at - clock.now()).total_seconds())  # half a second early, the timer would not be due
    if remaining_s <= 0:
        return planned | {"next": "act", "timer": deadline.timer}
    return planned | {"next": "wait", "seconds": min(remaining_s, _LONGEST_WAIT_S), "timer": deadline.timer}


@task("rental_id", passes=(RentalChanged,))
def await_change(event: dict[str, Any]) -> dict[str, Any]:
    """Leave the task token where the rental's next change finds it.

    Raises:
        RentalChanged: it has changed already.
    """
    if not lifecycle.wait_for_change(event["rental_id"], event["version"], event["token"]):
        raise RentalChanged
    return {}


@task("rental_id")
def act(event: dict[str, Any]) -> dict[str, Any]:
    """Do what the timer asks for that has gone off."""
    if event["timer"] is not None:
        lifecycle.expire(event["rental_id"], rules.Timer(event["timer"]))
    return {"rental_id": event["rental_id"]}


@task("rental_id")
def record_charge(event: dict[str, Any]) -> dict[str, Any]:
    """Record what the rental costs its payer; where that is the rider, begin to collect it. No bank is waited for."""
    rides.charge_rental(rentals.get(event["rental_id"]))
    return {}


@task("rental_id")
def issue_receipt(event: dict[str, Any]) -> dict[str, Any]:
    """Write the receipt and let the rental know where it is."""
    situation = lifecycle.situation(event["rental_id"])
    lifecycle.attach_receipt(situation.rental.id, billing.issue_receipt(situation.rental, situation.network))
    return {}


@task("rental_id")
def publish_completed(event: dict[str, Any]) -> dict[str, Any]:
    """Tell other systems, on the event bus, that the rental is over."""
    lifecycle.announce(event["rental_id"])
    return {}


@task("rental_id")
def park(event: dict[str, Any]) -> dict[str, Any]:
    """Keep what could not be done where operators look for it; then the execution fails, and an alarm goes off."""
    error = name_of(event["error"])
    lifecycle.park(event["rental_id"], error)
    logger.error("workflow parked", extra={"rental_id": event["rental_id"], "error": error})
    return {}
