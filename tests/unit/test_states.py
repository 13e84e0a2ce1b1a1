"""Every state of every machine meets every trigger: what is in the table happens, all else is refused."""

from enum import StrEnum
from typing import Any

import pytest

from kickstand.fleet.model import (
    COMMAND_STATES,
    VEHICLE_STATES,
    CommandState,
    CommandTrigger,
    VehicleState,
    VehicleTrigger,
)
from kickstand.kernel.states import Machine
from kickstand.payments.model import PAYMENT_STATES, PaymentState, PaymentTrigger
from kickstand.rental.model import OPEN, RENTAL_STATES, RentalState, RentalTrigger
from kickstand.sales.model import ORDER_STATES, OrderState, OrderTrigger

RENTAL = """
             confirm_unlock cancel    pause   resume      end    complete
starting     in_progress    cancelled -       -           ending -
in_progress  -              -         on_hold -           ending -
on_hold      -              -         -       in_progress ending -
ending       -              -         -       -           -      completed
completed    -              -         -       -           -      -
cancelled    -              -         -       -           -      -
"""

COMMAND = """
             acknowledge  reject   time_out
sent         acknowledged rejected unconfirmed
acknowledged -            -        -
rejected     -            -        -
unconfirmed  acknowledged rejected -
"""

VEHICLE = """
               reserve  cancel_reservation rent   hold    resume return    withdraw    restore   collect       deploy    stock    lose find        decommission
available      reserved -                  in_use -       -      -         unavailable -         with_operator -         -        lost -           -
reserved       -        available          in_use -       -      -         unavailable -         -             -         -        -    -           -
in_use         -        -                  -      on_hold -      available unavailable -         -             -         -        lost -           -
on_hold        -        -                  -      -       in_use available unavailable -         -             -         -        lost -           -
unavailable    -        -                  -      -       -      -         unavailable available with_operator -         -        lost -           -
with_operator  -        -                  -      -       -      -         -           -         -             available in_stock -    -           decommissioned
in_stock       -        -                  -      -       -      -         -           -         with_operator -         -        -    -           decommissioned
lost           -        -                  -      -       -      -         -           -         with_operator -         -        -    unavailable decommissioned
decommissioned -        -                  -      -       -      -         -           -         -             -         -        -    -           -
"""  # noqa: E501

PAYMENT = """
                 ask_method      ask_rider       process    hold succeed   fail   cancel    release  expire
created          requires_method requires_action processing held succeeded failed cancelled -        -
requires_method  requires_method requires_action processing held succeeded failed cancelled -        -
requires_action  requires_method requires_action processing held succeeded failed cancelled -        -
processing       requires_method requires_action processing held succeeded failed cancelled -        -
held             -               -               -          -    succeeded -      -         released expired
succeeded        -               -               -          -    -         -      -         -        -
failed           -               -               -          -    -         -      -         -        -
cancelled        -               -               -          -    -         -      -         -        -
released         -               -               -          -    -         -      -         -        -
expired          -               -               -          -    -         -      -         -        -
"""

ORDER = """
          complete  cancel    fail
pending   completed cancelled failed
completed -         -         -
cancelled -         -         -
failed    -         -         -
"""

MACHINES: list[tuple[Any, str, Any, Any]] = [
    (RENTAL_STATES, RENTAL, RentalState, RentalTrigger),
    (COMMAND_STATES, COMMAND, CommandState, CommandTrigger),
    (VEHICLE_STATES, VEHICLE, VehicleState, VehicleTrigger),
    (PAYMENT_STATES, PAYMENT, PaymentState, PaymentTrigger),
    (ORDER_STATES, ORDER, OrderState, OrderTrigger),
]


def cells() -> list[tuple[Any, StrEnum, StrEnum, str]]:
    found: list[tuple[Any, StrEnum, StrEnum, str]] = []
    for machine, drawn, states, triggers in MACHINES:
        header, *rows = [line.split() for line in drawn.strip("\n").splitlines()]
        assert [states(row[0]) for row in rows] == list(states)
        assert set(header) == set(triggers)
        for row in rows:
            for name, target in zip(header, row[1:], strict=True):
                found.append((machine, states(row[0]), triggers(name), target))
    return found


@pytest.mark.parametrize(("machine", "state", "trigger", "target"), cells())
def test_transition(machine: Machine[StrEnum, StrEnum], state: StrEnum, trigger: StrEnum, target: str) -> None:
    assert machine.allows(state, trigger) == (target != "-")
    if target != "-":
        assert machine.next(state, trigger) == target
        return
    with pytest.raises(machine.refusal):
        machine.next(state, trigger)


def test_a_rental_is_open_exactly_while_it_can_end() -> None:
    assert RENTAL_STATES.states_before(RentalTrigger.END) == OPEN
