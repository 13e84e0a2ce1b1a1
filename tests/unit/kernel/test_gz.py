import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st

from kickstand.kernel import gz


@given(st.lists(st.binary(max_size=300)))
def test_pieces_make_one_stream_that_anyone_reads(parts: list[bytes]) -> None:
    stream = gz.assembled(gz.piece(part) for part in parts)
    assert gzip.decompress(stream) == b"".join(parts)
    one_member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert one_member.decompress(stream) == b"".join(parts)
    assert one_member.eof
    assert one_member.unused_data == b""


def test_a_piece_can_be_used_again_in_another_place() -> None:
    one, two = gz.piece(b"to be " * 100), gz.piece(b"or not ")
    assert gzip.decompress(gz.assembled([one, two, one])) == b"to be " * 100 + b"or not " + b"to be " * 100
