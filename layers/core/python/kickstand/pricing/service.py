"""Use cases about tariffs. What a ride costs is decided in :mod:`kickstand.pricing.rules`."""

from typing import Any

from kickstand.kernel import clock, ids, store
from kickstand.kernel.errors import Contention
from kickstand.kernel.events import Event
from kickstand.pricing.model import Tariff, Terms
from kickstand.pricing.store import TariffItem, TariffVersionItem, versions_of


def publish_tariff(network_id: int, model_id: int, terms: Terms) -> Tariff:
    """Make ``terms`` the network's tariff for a vehicle model from now on.

    Rides that have begun keep the tariff they began with. Publishing what already counts changes nothing.

    Raises:
        Contention: somebody else published a tariff for the same vehicles at this moment.
    """
    previous = current(network_id, model_id)
    if previous is not None and _terms(previous) == _terms(terms):
        return previous
    now = clock.now()
    tariff = Tariff(
        id=ids.new_id(),
        network_id=network_id,
        model_id=model_id,
        version=1 if previous is None else previous.version + 1,
        published_at=now,
        **_terms(terms),
    )
    unchanged = TariffItem.pk.does_not_exist() if previous is None else TariffItem.version == previous.version
    with store.Transaction() as tx:
        tx.put(
            TariffItem.of(tariff, event=Event.new("TariffPublished", now)),
            condition=unchanged,
            otherwise=Contention,
        )
        tx.create(TariffVersionItem.of(tariff))
    return tariff


def current(network_id: int, model_id: int) -> Tariff | None:
    """The tariff at which a network offers a vehicle model now; ``None`` where none has been published."""
    item = store.load(TariffItem.key(network_id, model_id))
    return item.entity if item else None


def history(network_id: int, model_id: int) -> list[Tariff]:
    """Every tariff that ever counted, oldest first."""
    return versions_of(network_id, model_id)


def _terms(tariff: Terms) -> dict[str, Any]:
    return {name: getattr(tariff, name) for name in Terms.model_fields}
