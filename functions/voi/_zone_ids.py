"""Zone ids: this API's word for networks."""

from typing import Annotated, Final

from pydantic import AfterValidator

from kickstand.clients.model import ApiClient
from kickstand.fleet.errors import NetworkNotFound
from voi._surface import EMPTY_ZONE_ID, Invalid

_LONGEST: Final = 16


def _not_empty(zone_id: str) -> str:
    if not zone_id:
        raise ValueError("a zone id is needed")
    return zone_id


ZoneId = Annotated[str, AfterValidator(_not_empty), Invalid(EMPTY_ZONE_ID)]
"""The id of a zone as clients send it."""


def network_of(zone_id: str) -> int:
    """The network that a zone id names.

    Raises:
        NetworkNotFound: no network can be called so.
    """
    if not (zone_id.isascii() and zone_id.isdecimal() and len(zone_id) <= _LONGEST) or zone_id.startswith("0"):
        raise NetworkNotFound
    return int(zone_id)


def visible_network(caller: ApiClient, zone_id: str) -> int:
    """The network that a zone id names.

    Raises:
        NetworkNotFound: it does not exist for the caller.
    """
    network_id = network_of(zone_id)
    if not caller.may_see(network_id):
        raise NetworkNotFound
    return network_id
