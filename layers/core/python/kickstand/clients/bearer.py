"""Access tokens: JWTs that a client gets for its id and secret, and sends with every request for an hour.

A token is signed with a random key that is kept beside the credential it was given for, in the client's item. So the
one read that finds the caller also verifies the token, and revoking a credential ends its tokens at once. The token's
``kid`` is ``<client id>.<credential id>``: what to read is known before anything is trusted.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import jwt

from kickstand.clients.model import ApiClient, Credential

LIFETIME: Final = timedelta(hours=1)
_ISSUER: Final = "kickstand"
_ALGORITHM: Final = "HS256"
_CLAIMS: Final = ("iss", "sub", "iat", "exp")
_LONGEST: Final = 512
_KID: Final = re.compile(r"([1-9][0-9]{0,15})\.([1-9][0-9]{0,15})")


@dataclass(frozen=True)
class KeyName:
    """What a token says about the key that it is signed with."""

    client_id: int
    credential_id: int


def sign(client: ApiClient, credential: Credential, now: datetime) -> str:
    """A new token, valid for an hour."""
    claims = {"iss": _ISSUER, "sub": str(client.public_id), "iat": now, "exp": now + LIFETIME}
    return jwt.encode(claims, _key(credential), _ALGORITHM, headers={"kid": f"{client.id}.{credential.id}"})


def key_name(token: str) -> KeyName | None:
    """Which key a token claims to be signed with, or ``None`` for what cannot be one of ours."""
    if len(token) > _LONGEST or not token.isascii():
        return None
    try:
        header: dict[str, Any] = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        return None
    named = _KID.fullmatch(str(header.get("kid", "")))
    return KeyName(int(named[1]), int(named[2])) if named else None


def admits(client: ApiClient, name: KeyName, token: str, now: datetime) -> bool:
    """Whether a token is signed with the key of one of the client's credentials, for this client, and still valid."""
    credential = next((each for each in client.credentials if each.id == name.credential_id), None)
    if name.client_id != client.id or credential is None:
        return False
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(credential),
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            subject=str(client.public_id),
            # Times are compared below, with the clock that everything else goes by.
            options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except jwt.InvalidTokenError:
        return False
    return bool(now.timestamp() < claims["exp"])


def _key(credential: Credential) -> bytes:
    return bytes.fromhex(credential.signing_key)
