"""Domain events: facts that the transaction of a use case commits together with the state they describe.

An aggregate's item carries its latest event, so the table's stream delivers each fact exactly where it became true and
no second write is needed. Consumers see an event once per stream record and must expect to see it again.
"""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from kickstand.kernel import clock, ids


class Event(BaseModel):
    """One thing that happened to one aggregate.

    Attributes:
        id: identifier, ordered by time; consumers deduplicate by it.
        name: past tense, such as ``RentalStarted``.
        at: when it happened.
        data: what consumers need beyond the aggregate's own state; JSON values only.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    at: datetime
    data: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def new(cls, name: str, at: datetime | None = None, **data: Any) -> Self:  # noqa: ANN401 - any JSON value
        """An event of this moment."""
        return cls(id=ids.new_id(), name=name, at=at or clock.now(), data=data)
