"""What follows from repairs."""

from typing import Any

from aws_lambda_powertools import Logger

from kickstand.kernel.consumers import Change, stream_consumer
from kickstand.kernel.events import Event
from kickstand.messaging import service as messaging
from kickstand.messaging.model import Message
from kickstand.support import service as support
from kickstand.support.model import Maintenance
from kickstand.support.store import MaintenanceItem

logger = Logger()


@stream_consumer(MaintenanceItem)
def follow_maintenances(change: Change[Maintenance]) -> None:
    """Tell riders of a repair who asked for it."""
    maintenance, event = change.new, change.event
    if maintenance is not None and event is not None and event.name == "MaintenanceCompleted":
        _notify(maintenance, event)


def _notify(maintenance: Maintenance, event: Event) -> None:
    failures: list[Exception] = []
    for rider_id in support.waiting_for(maintenance.id):
        try:
            message = messaging.notify_repaired(maintenance, event, rider_id)
        except Exception as error:  # noqa: BLE001 - the others are told all the same, and this one when it comes again
            failures.append(error)
            continue
        if message is not None:
            logger.info("message", extra=_described(maintenance, event, message))
    if failures:
        raise failures[0]


def _described(maintenance: Maintenance, event: Event, message: Message) -> dict[str, Any]:
    return {
        "maintenance": maintenance.id,
        "event": event.id,
        "rider": message.rider_id,
        "template": message.template,
        "state": message.state,
    }
