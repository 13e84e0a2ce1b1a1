import base64
from typing import Protocol

import pytest
import urllib3

from local.server import Platform
from local.types import Json


class Call(Protocol):
    def __call__(self, method: str, path: str, **request: Json) -> urllib3.BaseHTTPResponse: ...


@pytest.fixture
def call(platform: Platform, http: urllib3.PoolManager) -> Call:
    def send(method: str, path: str, **request: Json) -> urllib3.BaseHTTPResponse:
        return http.request(method, f"{platform.url}{path}", **request)

    return send


def test_an_event_has_the_form_of_payload_2_0(call: Call) -> None:
    headers = {"Cookie": "a=1; b=2", "Content-Type": "application/json", "X-Custom": "ü".encode().decode("latin-1")}
    path = "/things/v1/echo/a%2Fb%20c/of/x/y?tag=1&tag=2&empty=&space=%20"
    answer = call("POST", path, body=b'{"a": 1}', headers=headers).json()

    event = answer["event"]
    assert event["version"] == "2.0"
    assert event["routeKey"] == "POST /v1/echo/{name}/of/{rest+}"
    assert event["rawPath"] == "/things/v1/echo/a/b c/of/x/y"
    assert event["rawQueryString"] == "tag=1&tag=2&empty=&space=%20"
    assert event["queryStringParameters"] == {"tag": "1,2", "empty": "", "space": " "}
    assert event["pathParameters"] == {"name": "a/b c", "rest": "x/y"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-custom"] == "ü"
    assert event["body"] == '{"a": 1}'
    assert event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert context["stage"] == "$default"
    assert context["http"]["method"] == "POST"
    assert context["http"]["protocol"] == "HTTP/1.1"
    assert isinstance(context["timeEpoch"], int)
    assert answer["context"]["function"] == "kickstand-Surface-Echo"
    assert 0 < answer["context"]["remaining"] <= 3000


def test_a_request_without_query_body_and_cookies_leaves_their_fields_out(call: Call) -> None:
    event = call("PUT", "/things/v1/things/special").json()["event"]
    assert not {"queryStringParameters", "pathParameters", "cookies", "body"} & event.keys()


def test_bytes_arrive_in_base_64(call: Call) -> None:
    event = call("POST", "/things/v1/echo/a/of/b", body=b"\xff\x00", headers={"Content-Type": "image/png"}).json()[
        "event"
    ]
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\x00"


def test_a_static_segment_wins_over_a_parameter(call: Call) -> None:
    assert call("PUT", "/things/v1/things/special").json()["event"]["routeKey"] == "PUT /v1/things/special"
    assert call("PUT", "/things/v1/things/other", body=b"{}").status == 201


def test_a_slash_at_the_end_is_the_empty_beginning_of_something_greedy(call: Call) -> None:
    assert call("POST", "/things/v1/echo/a/of/").json()["event"]["pathParameters"] == {"name": "a", "rest": ""}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/things/v1/things/special"),
        ("PUT", "/things/v1/things/special/"),
        ("PUT", "/things/v1/things//"),
        ("PUT", "/v1/things/special"),
        ("PUT", "/things"),
        ("POST", "/things/v1/echo/a/of"),
    ],
)
def test_what_no_route_matches_is_not_found(call: Call, method: str, path: str) -> None:
    answer = call(method, path)
    assert (answer.status, answer.json()) == (404, {"message": "Not Found"})


def test_a_response_of_format_2_0_is_sent_as_it_says(call: Call) -> None:
    body = {
        "statusCode": 202,
        "headers": {"X-Answer": "yes", "content-type": "image/png"},
        "cookies": ["a=1", "b=2; Path=/"],
        "body": base64.b64encode(b"\x89PNG").decode(),
        "isBase64Encoded": True,
    }
    answer = call("POST", "/things/v1/answer", json=body)
    assert answer.status == 202
    assert answer.data == b"\x89PNG"
    assert answer.headers["X-Answer"] == "yes"
    assert answer.headers.getlist("Set-Cookie") == ["a=1", "b=2; Path=/"]
    assert answer.headers["Apigw-Requestid"]


def test_a_result_without_a_status_is_a_json_body(call: Call) -> None:
    answer = call("POST", "/things/v1/answer", json={"hello": "you"})
    assert (answer.status, answer.json(), answer.headers["Content-Type"]) == (200, {"hello": "you"}, "application/json")


def test_a_not_modified_answer_has_no_body(call: Call) -> None:
    answer = call("POST", "/things/v1/answer", json={"statusCode": 304, "headers": {"ETag": '"a"'}})
    assert (answer.status, answer.data, answer.headers["ETag"]) == (304, b"", '"a"')


@pytest.mark.parametrize(
    "body", [{"raise": "no"}, {"unserialisable": True}, {"statusCode": "many"}, {"statusCode": 200, "body": {"a": 1}}]
)
def test_a_function_that_fails_is_an_internal_error_without_details(call: Call, body: Json) -> None:
    answer = call("POST", "/things/v1/answer", json=body)
    assert (answer.status, answer.json()) == (500, {"message": "Internal Server Error"})


def test_a_body_above_10_mb_is_refused(call: Call) -> None:
    answer = call("POST", "/things/v1/answer", body=b"x" * (10 * 1024 * 1024 + 1))
    assert (answer.status, answer.json()) == (413, {"message": "Request Entity Too Large"})


def test_a_request_is_logged_without_query_body_and_headers(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="local.access"):
        call("PUT", "/things/v1/things/special%0A?token=secret", body=b'{"a": "secret"}', headers={"X": "secret"})
    line = caplog.messages[-1]
    assert line.startswith("PUT /things/v1/things/special%0A 201 ")
    assert line.endswith(" ms kickstand-Surface-PutThing")


def test_the_index_names_the_apis(call: Call) -> None:
    answer = call("GET", "/")
    assert answer.status == 200
    assert b"/things" in answer.data
