"""What would have left the platform: mails, SMS, push messages, webhooks, events."""

import json
from collections.abc import Mapping
from typing import Literal, TypeAlias

from local.clock import Clock
from local.state import State
from local.types import Json

Kind: TypeAlias = Literal["mails", "sms", "pushes", "webhooks", "events"]
_KINDS: tuple[Kind, ...] = ("mails", "sms", "pushes", "webhooks", "events")
_KEPT = 1000


class Outbox:
    """The newest entries of each kind, oldest first."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def add(self, kind: Kind, entry: Mapping[str, Json]) -> None:
        """Keep an entry, with the time it came; the oldest of more than a thousand go."""
        text = json.dumps({"at": self._clock.now().isoformat(), **entry})
        with self._state.transaction():
            self._state.run("INSERT INTO outbox (kind, entry) VALUES (?, ?)", (kind, text))
            self._state.run(
                "DELETE FROM outbox WHERE kind = ? AND id <= "
                "(SELECT id FROM outbox WHERE kind = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (kind, kind, _KEPT),
            )

    def entries(self) -> dict[Kind, list[Json]]:
        """Everything kept, by kind."""
        found: dict[Kind, list[Json]] = {kind: [] for kind in _KINDS}
        for row in self._state.rows("SELECT kind, entry FROM outbox ORDER BY id"):
            found[row["kind"]].append(json.loads(row["entry"]))
        return found

    def clear(self) -> None:
        """Forget everything."""
        self._state.run("DELETE FROM outbox")
