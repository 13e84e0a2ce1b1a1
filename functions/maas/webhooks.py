"""Webhooks: where a client wants to be told what happens, and what has become of it."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from kickstand.http.surface import InvalidRequest, Problem
from kickstand.webhooks import service as webhooks
from kickstand.webhooks.model import (
    DeliveryStatus,
    DisabledReason,
    Endpoint,
    EndpointState,
    Failure,
    SignatureScheme,
    Standing,
)
from maas._schemas import Body, Moment, NumericId, PathId, Text, Time, Wire
from maas._surface import INVALID_REQUEST, INVALID_STATE, WEBHOOK_NOT_FOUND, Caller, maas

SCHEME: Final = SignatureScheme(signature_header="Urbansharing-Signature", id_header="uowid")

_LONGEST_URL: Final = 1_000
_LONGEST_OVERLAP_H: Final = 72
_USUAL_OVERLAP_H: Final = 24
_LONGEST_AFTER: Final = 400
_MOST: Final = 100
_USUAL: Final = 50


class Event(StrEnum):
    """What a client can be told of: the path below its URL that events of the kind are sent to, or all of them."""

    ALL = "*"
    TRIPS = "trips/events"
    RESERVATIONS = "reservations"
    INVOICES = "users/invoices"
    PENALTIES = "users/penalties"
    MESSAGES = "users/messages"
    LOST_VEHICLES = "vehicles/lost"

    @property
    def path(self) -> str:
        """What the event is called where it is delivered."""
        return self.value if self is Event.ALL else f"/{self.value}"


def _given(text: str) -> str:
    if not text or len(text) > _LONGEST_URL:
        raise ValueError(f"1 to {_LONGEST_URL} characters")
    return text


Url = Annotated[str, AfterValidator(_given)]
Events = Annotated[
    list[Event],
    Field(
        min_length=1,
        max_length=len(Event),
        description="The kinds of events, by the path below the URL that they are sent to; `*` for all of them.",
    ),
]


class WebhookInfo(Wire):
    """A webhook. The secret is told only by whatever makes one."""

    id: NumericId
    url: str = Field(description="The base; events are sent to paths below it.")
    events: list[Event]
    state: EndpointState = Field(description="Events that happen while it is `disabled` are not kept for it.")
    disabled_reason: DisabledReason | None = Field(
        default=None, description="`paused`: you disabled it; `gone`: it answered 410."
    )
    former_secrets_until: Time | None = Field(
        default=None, description="Until then, requests are signed with former secrets as well."
    )
    created_at: Time
    secret: str | None = Field(default=None, description="The new secret, if it was not you who chose it.")

    @classmethod
    def of(cls, endpoint: Endpoint, secret: str | None = None) -> "WebhookInfo":
        """The wire form of an endpoint."""
        former = [each.until for each in endpoint.old_secrets]
        return cls(
            id=endpoint.id,
            url=endpoint.url,
            events=[each for each in Event if each.path in endpoint.events],
            state=endpoint.state,
            disabled_reason=endpoint.disabled_reason,
            former_secrets_until=max(former, default=None),
            created_at=endpoint.created_at,
            secret=secret,
        )


class WebhookList(Wire):
    """Webhooks, oldest first."""

    data: list[WebhookInfo]


class WebhookPath(Wire):
    """Which webhook."""

    webhook_id: PathId


class CreateWebhook(Body):
    """A new webhook."""

    url: Url = Field(description="An `https` URL without query. All addresses of its host must be public.")
    events: Events = Field(default=[Event.ALL])
    secret: Text | None = Field(
        default=None, description="32 to 255 visible ASCII characters; one is made for you if you give none."
    )


class UpdateWebhook(Body):
    """What changes of a webhook; what is left out stays."""

    url: Url | None = None
    events: Events | None = None
    enabled: bool | None = Field(default=None, description="Whether it gets events.")


class RotateSecret(Body):
    """Another secret."""

    secret: Text | None = Field(
        default=None, description="32 to 255 visible ASCII characters; one is made for you if you give none."
    )
    overlap_hours: Annotated[int, Field(ge=0, le=_LONGEST_OVERLAP_H)] = Field(
        default=_USUAL_OVERLAP_H, description="How long the former secret goes on signing; 0 when it has leaked."
    )


class ReplayEvents(Body):
    """Which events; without any member, those that wait."""

    since: Moment | None = Field(
        default=None, description="Everything that has happened since then, acknowledged or not."
    )
    uowid: Text | None = Field(default=None, description="One event, acknowledged or not.")

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.since is not None and self.uowid is not None:
            raise ValueError("since and uowid exclude each other")
        return self


class Replay(Wire):
    """What is going to be sent."""

    webhook_id: NumericId
    state: Literal["accepted"] = "accepted"


class Delivery(Wire):
    """An event on its way to a webhook."""

    uowid: str
    event: Event
    state: DeliveryStatus = Field(
        description="`pending`: it is about to be sent; `retrying`: it, or an earlier event about the same thing, has "
        "failed and is tried again; `parked`: that was given up; `delivered`: it was acknowledged."
    )
    created_at: Time
    delivered_at: Time | None = None
    attempts: int
    failure: Failure | None = Field(default=None, description="What came of the last attempt.")
    status_code: int | None = Field(default=None, description="The last answer's status, if there was an answer.")
    next_attempt_at: Time | None = None
    payload: dict[str, Any] = Field(description="What is sent.")

    @classmethod
    def of(cls, standing: Standing) -> "Delivery":
        """The wire form of a delivery."""
        known, last = standing.delivery, standing.outcome
        return cls(
            uowid=str(known.name),
            event=Event(known.path.removeprefix("/")),
            state=standing.status,
            created_at=known.published_at,
            delivered_at=known.delivered_at,
            attempts=standing.attempts,
            failure=last.failure if last else None,
            status_code=last.status if last else None,
            next_attempt_at=standing.due_at,
            payload=json.loads(known.body),
        )


class DeliveryList(Wire):
    """Some deliveries."""

    data: list[Delivery]
    after: str | None = Field(default=None, description="Asks for those that follow; missing when there are none.")


class DeliveryQuery(Wire):
    """Which deliveries."""

    state: DeliveryStatus | None = Field(default=None, description="Only those in this state.")
    limit: Annotated[int, Field(ge=1, le=_MOST)] = Field(default=_USUAL, description="About how many.")
    after: str | None = Field(
        default=None, description="The `after` of the answer before, to the same question about the same webhook."
    )

    def cursor(self, webhook_id: int, place: str) -> str:
        """What asks for the deliveries after a place."""
        return urlsafe_b64encode(f"{self._question(webhook_id)}{place}".encode()).decode().rstrip("=")

    def place(self, webhook_id: int) -> str | None:
        """The place after which deliveries are asked for.

        Raises:
            InvalidRequest: what asks for it comes from another question, or from nowhere.
        """
        if self.after is None:
            return None
        try:
            told = urlsafe_b64decode(self.after.encode() + b"=" * (-len(self.after) % 4)).decode()
        except (BadBase64, ValueError):
            told = ""
        question = self._question(webhook_id)
        if not told.startswith(question) or told == question or len(self.after) > _LONGEST_AFTER:
            message = "after: it comes from no answer to this question"
            raise InvalidRequest(Problem("query", "after", missing=False, message=message))
        return told.removeprefix(question)

    def _question(self, webhook_id: int) -> str:
        return f"{webhook_id} {self.state or '*'} "


@maas.operation(
    "POST",
    "/webhooks",
    tag="Webhooks",
    access="WebhookRequests",
    errors=(INVALID_REQUEST, INVALID_STATE),
    expects=webhooks.expect,
    documented=False,
)
def create_webhook(caller: Caller, body: CreateWebhook) -> WebhookInfo:
    """Be told what happens.

    Events are sent as `POST` to paths below the URL (see *Webhook Interface*), and are delivered when the answer is one
    of the 2xx. Answer within ten seconds; redirects are not followed. What fails is tried again for three days, with
    growing waits. Events about one trip or reservation arrive in order; an event can come twice, by the same `uowid`.
    An answer of 410 disables the webhook. A client has at most 20 webhooks, one for a URL.

    `Urbansharing-Signature` is `t=…,v0=…`: the time of the attempt in milliseconds, and the HMAC with SHA-256, in
    hexadecimal, of the time, a full stop and the body. The key is the secret of the webhook.
    """
    endpoint = webhooks.register(caller.client.id, body.url, [each.path for each in body.events], SCHEME, body.secret)
    return WebhookInfo.of(endpoint, None if body.secret else endpoint.secret)


@maas.operation("GET", "/webhooks", tag="Webhooks", access="WebhookRequests", expects=webhooks.expect, documented=False)
def list_webhooks(caller: Caller) -> WebhookList:
    """List your webhooks."""
    return WebhookList(data=[WebhookInfo.of(each) for each in webhooks.endpoints(caller.client.id)])


@maas.operation(
    "GET",
    "/webhooks/{webhookId}",
    tag="Webhooks",
    access="WebhookRequests",
    errors=(INVALID_REQUEST, WEBHOOK_NOT_FOUND),
    expects=webhooks.expect,
    documented=False,
)
def get_webhook(caller: Caller, path: WebhookPath) -> WebhookInfo:
    """Show a webhook."""
    return WebhookInfo.of(webhooks.find(caller.client.id, path.webhook_id))


@maas.operation(
    "PATCH",
    "/webhooks/{webhookId}",
    tag="Webhooks",
    access="WebhookRequests",
    errors=(INVALID_REQUEST, WEBHOOK_NOT_FOUND, INVALID_STATE),
    expects=webhooks.expect,
    documented=False,
)
def update_webhook(caller: Caller, path: WebhookPath, body: UpdateWebhook) -> WebhookInfo:
    """Change a webhook, or disable and enable it.

    What was waiting when it was disabled is sent when it is enabled; what has happened in between is not. The next
    attempts go to the new URL.
    """
    events = None if body.events is None else [each.path for each in body.events]
    changed = webhooks.change(caller.client.id, path.webhook_id, url=body.url, events=events, enable=body.enabled)
    return WebhookInfo.of(changed)


@maas.operation(
    "DELETE",
    "/webhooks/{webhookId}",
    tag="Webhooks",
    access="WebhookRequests",
    errors=(INVALID_REQUEST, WEBHOOK_NOT_FOUND),
    expects=webhooks.expect,
    documented=False,
)
def delete_webhook(caller: Caller, path: WebhookPath) -> WebhookPath:
    """Delete a webhook, and drop what waits for it."""
    webhooks.remove(caller.client.id, path.webhook_id)
    return path


@maas.operation(
    "POST",
    "/webhooks/{webhookId}/secret",
    tag="Webhooks",
    access="WebhookRequests",
    errors=(INVALID_REQUEST, WEBHOOK_NOT_FOUND),
    expects=webhooks.expect,
    documented=False,
)
def rotate_webhook_secret(caller: Caller, path: WebhookPath, body: RotateSecret | None = None) -> WebhookInfo:
    """Change a webhook's secret.

    For a while, requests carry a signature of each secret, `t=…,v0=<new>,v0=<former>`; the oldest one comes last, so a
    receiver that looks at the last one only goes on working until it is told the new secret, and has to be by the end
    of the overlap. Asking again for the same secret changes nothing.
    """
    wanted = body or RotateSecret()
    endpoint = webhooks.rotate_secret(
        caller.client.id, path.webhook_id, wanted.secret, timedelta(hours=wanted.overlap_hours)
    )
    return WebhookInfo.of(endpoint, None if wanted.secret else endpoint.secret)


@maas.operation(
    "POST",
    "/webhooks/{webhookId}/replay",
    tag="Webhooks",
    access="WebhookRequests",
    errors=(INVALID_REQUEST, WEBHOOK_NOT_FOUND, INVALID_STATE),
    expects=webhooks.expect,
    documented=False,
)
def replay_webhook(caller: Caller, path: WebhookPath, body: ReplayEvents | None = None) -> Replay:
    """Have events sent again.

    What was given up, and what waits for its next attempt, is sent now; or everything since a time; or one event.
    Events keep their `uowid`. They are kept for 30 days.
    """
    wanted = body or ReplayEvents()
    webhooks.replay(caller.client.id, path.webhook_id, since=wanted.since, name=wanted.uowid)
    return Replay(webhook_id=path.webhook_id)


@maas.operation(
    "GET",
    "/webhooks/{webhookId}/deliveries",
    tag="Webhooks",
    access="WebhookRequests",
    errors=(INVALID_REQUEST, WEBHOOK_NOT_FOUND),
    expects=webhooks.expect,
    documented=False,
)
def list_webhook_deliveries(caller: Caller, path: WebhookPath, query: DeliveryQuery) -> DeliveryList:
    """Show what has become of events, for 30 days.

    Newest first; those that are tried again or were given up by what they are about. A page can be short, even
    empty, and yet have others after it.
    """
    webhook_id = path.webhook_id
    place = query.place(webhook_id)
    page = webhooks.deliveries(caller.client.id, webhook_id, query.state, after=place, most=query.limit)
    after = None if page.after is None else query.cursor(webhook_id, page.after)
    return DeliveryList(data=[Delivery.of(each) for each in page.deliveries], after=after)
