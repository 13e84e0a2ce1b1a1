"""The tasks of a payment's workflow: plan, wait, look. See ``statemachines/payment.asl.yaml``.

Every task reads the payment afresh and repeats harmlessly, so the workflow's own state is little more than its id.
"""

from math import ceil
from typing import Any

from kickstand.billing import following
from kickstand.kernel import clock
from kickstand.payments import intents, lifecycle, rules
from kickstand.payments.errors import ProviderUnavailable
from kickstand.payments.model import PaymentIntent
from kickstand.payments.provider import ProviderUnreachable
from workflows._tasks import logger, name_of, task


class PaymentChanged(Exception):
    """The payment is not what was planned on any more."""


@task("payment_id")
def plan_payment(event: dict[str, Any]) -> dict[str, Any]:
    """Decide what comes next: ``look`` at once, ``wait`` for news, or ``leave`` what is over."""
    intent = intents.find(event["payment_id"])
    return _planned(intent) | ({"next": "look"} if rules.is_to_be_asked(intent) else {})


@task("payment_id", passes=(PaymentChanged,))
def await_payment_news(event: dict[str, Any]) -> dict[str, Any]:
    """Leave the task token where the payment's next change finds it.

    Raises:
        PaymentChanged: it has changed already.
    """
    if not lifecycle.wait_for_change(event["payment_id"], event["version"], event["token"]):
        raise PaymentChanged
    return {}


@task("payment_id", passes=(ProviderUnreachable,))
def advance_payment(event: dict[str, Any]) -> dict[str, Any]:
    """See how the payment stands at the provider, do what follows, and decide how long to wait then.

    Raises:
        ProviderUnreachable: the provider did not say.
    """
    try:
        intent = following.look(event["payment_id"])
    except (ProviderUnreachable, ProviderUnavailable):
        raise ProviderUnreachable from None  # without what the provider said: the execution's history keeps it
    return _planned(intent)


@task("payment_id")
def park_payment(event: dict[str, Any]) -> dict[str, Any]:
    """Keep what could not be done where operators look for it; then the execution fails, and an alarm goes off."""
    error = name_of(event["error"])
    lifecycle.park(event["payment_id"], error)
    logger.error("workflow parked", extra={"payment_id": event["payment_id"], "error": error})
    return {}


def _planned(intent: PaymentIntent) -> dict[str, Any]:
    now = clock.now()
    at = rules.next_look(intent, now)
    planned: dict[str, Any] = {"payment_id": intent.id, "version": intent.version}
    if at is None:
        return planned | {"next": "leave"}
    return planned | {"next": "wait", "seconds": max(1, ceil((at - now).total_seconds()))}
