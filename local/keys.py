"""Keys that never leave: what KMS encrypts and decrypts. Like the real one's, they last as long as the state does."""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from local.state import State

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES = 32
_NONCE_BYTES = 12


class KeyRefused(Exception):
    """What was encrypted with another key, or in another context, or not at all."""


class Keys:
    """AES-256 in Galois/Counter Mode; the context is authenticated and has to be the same again."""

    def __init__(self, state: State) -> None:
        self._state = state

    def encrypt(self, key: str, plain: bytes, context: Mapping[str, str]) -> bytes:
        """What only :meth:`decrypt` makes sense of."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher(key).encrypt(nonce, plain, _canonical(context))

    def decrypt(self, key: str, sealed: bytes, context: Mapping[str, str]) -> bytes:
        """What was encrypted.

        Raises:
            KeyRefused: not with this key, or not in this context.
        """
        from cryptography.exceptions import InvalidTag

        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher(key).decrypt(nonce, rest, _canonical(context))
        except (InvalidTag, ValueError) as error:
            raise KeyRefused("it was not encrypted with this key in this context") from error

    def _cipher(self, key: str) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # late: most runs of the platform need no key

        name = f"key {key.rpartition('/')[2]}"
        with self._state.transaction():
            kept = self._state.setting(name)
            if kept is None:
                kept = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
                self._state.remember(name, kept)
        return AESGCM(binascii.a2b_base64(kept))


def _canonical(context: Mapping[str, str]) -> bytes:
    return json.dumps(context, sort_keys=True).encode()
