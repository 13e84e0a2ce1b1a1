"""What follows for parked vehicles when other zones are in force than before."""

from typing import Any

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Ability, Action, Vehicle
from kickstand.geo import service as geo
from kickstand.geo.model import Verdict
from kickstand.kernel import clock, store


def judge_parked(_event: dict[str, Any], _context: Any) -> dict[str, Any]:  # noqa: ANN401 - the Lambda context
    """Judge parked vehicles anew in networks whose zones were published, or whose hours have begun or ended.

    What a dock holds need not say anything by itself until it is taken, so somebody has to go round.
    """
    store.begin()
    failures: list[Exception] = []
    rounds = geo.rounds()
    for each in rounds:
        store.begin()
        try:
            geo.finish(each, changed=_judge(each.network_id))
        except Exception as error:  # noqa: BLE001 - the other networks' vehicles do not wait for this one's
            failures.append(error)
    if failures:
        raise ExceptionGroup("networks that could not be judged", failures)
    return {"networks": len(rounds)}


def _judge(network_id: int) -> bool:
    """Judge the parked vehicles of a network; answers whether any of them did not know."""
    vehicles = clusters.parked_in(network_id)
    verdicts = geo.judge_all(network_id, [each.position for each in vehicles])
    stale = [(each, verdict) for each, verdict in zip(vehicles, verdicts, strict=True) if _differs(each, verdict)]
    for vehicle, verdict in stale:
        _limit_speed(vehicle, verdict)
        # Comes last. Where somebody was faster, the next round finds out who is right.
        fleet.judge(vehicle, verdict)
    return bool(stale)


def _differs(vehicle: Vehicle, verdict: Verdict) -> bool:
    """Whether a verdict says something else; the version of the geofence alone is not worth a write."""
    return verdict != vehicle.verdict.model_copy(update={"geofence_version": verdict.geofence_version})


def _limit_speed(vehicle: Vehicle, verdict: Verdict) -> None:
    limit = verdict.max_speed_kmh
    if limit != vehicle.verdict.max_speed_kmh and Ability.LIMIT_SPEED in fleet.model(vehicle.model_id).abilities:
        cause = clock.milliseconds(clock.now())
        fleet.send_command(cause, vehicle.id, Action.LIMIT_SPEED, parameters={"max_speed_kmh": limit})
