"""Delivery of webhooks: what the queue asks for."""

from pydantic import RootModel

from kickstand.kernel.consumers import queue_consumer
from kickstand.webhooks import delivery
from kickstand.webhooks.model import Errand


class Asked(RootModel[Errand]):
    """Anything that the queue asks for."""


@queue_consumer(Asked)
def deliver_webhooks(message: Asked) -> None:
    """Send what is pending, oldest first; what fails goes to a workflow."""
    delivery.do(message.root)
