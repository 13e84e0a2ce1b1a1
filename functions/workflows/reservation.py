"""The tasks of a reservation's workflow: let it expire. See ``statemachines/reservation.asl.yaml``."""

from typing import Any

from kickstand.rental import reservations
from workflows._tasks import logger, name_of, task


@task("reservation_id")
def expire(event: dict[str, Any]) -> dict[str, Any]:
    """Let the reservation expire, unless it has ended before."""
    reservations.expire(event["reservation_id"])
    return {}


@task("reservation_id")
def park_reservation(event: dict[str, Any]) -> dict[str, Any]:
    """Keep what could not be done where operators look for it; then the execution fails, and an alarm goes off."""
    error = name_of(event["error"])
    reservations.park(event["reservation_id"], error)
    logger.error("workflow parked", extra={"reservation_id": event["reservation_id"], "error": error})
    return {}
