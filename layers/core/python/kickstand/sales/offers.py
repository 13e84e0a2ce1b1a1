"""Use cases about products: what a client sells beside rides."""

from collections.abc import Sequence

from kickstand.clients.model import ApiClient
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import NetworkNotFound
from kickstand.fleet.model import Network
from kickstand.kernel import store
from kickstand.sales.errors import OfferClosed, OfferNotFound
from kickstand.sales.model import Offer, OfferState
from kickstand.sales.store import OfferItem, offers_of


def put(client: ApiClient, offer: Offer) -> None:
    """Keep a client's product, in place of what was kept under its id. What has been ordered stays as it was.

    Raises:
        OfferNotFound: it is another client's.
        OfferClosed: it is sold by another network than the client's seller, or in another currency.
    """
    if offer.client_id != client.id:
        raise OfferNotFound
    _check_sold_by(seller(client), offer)
    with store.Transaction() as tx:
        tx.put(OfferItem.of(offer))


def seller(client: ApiClient) -> Network:
    """The network that sells a client's products: the one with the lowest id, as it was at most a minute ago.

    Raises:
        NetworkNotFound: the client has none.
    """
    if not client.network_ids:
        raise NetworkNotFound
    return fleet.known_network(min(client.network_ids))


def expect(client_id: int, *offer_ids: int) -> None:
    """Announce that this request will ask for products of a client."""
    store.expect(*(OfferItem.key(client_id, offer_id) for offer_id in offer_ids))


def offer(client: ApiClient, offer_id: int) -> Offer:
    """A product of a client that can be ordered.

    Raises:
        OfferNotFound: the client has none of that id, whoever else may have.
        OfferClosed: it is not active any more, or the client's seller or its currency has changed since.
    """
    (found,) = offers(client, [offer_id])
    return found


def offers(client: ApiClient, offer_ids: Sequence[int]) -> list[Offer]:
    """Products of a client that can be ordered, in the order of their ids here; one read for all.

    Raises:
        OfferNotFound, OfferClosed: as for :func:`offer`.
    """
    items = store.load_all([OfferItem.key(client.id, each) for each in offer_ids])
    if None in items:
        raise OfferNotFound
    found = [item.entity for item in items]
    if any(each.state is not OfferState.ACTIVE for each in found):
        raise OfferClosed("The product is not active")
    for each in found:
        _check_sold_by(seller(client), each)
    return found


def _check_sold_by(network: Network, offer: Offer) -> None:
    if offer.network_id != network.id or offer.currency != network.currency:
        raise OfferClosed("Products are sold by the client's first network, in its currency")


def list_offers(client_id: int) -> list[Offer]:
    """All products of a client, whatever their state; one query."""
    return offers_of(client_id)
