"""Requests from and answers to API Gateway."""

from base64 import b64decode, b64encode
from gzip import decompress

import pytest

from kickstand.http.messages import Representation, Request, UnreadableBody, cached_answer, compress

LONG = b'{"data":"' + b"x" * 5000 + b'"}'


def request(**headers: str) -> Request:
    return Request({"headers": {name.replace("_", "-"): value for name, value in headers.items()}})


def test_a_request_without_anything_has_nothing() -> None:
    empty = Request({})
    assert (empty.headers, empty.path, empty.query, empty.body, empty.id) == ({}, {}, {}, b"", "")


def test_a_binary_body_is_decoded() -> None:
    assert Request({"body": b64encode(b"\xff").decode(), "isBase64Encoded": True}).body == b"\xff"
    with pytest.raises(UnreadableBody):
        _ = Request({"body": "%%%", "isBase64Encoded": True}).body


@pytest.mark.parametrize(
    ("accepted", "gzip"),
    [
        ("gzip", True),
        ("GZIP, br", True),
        ("br;q=1, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=0.001", True),
        ("identity", False),
        ("", False),
    ],
)
def test_who_takes_gzip(accepted: str, gzip: bool) -> None:
    assert request(accept_encoding=accepted).accepts_gzip() is gzip


@pytest.mark.parametrize(
    ("presented", "has"),
    [('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), ("", False), ("a", False)],
)
def test_who_has_it_already(presented: str, has: bool) -> None:
    assert request(if_none_match=presented).has('"a"') is has
    assert request(if_none_match=presented).has('W/"a"') is has


def test_a_long_answer_is_compressed_for_who_wants_it() -> None:
    representation = Representation('"a"', 60, body=LONG)
    answer = cached_answer(request(accept_encoding="gzip"), representation, "x-key")
    assert answer["headers"]["content-encoding"] == "gzip"
    assert decompress(b64decode(answer["body"])) == LONG
    plain = cached_answer(request(), representation, "x-key")
    assert "content-encoding" not in plain["headers"]
    assert plain["body"].encode() == LONG
    for each in (answer, plain):
        assert each["headers"]["etag"] == 'W/"a"'
        assert each["headers"]["cache-control"] == "private, max-age=60"


def test_an_answer_too_long_for_lambda_leaves_compressed_whoever_asks() -> None:
    body = b"[" + b"1," * 2_600_000 + b"1]"
    answer = cached_answer(request(), Representation('"a"', 60, body=body), "x-key")
    assert answer["headers"]["content-encoding"] == "gzip"
    assert decompress(b64decode(answer["body"])) == body


def test_what_exists_compressed_only_is_sent_so() -> None:
    answer = cached_answer(request(), Representation('"a"', 60, packed=compress(b"[1]")), "x-key")
    assert decompress(b64decode(answer["body"])) == b"[1]"


def test_a_short_answer_is_not_worth_compressing() -> None:
    answer = cached_answer(request(accept_encoding="gzip"), Representation('"a"', 60, body=b"{}"), "x-key")
    assert answer["body"] == "{}"


@pytest.mark.parametrize("representation", [Representation('"a"', 60, body=LONG), Representation('"a"', 60)])
def test_what_the_client_has_is_not_sent(representation: Representation) -> None:
    answer = cached_answer(request(if_none_match='"a"'), representation, "x-key")
    assert (answer["statusCode"], answer["body"]) == (304, "")
