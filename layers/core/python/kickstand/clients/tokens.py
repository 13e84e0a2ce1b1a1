"""Partner tokens: ``kst_<client id in base 36>_<secret>``. The id inside lets one read answer who calls."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Final

from kickstand.clients.model import ApiClient, Credential, Token

LIFETIME: Final = timedelta(days=3 * 365)
_PREFIX: Final = "kst"
_SECRET_BYTES: Final = 32
_KEY_BYTES: Final = 32
_LONGEST: Final = 128


def mint(client_id: int, now: datetime) -> tuple[str, Token]:
    """A new token that lasts three years: the secret to hand out once, and what we keep of it."""
    secret = f"{_PREFIX}_{_base36(client_id)}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return secret, kept(secret, now + LIFETIME)


def kept(secret: str, expires_at: datetime) -> Token:
    """What we keep of a token."""
    return Token(digest=digest(secret), expires_at=expires_at)


def mint_credential(credential_id: int, now: datetime) -> tuple[str, Credential]:
    """A new credential: the secret to hand out once, and what we keep of it."""
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    return secret, kept_credential(credential_id, secret, secrets.token_hex(_KEY_BYTES), now)


def kept_credential(credential_id: int, secret: str, signing_key: str, now: datetime) -> Credential:
    """What we keep of a credential."""
    return Credential(id=credential_id, digest=digest(secret), signing_key=signing_key, created_at=now)


def digest(secret: str) -> str:
    """SHA-256 suffices: the secret has 256 random bits, there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


def client_id(secret: str) -> int | None:
    """The partner that a token claims to belong to, or ``None`` for what cannot be one of ours."""
    prefix, _, rest = secret.partition("_")
    owner, _, random = rest.partition("_")
    if prefix != _PREFIX or not random or len(secret) > _LONGEST or not (owner.isascii() and owner.isalnum()):
        return None
    return int(owner, 36)


def admits(client: ApiClient, secret: str, now: datetime) -> bool:
    """Whether ``secret`` is one of the partner's tokens and still valid."""
    presented = digest(secret)
    return any(hmac.compare_digest(token.digest, presented) and now < token.expires_at for token in client.tokens)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"
