"""Use cases of clients that trade their id and secret for access tokens; apart, for whoever needs no such tokens."""

import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from kickstand.clients import bearer, tokens
from kickstand.clients.errors import NotAuthenticated
from kickstand.clients.model import ApiClient
from kickstand.clients.store import ClientItem
from kickstand.kernel import clock, ids, store
from kickstand.kernel.cache import Recent

_networks: Final[Recent[int, frozenset[int]]] = Recent(256)


@dataclass(frozen=True)
class AccessToken:
    """A token to send with requests, and how long it is valid."""

    token: str
    valid_for: timedelta


def exchange(client_id: str, secret: str) -> AccessToken:
    """An access token for a client's id (its UUID) and one of its secrets; one read.

    Raises:
        NotAuthenticated: no client has this id and this secret, without saying which of them is wrong.
    """
    public_id = _uuid(client_id)
    item = store.load(ClientItem.key(ids.id_of(public_id))) if public_id else None
    if item is None or item.entity.public_id != public_id:
        raise NotAuthenticated
    client, presented = item.entity, tokens.digest(secret)
    for credential in client.credentials:
        if hmac.compare_digest(credential.digest, presented):
            return AccessToken(bearer.sign(client, credential, clock.now()), bearer.LIFETIME)
    raise NotAuthenticated


def claimed_client(token: str | None) -> int | None:
    """The id of the client that a token claims to belong to, before that is proved; ``None`` where it claims none."""
    name = bearer.key_name(token) if token else None
    return name.client_id if name else None


def authenticate(token: str | None) -> ApiClient:
    """The client whose valid access token this is; one read.

    Raises:
        NotAuthenticated: in every other case, without saying which.
    """
    name = bearer.key_name(token) if token else None
    if token is None or name is None:
        raise NotAuthenticated
    item = store.load(ClientItem.key(name.client_id))
    if item is None or not bearer.admits(item.entity, name, token, clock.now()):
        raise NotAuthenticated
    client = item.entity
    _networks.put(client.id, client.network_ids)
    return client


def known_networks(client_id: int) -> frozenset[int]:
    """The networks that a client had when this process saw it last: a guess at what it will ask for, never a right."""
    return _networks.get(client_id) or frozenset()


def _uuid(text: str) -> UUID | None:
    """The UUID that is written in its usual form, or ``None``; the library would take many more forms."""
    try:
        uuid = UUID(text)
    except ValueError:
        return None
    return uuid if str(uuid) == text.lower() else None
