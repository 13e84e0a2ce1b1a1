"""What happens to a ride's receipt while documents cannot be stored, and how it is settled afterwards."""

import json
from dataclasses import dataclass
from typing import Any, Final

import boto3
import pytest

from kickstand.billing import service as billing
from kickstand.kernel import store
from kickstand.kernel.errors import Contention
from kickstand.rental import lifecycle
from kickstand.rental.store import ParkedItem
from local.objects import Objects
from local.wsgi import Request, Response
from tests.support.town import Ride, Town, until

ATTEMPTS: Final = 7
"""The first one and six more."""


@dataclass
class Bucket:
    """The bucket of documents: while it is broken it refuses to store anything, and counts how often."""

    broken: bool = True
    refusals: int = 0


@pytest.fixture
def bucket(town: Town, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    town.platform.settle()  # the demo's own documents are written
    state, serve = Bucket(), Objects.serve

    def refusing(self: Objects, request: Request) -> Response:
        if request.method != "PUT" or not state.broken:
            return serve(self, request)
        state.refusals += 1
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        return Response(403, {"Content-Type": "application/xml"}, body)

    monkeypatch.setattr(Objects, "serve", refusing)
    return state


def test_a_short_failure_is_survived_by_trying_again(town: Town, bucket: Bucket) -> None:
    ride = ended_ride(town)
    is_tried(bucket, 1)
    assert town.executions(ride) == ["RUNNING"]
    assert ride.state == "ENDED"  # the rider does not notice
    assert "receipt" not in ride.attributes
    for _ in range(3):
        town.passes(seconds=20)
    assert 1 < bucket.refusals < ATTEMPTS

    bucket.broken = False
    town.passes(minutes=2)
    is_settled_once(town, ride)
    assert town.executions(ride) == ["SUCCEEDED"]


def test_a_lasting_failure_is_parked_and_settled_by_a_new_execution(town: Town, bucket: Bucket) -> None:
    ride = ended_ride(town)
    for attempt in range(1, ATTEMPTS + 1):
        is_tried(bucket, attempt)
        town.passes(minutes=2)
    until(lambda: town.executions(ride) == ["FAILED"], what="the workflow gives up")
    assert bucket.refusals == ATTEMPTS
    parked = parking_of(ride)
    assert parked is not None
    assert parked.error == "AccessDenied"
    assert town.events(ride) == []
    assert "receipt" not in ride.attributes

    bucket.broken = False
    town.passes(hours=10)
    assert town.events(ride) == []  # nobody has repaired it yet
    # What docs/operations.md says: mend the cause, start the workflow again under a new name, take the note away.
    boto3.client("stepfunctions").start_execution(
        stateMachineArn=next(arn for arn in town.platform.workflows.machines if arn.endswith("-rental")),
        name=f"rental-{ride.number}-again-1",
        input=json.dumps({"rental_id": ride.number}),
    )
    town.settle()
    assert town.executions(ride) == ["SUCCEEDED", "FAILED"]
    is_settled_once(town, ride)


def test_a_wait_that_could_not_be_noted_at_once_is_noted_later(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    note, failures = lifecycle.wait_for_change, [Contention(), Contention()]

    def reluctant(*arguments: Any) -> bool:
        if failures:
            raise failures.pop()
        return note(*arguments)

    monkeypatch.setattr(lifecycle, "wait_for_change", reluctant)
    ride = town.ride()
    town.passes(seconds=20)
    assert not failures
    assert town.executions(ride) == ["RUNNING"]


def is_tried(bucket: Bucket, times: int) -> None:
    """Storing the receipt has been tried so often."""
    until(lambda: bucket.refusals >= times, what=f"the receipt is tried {times} times")


def ended_ride(town: Town) -> Ride:
    """A ride of ten minutes that has just been ended."""
    ride = town.ride()
    town.passes(minutes=9, seconds=30)
    town.moves(ride.vehicle, town.vehicle().place)
    assert ride.partner.end(ride.id).status == 200
    town.settle()
    return ride


def is_settled_once(town: Town, ride: Ride) -> None:
    """There is one charge, one receipt and one event."""
    store.begin()
    charge = billing.charge_of(ride.number)
    assert charge is not None
    assert charge.fare.total == ride.attributes["cost"]["total"]["amount"] > 0
    assert ride.partner.receipt(ride.id).content.startswith(b"%PDF")
    assert town.events(ride) == ["RentalCompleted"]


def parking_of(ride: Ride) -> ParkedItem | None:
    """The note that operators find where a workflow has given up."""
    store.begin()
    return store.load(ParkedItem.key(ride.number))
