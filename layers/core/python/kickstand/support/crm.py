"""Use cases about the customer relations system through which riders get help."""

from kickstand.fleet import service as fleet
from kickstand.kernel import store
from kickstand.support import rules
from kickstand.support.errors import CrmNotConfigured
from kickstand.support.model import CrmAccess, CrmSettings, Platform
from kickstand.support.store import CrmItem


def configure(settings: CrmSettings) -> None:
    """Let a network's riders get help through a customer relations system, or through it differently.

    Raises:
        NetworkNotFound: there is no such network.
    """
    fleet.network(settings.network_id)
    with store.Transaction() as tx:
        tx.put(CrmItem.of(settings))


def withdraw(network_id: int) -> None:
    """Let a network have no customer relations system any more."""
    with store.Transaction() as tx:
        tx.delete(CrmItem.key(network_id))


def access(network_id: int, user_id: str, platform: Platform) -> CrmAccess:
    """What an app tells the customer relations system of a rider, so that it believes who that is; one read.

    Anybody may ask this for any rider: operators that configure the system know that.

    Raises:
        NetworkNotFound: there is no such network.
        CrmNotConfigured: it has no customer relations system, or none for this platform.
    """
    store.expect(CrmItem.key(network_id))
    fleet.network(network_id)
    item = store.load(CrmItem.key(network_id))
    settings = item.entity if item else None
    if settings is None or platform not in settings.secrets:
        raise CrmNotConfigured
    token = rules.identity_token(user_id, settings.secrets[platform])
    return CrmAccess(settings.provider, settings.app_id, token)
