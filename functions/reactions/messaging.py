"""What riders are told when their rentals change."""

from aws_lambda_powertools import Logger

from kickstand.kernel.consumers import Change, stream_consumer
from kickstand.messaging import service as messaging
from kickstand.rental.model import Rental
from kickstand.rental.store import RentalItem

logger = Logger()


@stream_consumer(RentalItem)
def notify_riders(change: Change[Rental]) -> None:
    """Mail the rider what the rental's timers and our staff did to it."""
    if change.new is None or change.event is None:
        return
    message = messaging.notify(change.new, change.event)
    if message is not None:
        logger.info(
            "message",
            extra={
                "rental": change.new.id,
                "event": change.event.id,
                "template": message.template,
                "state": message.state,
            },
        )
