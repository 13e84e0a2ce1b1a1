"""Use cases about alerts: what networks have to tell everybody."""

from datetime import datetime, timedelta
from typing import Final

from kickstand.clients.model import ApiClient
from kickstand.fleet.errors import NetworkNotFound
from kickstand.fleet.model import Alert
from kickstand.fleet.store import AlertItem, NetworkItem, alerts_of
from kickstand.kernel import clock, store

_KEPT: Final = timedelta(days=30)
"""How long an alert is kept when it does not apply any more."""


def put_alert(alert: Alert) -> Alert:
    """Put up an alert, or change the one of its id; answers it with the time of that.

    Raises:
        NetworkNotFound: nobody would see it.
    """
    current = alert.model_copy(update={"updated_at": clock.now()})
    with store.Transaction() as tx:
        tx.put(AlertItem.of(current, expires_at=_expiry(current)))
        network = NetworkItem.key(alert.network_id)
        tx.require(network, NetworkItem.pk.exists(), otherwise=NetworkNotFound)
    return current


def withdraw_alert(network_id: int, alert_id: int) -> None:
    """Take an alert down; nothing happens where there is none."""
    with store.Transaction() as tx:
        tx.delete(AlertItem.key(network_id, alert_id))


def current_alerts(client: ApiClient) -> list[Alert]:
    """The alerts that apply now in the networks a partner may see, by network, the oldest first; a query a network."""
    now = clock.now()
    return [
        alert for network_id in sorted(client.network_ids) for alert in alerts_of(network_id) if alert.applies_at(now)
    ]


def _expiry(alert: Alert) -> int | None:
    ends: list[datetime] = [each.end for each in alert.times if each.end is not None]
    if not ends or len(ends) < len(alert.times):
        return None
    return int((max(ends) + _KEPT).timestamp())
