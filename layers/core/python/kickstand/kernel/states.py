"""State machines as tables: what is not in the table is refused."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Generic, TypeVar

State = TypeVar("State", bound=StrEnum)
Trigger = TypeVar("Trigger", bound=StrEnum)


class Machine(Generic[State, Trigger]):
    """A finite state machine.

    Args:
        table: the next state for every state and trigger that belong together.
        refusal: the error for a pair that is not in the table.
    """

    def __init__(self, table: Mapping[tuple[State, Trigger], State], refusal: type[Exception]) -> None:
        self.table = table
        self.refusal = refusal

    def next(self, state: State, trigger: Trigger) -> State:
        """The state after ``trigger``; raises the machine's refusal where there is none."""
        try:
            return self.table[state, trigger]
        except KeyError:
            msg = f"{trigger.value} is not possible while {state.value}"
            raise self.refusal(msg) from None

    def allows(self, state: State, trigger: Trigger) -> bool:
        """Whether ``trigger`` is possible in ``state``."""
        return (state, trigger) in self.table

    def states_before(self, trigger: Trigger) -> frozenset[State]:
        """All states in which ``trigger`` is possible: what a write's condition has to ask for."""
        return frozenset(state for state, each in self.table if each == trigger)
