"""Gzip streams made of parts that were compressed before, so that only what changed is compressed again."""

import zlib
from collections.abc import Iterable
from typing import Final, NamedTuple

_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # deflate, no name, no time, any system
_LAST_BLOCK: Final = b"\x03\x00"
_LEVEL: Final = 1


class Piece(NamedTuple):
    """A run of bytes, plain and as deflate blocks that refer to nothing before them."""

    plain: bytes
    deflated: bytes


def piece(plain: bytes) -> Piece:
    """Compress one part."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return Piece(plain, compressor.compress(plain) + compressor.flush(zlib.Z_SYNC_FLUSH))


def assembled(pieces: Iterable[Piece]) -> bytes:
    """One gzip stream (RFC 1952, a single member) of all pieces in their order."""
    parts, crc, size = [_HEADER], 0, 0
    for plain, deflated in pieces:
        parts.append(deflated)
        crc = zlib.crc32(plain, crc)
        size += len(plain)
    trailer = crc.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
    return b"".join((*parts, _LAST_BLOCK, trailer))
