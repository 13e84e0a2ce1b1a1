"""What a request becomes before an operation sees it, on a small surface."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

import pytest
from pydantic import AfterValidator, BaseModel, Field

from kickstand.http.messages import Answer, Page, Redirect, Representation, Request, json_answer
from kickstand.http.operation import ErrorAnswer, Operation
from kickstand.http.surface import Handler, Loads, Problem, Surface
from kickstand.kernel.errors import DomainError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def _polite(text: str) -> str:
    if not text.islower():
        raise ValueError("not so loud")
    return text


announced: list[tuple[Any, ...]] = []


def announce(*named: object) -> None:
    announced.append(named)


class Headers(BaseModel):
    on_behalf_of: Annotated[str | None, AfterValidator(lambda text: text and _polite(text)), Loads(announce, True)] = (
        Field(default=None, alias="On-Behalf-Of")
    )


class Query(BaseModel):
    colours: list[Colour] = Field(default=[], alias="colours[]")
    names: list[str] | None = Field(default=None, alias="names[]")
    page: int = 1


class BikePath(BaseModel):
    id: Annotated[int, Loads(announce)]


class Wish(BaseModel):
    rider: str
    bike: Annotated[int | None, Loads(announce, of_client=True, with_others=True)] = None


class Grant(BaseModel):
    grant_type: str
    scope: str = ""


class Seen(BaseModel):
    caller: str | None = None
    given: dict[str, Any] = {}


class Strangers(DomainError):
    detail = "Who are you?"


class Bicycles(Surface[str]):
    credential = "x-key"
    common_headers = Headers

    def authenticate(self, request: Request, headers: BaseModel | None) -> str:
        if "x-key" not in request.headers:
            raise Strangers
        on_behalf_of = headers.on_behalf_of if isinstance(headers, Headers) else None
        return f"{request.headers['x-key']} for {on_behalf_of}"

    def claimed_client(self, request: Request) -> int | None:
        key = request.headers.get("x-key", "")
        return int(key) if key.isdecimal() else None

    def describe(self, caller: str) -> dict[str, Any]:
        return {"caller": caller}

    def refuse(
        self,
        request: Request,
        operation: Operation,
        error: DomainError,
        overrides: Mapping[type[DomainError], ErrorAnswer],
    ) -> Answer:
        return json_answer(401, b"{}")

    def refuse_input(self, request: Request, operation: Operation, problem: Problem) -> Answer:
        return json_answer(400, f"{problem.part}.{problem.field}: {problem.message}".encode())

    def fail(self, request: Request, operation: Operation) -> Answer:
        return json_answer(500, b"{}")


surface = Bicycles("bicycles", max_body=100)


@surface.operation("GET", "/bikes", tag="Bike", access="FleetRequests")
def list_bikes(caller: str, query: Query) -> Seen:
    """List bikes."""
    return Seen(caller=caller, given=query.model_dump())


@surface.operation("GET", "/bikes/{id}", tag="Bike", access="FleetRequests")
def get_bike(caller: str, path: BikePath) -> Seen:
    """Get a bike."""
    return Seen(caller=caller, given=path.model_dump())


@surface.operation("POST", "/wishes", tag="Bike", access="FleetRequests")
def wish(body: Wish) -> Seen:
    """Wish for a bike."""
    return Seen(given=body.model_dump())


@surface.operation("POST", "/key", tag="Bike", access="FleetRequests", public=True, form=True)
def get_key(body: Grant) -> Seen:
    """Get a key."""
    return Seen(given=body.model_dump())


@surface.operation("GET", "/map", tag="Bike", access="FleetRequests", answers=Seen)
def get_map() -> Representation:
    """Get a map."""
    return Representation('"a"', 60, body=b"{}")


@surface.operation("GET", "/poster", tag="Bike", access="FleetRequests", answers=Seen, public=True)
def get_poster() -> Representation:
    """Get a poster."""
    return Representation('"a"', 60, body=b"{}")


@surface.operation("GET", "/gallery", tag="Bike", access="FleetRequests", public=True)
def show_gallery(query: Query) -> Page | Redirect:
    """Show the gallery."""
    if query.page > 1:
        return Redirect("https://museum.example/gallery?page=2")
    return Page("<p>Størst</p>", allowed={"style-src": "'nonce-7'", "form-action": "https://museum.example"})


@surface.operation("POST", "/telegrams", tag="Bike", access="FleetRequests", public=True)
def send_telegram(body: bytes) -> Seen:
    """Send a telegram."""
    return Seen(given={"hex": body.hex()})


@pytest.fixture(autouse=True)
def _nothing_announced() -> None:
    announced.clear()


def send(
    handler: Handler, query: str = "", key: str | None = "7", body: str | None = None, **headers: str
) -> tuple[int, str, dict[str, str]]:
    event: dict[str, Any] = {
        "rawQueryString": query,
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
    }
    if key is not None:
        event["headers"]["x-key"] = key
    if handler is get_bike:
        event["pathParameters"] = {"id": "12"}
    joined: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    if joined:
        event["queryStringParameters"] = joined
    if body is not None:
        event["body"] = body
    answer = handler(event, None)
    return answer["statusCode"], answer["body"], answer["headers"]


def test_a_common_header_reaches_whoever_says_who_calls() -> None:
    status, body, _ = send(list_bikes, on_behalf_of="kari")
    assert (status, Seen.model_validate_json(body).caller) == (200, "7 for kari")
    assert Seen.model_validate_json(send(list_bikes)[1]).caller == "7 for None"


def test_a_common_header_is_checked_like_any_input() -> None:
    status, body, _ = send(list_bikes, on_behalf_of="KARI")
    assert (status, body) == (400, "headers.On-Behalf-Of: On-Behalf-Of: not so loud")


def test_who_is_not_known_does_not_learn_that_a_header_is_wrong() -> None:
    assert send(list_bikes, key=None, on_behalf_of="KARI")[0] == 401


def test_what_is_named_within_a_client_is_announced_with_the_client() -> None:
    send(get_bike, on_behalf_of="kari")
    assert announced == [(12,), (7, "kari")]
    announced.clear()
    send(get_bike)
    assert announced == [(12,)]


def test_for_a_request_that_names_no_client_nothing_within_it_is_announced() -> None:
    send(get_bike, key="somebody", on_behalf_of="kari")
    assert announced == [(12,)]


def test_what_several_members_name_is_announced_with_all_of_them() -> None:
    send(wish, body='{"rider": "Kari", "bike": 3}')
    send(wish, body='{"rider": "Kari"}')
    assert announced == [(7, Wish(rider="Kari", bike=3))]


@pytest.mark.parametrize(
    ("query", "colours", "names"),
    [
        ("", [], None),
        ("colours[]=red", ["red"], None),
        ("colours[]=red&colours[]=blue", ["red", "blue"], None),
        ("colours%5B%5D=blue&page=2&colours%5B%5D=red", ["blue", "red"], None),
        ("names[]=a,b&names[]=c%2Cd", [], ["a,b", "c,d"]),
        ("names[]=", [], [""]),
        ("colours=red", [], None),
    ],
)
def test_a_repeated_parameter_is_a_list(query: str, colours: list[str], names: list[str] | None) -> None:
    status, body, _ = send(list_bikes, query)
    assert status == 200
    given = Seen.model_validate_json(body).given
    assert (given["colours"], given["names"]) == (colours, names)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("colours[]=red,blue", "query.colours[]"),
        ("colours[]=red&colours[]=green", "query.colours[]"),
        ("colours[]=", "query.colours[]"),
        ("page=1&page=2", "query.page"),
    ],
)
def test_a_wrong_value_in_a_list_is_refused(query: str, problem: str) -> None:
    status, body, _ = send(list_bikes, query)
    assert (status, body.partition(":")[0]) == (400, problem)


@pytest.mark.parametrize(
    ("handler", "query", "known"),
    [
        (list_bikes, "colour=red", "only of colours[], names[], page"),
        (list_bikes, "page=1&colours[0]=red", "only of colours[], names[], page"),
        (list_bikes, "colours=red", "only of colours[], names[], page"),
        (get_bike, "page=1", "of none"),
    ],
)
def test_a_strict_surface_refuses_a_parameter_that_is_not_known(
    handler: Handler, query: str, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send(handler, query)[0] == 200
    monkeypatch.setattr(Bicycles, "strict_query", True)
    assert send(handler, query)[:2] == (400, f"query.: the operation knows {known}")
    assert send(handler, query, key=None)[0] == 401
    assert send(handler)[0] == send(list_bikes, "colours[]=red&page=1")[0] == send(get_poster, query)[0] == 200


def test_what_is_for_everybody_asks_nobody() -> None:
    status, body, _ = send(get_key, key=None, body=urlencode({"grant_type": "a b&c=ü", "scope": ""}))
    assert status == 200
    assert Seen.model_validate_json(body).given == {"grant_type": "a b&c=ü", "scope": ""}


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("", "body.grant_type"),
        ("scope=x", "body.grant_type"),
        ("grant_type=a&grant_type=a", "body.: a member is given more than once"),
        ("grant_type=%ff", "body.: the body is not text"),
        ("grant_type=%ed%a0%80", "body.: the body is not text"),
        ("grant_type=" + "a" * 100, "body.: the body is longer than 100 bytes"),
        ('{"grant_type": "a"}', "body.grant_type"),
        ("&&&=&", "body.grant_type"),
    ],
)
def test_a_form_that_is_none_is_refused(form: str, problem: str) -> None:
    status, body, _ = send(get_key, key=None, body=form)
    assert status == 400
    assert body.startswith(problem)


def test_what_is_kept_is_kept_apart_by_who_may_see_it() -> None:
    assert send(get_map)[2]["vary"] == "accept-encoding, x-key"
    assert send(get_poster, key=None)[2]["vary"] == "accept-encoding"


def test_nobody_keeps_what_does_not_say_how_long() -> None:
    assert send(list_bikes)[2]["cache-control"] == "no-store"
    assert send(list_bikes, key=None)[2]["cache-control"] == "no-store"
    assert send(get_map)[2]["cache-control"] == "private, max-age=60"


def test_a_page_is_kept_by_nobody_and_does_only_what_it_may() -> None:
    status, body, headers = send(show_gallery, key=None)
    assert (status, body) == (200, "<p>Størst</p>")
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    directives = dict(each.split(" ", 1) for each in headers["content-security-policy"].split("; "))
    shut = dict.fromkeys(("default-src", "base-uri", "frame-ancestors"), "'none'")
    assert directives == shut | {"form-action": "https://museum.example", "style-src": "'nonce-7'"}


def test_a_browser_is_sent_on_without_saying_where_it_comes_from() -> None:
    status, body, headers = send(show_gallery, "page=2", key=None)
    assert (status, body, headers["location"]) == (303, "", "https://museum.example/gallery?page=2")
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


def test_a_body_can_be_taken_as_it_comes() -> None:
    assert Seen.model_validate_json(send(send_telegram, body=' {"a":1} ')[1]).given == {"hex": b' {"a":1} '.hex()}
    assert Seen.model_validate_json(send(send_telegram)[1]).given == {"hex": ""}
    assert send(send_telegram, body="x" * 101)[:2] == (400, "body.: the body is longer than 100 bytes")
