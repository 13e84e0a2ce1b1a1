"""The task of a webhook's workflow: deliver what is due. See ``statemachines/webhook.asl.yaml``."""

from typing import Any

from kickstand.webhooks import delivery
from workflows._tasks import logger, task


@task("subject")
def retry_webhook(event: dict[str, Any]) -> dict[str, Any]:
    """Send what waits in a lane, if it is due, and say what comes next."""
    step = delivery.retry(event["client_id"], event["endpoint_id"], event["subject"], event["owner"])
    if step.next == "park":
        where = {name: event[name] for name in ("client_id", "endpoint_id", "subject")}
        logger.error("webhook parked", extra=where)
    return step._asdict()
