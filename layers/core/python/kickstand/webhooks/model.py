"""Endpoints of clients, what is to be sent to them, and how far that is."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

EVERYTHING: Final = "*"
"""Among the events of an endpoint: it wants all, those too that do not exist yet."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class EndpointState(StrEnum):
    """Whether an endpoint gets events. What happens while it does not is not kept for it."""

    ACTIVE = "active"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """Why an endpoint gets no events."""

    PAUSED = "paused"
    """The client asked for it."""
    GONE = "gone"
    """The endpoint itself did: it answered 410."""


class SignatureScheme(_Model):
    """How a surface has promised to sign: the names of the headers with the signature and with the event's id."""

    signature_header: str
    id_header: str


class OldSecret(_Model):
    """A secret that signs beside its successor for a while."""

    secret: str = Field(repr=False)
    until: datetime


class Endpoint(_Model):
    """Where a client wants to be told.

    Attributes:
        url: the base; each kind of event has a path below it.
        events: the paths that it wants, or :data:`EVERYTHING`.
        secret: the key of the signatures; kept as it is, since signing needs it.
    """

    id: int
    client_id: int
    url: str
    events: frozenset[str]
    scheme: SignatureScheme
    secret: str = Field(repr=False)
    old_secrets: tuple[OldSecret, ...] = ()
    state: EndpointState = EndpointState.ACTIVE
    disabled_reason: DisabledReason | None = None
    created_at: datetime

    def wants(self, path: str) -> bool:
        """Whether events of this path go there now."""
        return self.state is EndpointState.ACTIVE and not self.events.isdisjoint({path, EVERYTHING})


class Endpoints(_Model):
    """All endpoints of a client; few, so that one read finds whom an event concerns and one write holds the limit."""

    client_id: int
    version: int
    endpoints: tuple[Endpoint, ...] = ()

    def find(self, endpoint_id: int) -> Endpoint | None:
        """The endpoint of this id."""
        return next((each for each in self.endpoints if each.id == endpoint_id), None)


class Failure(StrEnum):
    """Why an attempt did not deliver."""

    TIMEOUT = "timeout"
    UNRESOLVED = "unresolved"
    """The name of the host has no address."""
    FORBIDDEN = "forbidden"
    """An address of the host is not a public one."""
    UNREACHABLE = "unreachable"
    INSECURE = "insecure"
    """TLS failed: a certificate that does not prove the host's name, for example."""
    BROKEN = "broken"
    """The connection ended, or what came was no HTTP."""
    STATUS = "status"
    """The answer was none of the 2xx."""
    GONE = "gone"
    """The answer was 410."""
    SUSPENDED = "suspended"
    """Not tried, because the endpoint had just kept others waiting in vain."""
    DISABLED = "disabled"
    """Not tried, because the endpoint is disabled."""


class Outcome(_Model):
    """What an attempt came to.

    Attributes:
        failure: ``None`` for success.
        status: the HTTP status, where there was an answer.
    """

    failure: Failure | None
    status: int | None = None


class LaneState(StrEnum):
    """Who looks after a lane."""

    OPEN = "open"
    """Messages of the queue."""
    RETRYING = "retrying"
    """A workflow, which tries again and again."""
    PARKED = "parked"
    """Nobody, until the lane gets a new event or is replayed."""


class Lane(_Model):
    """What one endpoint is told about one subject, in order.

    Attributes:
        pending: the events that have not been delivered, oldest first.
        lease: whoever may send now, until ``lease_until``.
        owner: names the workflow that the lane was handed to.
        launched: that workflow is known to have been started.
        attempts: how often the oldest event has been tried in vain.
        failing_since: since when.
        due_at: when it is tried again.
        given_up: how many events were pending when the lane was parked.
    """

    client_id: int
    endpoint_id: int
    subject: str
    state: LaneState = LaneState.OPEN
    pending: tuple[str, ...] = ()
    lease: str | None = None
    lease_until: datetime | None = None
    owner: str | None = None
    launched: bool = False
    attempts: int = 0
    failing_since: datetime | None = None
    due_at: datetime | None = None
    failure: Failure | None = None
    status: int | None = None
    given_up: int = 0


class DeliveryState(StrEnum):
    """Whether an event has been delivered."""

    PENDING = "pending"
    DELIVERED = "delivered"


class Name(NamedTuple):
    """What a receiver knows a delivery by: the same at every attempt, and another at every endpoint."""

    endpoint_id: int
    subject: str
    event_id: str

    def __str__(self) -> str:
        return f"{self.endpoint_id}.{self.subject}.{self.event_id}"


class Delivery(_Model):
    """One event for one endpoint.

    Attributes:
        body: what is sent, byte for byte the same at every attempt.
        delivered_at: when the endpoint acknowledged it last.
        replay: the last replay that had it sent again.
    """

    client_id: int
    endpoint_id: int
    subject: str
    event_id: str
    path: str
    body: str
    state: DeliveryState = DeliveryState.PENDING
    published_at: datetime
    delivered_at: datetime | None = None
    attempts: int = 0
    replay: str | None = None

    @property
    def name(self) -> Name:
        """What the receiver knows it by."""
        return Name(self.endpoint_id, self.subject, self.event_id)


class Health(_Model):
    """What lately happened at an endpoint that has kept us waiting.

    Attributes:
        timeouts: how many there were in a row.
        suspended_until: while there are any: until then nobody tries, and then one only.
    """

    endpoint_id: int
    timeouts: int
    suspended_until: datetime


class DeliveryStatus(StrEnum):
    """How far an event is on its way to an endpoint."""

    PENDING = "pending"
    RETRYING = "retrying"
    PARKED = "parked"
    DELIVERED = "delivered"


class Standing(_Model):
    """A delivery and how far it is.

    Attributes:
        attempts: how often it has been tried.
        failure, status: what the last attempt came to, while it has not been delivered.
        due_at: when it is tried again; ``None`` when nothing is planned.
    """

    delivery: Delivery
    status: DeliveryStatus
    attempts: int
    outcome: Outcome | None = None
    due_at: datetime | None = None


class Page(_Model):
    """Some deliveries; ``after`` asks for those that follow, ``None`` says that there are none."""

    deliveries: tuple[Standing, ...]
    after: str | None = None


class Wake(_Model):
    """Ask for a lane to be looked at.

    Attributes:
        event_id: an event that is probably pending.
        release: the owner from whom the lane is taken, when a replay asks for it.
    """

    kind: Literal["wake"] = "wake"
    client_id: int
    endpoint_id: int
    subject: str
    event_id: str | None = None
    release: str | None = None


class Again(_Model):
    """Ask for one event to be sent, although it may have been delivered."""

    kind: Literal["again"] = "again"
    replay: str
    client_id: int
    endpoint_id: int
    subject: str
    event_id: str


class Period(_Model):
    """A span of time."""

    since: datetime
    until: datetime


class Replay(_Model):
    """Ask for all lanes that wait to be looked at now, and for everything of a period to be sent again.

    Attributes:
        asked_at: what has failed or been delivered only since then is left alone.
        period: when it was published; ``None`` for what waits only.
        lanes: what is gone through: first the parked lanes, then those that are retried, then (``None``) the period.
        after: how far that is.
    """

    kind: Literal["replay"] = "replay"
    id: str
    asked_at: datetime
    client_id: int
    endpoint_id: int
    period: Period | None = None
    lanes: LaneState | None = LaneState.PARKED
    after: str | None = None


Errand = Annotated[Wake | Again | Replay, Field(discriminator="kind")]
"""Anything that is asked of whoever delivers."""
