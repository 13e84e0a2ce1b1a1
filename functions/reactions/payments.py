"""What follows from changes of payments, and what is looked at by time."""

from typing import Any

from aws_lambda_powertools import Logger

from kickstand.billing import following
from kickstand.kernel.consumers import Change, stream_consumer
from kickstand.kernel.errors import described
from kickstand.payments import lifecycle
from kickstand.payments.model import PaymentIntent
from kickstand.payments.store import PaymentItem

logger = Logger()


@stream_consumer(PaymentItem)
def follow_payments(change: Change[PaymentIntent]) -> None:
    """Let the payment's workflow know."""
    if change.new is None or change.event is None:
        return
    if change.event.name == "PaymentCreated":
        lifecycle.launch(change.new)
    else:
        lifecycle.wake(change.new)


def keep_agenda(_event: dict[str, Any], _context: Any) -> dict[str, Any]:  # noqa: ANN401 - the Lambda context
    """Look after payments and refunds that nobody looks after any more."""
    try:
        done = following.keep_agenda()
    except ExceptionGroup as group:
        for error in group.exceptions:
            logger.error("agenda failed", extra=described(error))  # noqa: TRY400 - without the text
        raise
    logger.info("agenda", extra={"done": done})
    return {"done": done}
