"""What can be wrong with a client's request about its webhooks."""

from kickstand.kernel.errors import DomainError


class WebhookRefused(DomainError):
    """A request about webhooks that cannot be met; the concrete errors say why."""

    detail = "The webhook is refused"


class EndpointNotFound(WebhookRefused):
    """The client has no such endpoint."""

    detail = "Webhook not found"


class DeliveryNotFound(WebhookRefused):
    """The endpoint has got no such event, or it is forgotten."""

    detail = "Event not found: events are kept for thirty days"


class TooManyEndpoints(WebhookRefused):
    """The client has as many endpoints as it may have."""

    detail = "No more than 20 webhooks"


class EndpointExists(WebhookRefused):
    """The client has registered this address already."""

    detail = "There is a webhook for this address already"


class EndpointDisabled(WebhookRefused):
    """Nothing can be sent again to an endpoint that gets nothing."""

    detail = "The webhook is disabled, enable it first"


class TargetRefused(WebhookRefused):
    """Events are not sent to this address."""

    detail = "Events cannot be sent to this address"


class SecretRefused(WebhookRefused):
    """A secret that is easy to guess, or that not everybody can type."""

    detail = "A secret has 32 to 255 visible ASCII characters"


class AlreadyPublished(WebhookRefused):
    """An event is published once for each endpoint; whoever publishes it takes this for success."""

    detail = "The event has been published"
