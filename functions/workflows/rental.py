"""The tasks of a rental's workflow: plan, wait, act; then settle. See ``statemachines/rental.asl.yaml``.

Every task reads the rental afresh and repeats harmlessly, so the workflow's own state is no more than the rental's id.
"""

import json
import time
from collections.abc import Callable
from functools import wraps
from math import ceil
from typing import Any, Final

from aws_lambda_powertools import Logger

from kickstand.billing import service as billing
from kickstand.kernel import clock, store
from kickstand.kernel.errors import described
from kickstand.rental import rules
from kickstand.rental import service as rentals
from kickstand.rental.model import RentalState

_LONGEST_WAIT_S: Final = 30 * 24 * 3600

logger = Logger()

Task = Callable[[dict[str, Any], Any], dict[str, Any]]


class TaskFailed(Exception):
    """A task failed; its message is the name of the error and nothing else, for the execution's history keeps it."""


class RentalChanged(Exception):
    """The rental is not what was planned on any more."""


def _task(function: Callable[[dict[str, Any]], dict[str, Any]]) -> Task:
    @wraps(function)
    def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:  # noqa: ANN401 - the Lambda context
        started = time.perf_counter()
        store.begin()
        try:
            result = function(event)
        except RentalChanged:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the workflow tries again
            failure = described(error)
            where = {"task": function.__name__, "rental_id": event.get("rental_id")}
            logger.error("task failed", extra={**where, **failure})  # noqa: TRY400 - without the text
            raise TaskFailed(failure["error"]) from None
        took = round((time.perf_counter() - started) * 1000, 1)
        logger.info("task", extra={"task": function.__name__, "rental_id": event.get("rental_id"), "ms": took})
        return result

    return handler


@_task
def plan(event: dict[str, Any]) -> dict[str, Any]:
    """Decide what comes next: ``act`` on what is due, ``wait`` for what will be or for a change, ``settle`` the end."""
    situation = rentals.situation(event["rental_id"])
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


@_task
def await_change(event: dict[str, Any]) -> dict[str, Any]:
    """Leave the task token where the rental's next change finds it.

    Raises:
        RentalChanged: it has changed already.
    """
    if not rentals.wait_for_change(event["rental_id"], event["version"], event["token"]):
        raise RentalChanged
    return {}


@_task
def act(event: dict[str, Any]) -> dict[str, Any]:
    """Do what the timer asks for that has gone off."""
    if event["timer"] is not None:
        rentals.expire(event["rental_id"], rules.Timer(event["timer"]))
    return {"rental_id": event["rental_id"]}


@_task
def record_charge(event: dict[str, Any]) -> dict[str, Any]:
    """Record what the rental costs its payer."""
    billing.record_charge(rentals.get(event["rental_id"]))
    return {}


@_task
def issue_receipt(event: dict[str, Any]) -> dict[str, Any]:
    """Write the receipt and let the rental know where it is."""
    situation = rentals.situation(event["rental_id"])
    rentals.attach_receipt(situation.rental.id, billing.issue_receipt(situation.rental, situation.network))
    return {}


@_task
def publish_completed(event: dict[str, Any]) -> dict[str, Any]:
    """Tell other systems, on the event bus, that the rental is over."""
    rentals.announce(event["rental_id"])
    return {}


@_task
def park(event: dict[str, Any]) -> dict[str, Any]:
    """Keep what could not be done where operators look for it; then the execution fails, and an alarm goes off."""
    error = _name_of(event["error"])
    rentals.park(event["rental_id"], error)
    logger.error("workflow parked", extra={"rental_id": event["rental_id"], "error": error})
    return {}


def _name_of(failure: dict[str, str]) -> str:
    if failure["Error"] != TaskFailed.__name__:
        return failure["Error"]
    return str(json.loads(failure["Cause"])["errorMessage"])
