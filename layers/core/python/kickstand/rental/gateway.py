"""The workflows of rentals and reservations in Step Functions, and the event bus."""

import json
import os
from datetime import UTC, datetime

from kickstand.kernel import aws, executions
from kickstand.rental.model import Rental


def start_workflow(rental_id: int) -> None:
    """Start the execution ``rental-<id>``; one that runs or ran stays the only one."""
    executions.start(os.environ["RENTAL_WORKFLOW_ARN"], f"rental-{rental_id}", {"rental_id": rental_id})


def start_reservation_workflow(reservation_id: int, expires_at: datetime) -> None:
    """Start the execution ``reservation-<id>``, which sleeps until the reservation expires; likewise only one."""
    given = {"reservation_id": reservation_id, "expires_at": f"{expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"}
    executions.start(os.environ["RESERVATION_WORKFLOW_ARN"], f"reservation-{reservation_id}", given)


def wake_workflow(token: str) -> None:
    """Let a waiting execution look at its rental again; one that has stopped waiting does so by itself."""
    executions.wake(token)


def publish(rental: Rental) -> None:
    """Put the integration event of a rental that is over on the bus: identifiers and amounts, nothing personal."""
    fare = rental.fare
    detail = {
        "event_id": rental.event.id,
        "rental_id": rental.id,
        "public_id": str(rental.public_id),
        "client_id": rental.client_id,
        "product_id": rental.product_id,
        "network_id": rental.network_id,
        "vehicle_id": rental.vehicle_id,
        "reason": rental.end_reason,
        "started_at": rental.started_at.isoformat(),
        "ended_at": rental.ended_at.isoformat() if rental.ended_at else None,
        "distance_m": rental.distance_m,
        "total": fare.total if fare else 0,
        "vat": fare.vat if fare else 0,
        "currency": rental.tariff.currency,
    }
    answer = aws.client("events").put_events(
        Entries=[
            {
                "EventBusName": os.environ["EVENT_BUS"],
                "Source": "kickstand.rental",
                "DetailType": rental.event.name,
                "Detail": json.dumps(detail),
            }
        ]
    )
    if answer["FailedEntryCount"]:
        raise PublishingFailed(answer["Entries"][0].get("ErrorCode", "unknown"))


class PublishingFailed(Exception):
    """The event bus refused an event; the workflow tries again."""
