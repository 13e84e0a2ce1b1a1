"""Onboarding as clients of the MaaS surface see it: what users tell and accept."""

import io
from typing import Any

import pytest
from botocore.session import Session

from kickstand.clients import service as clients
from kickstand.clients.model import OnboardingPolicy
from kickstand.http import surface as http_surface
from kickstand.identity import service as identity
from kickstand.identity.service import Profile
from kickstand.kernel import store
from tests.support.api import Client, Reply, access_token, maas
from tests.support.capacity import measured
from tests.support.carriers import Carriers
from tests.support.city import City

KARI, OLA = "kari", "ola"
NUMBER = "01019000083"
NAME = {"firstName": "Kari", "lastName": "Nordmann"}
ADDRESS = {
    "streetAddress": "Storgata 1",
    "streetAddress2": "Apt 2",
    "streetAddress3": "Building C",
    "postalCode": "0182",
    "city": "Oslo",
    "countryCode": "NO",
}
TELLING = {
    "update_name": NAME,
    "update_gender": {"gender": "female"},
    "update_phone_number": {"phoneNumber": "+4712345678"},
    "update_email": {"email": "kari@mail.example.com"},
    "update_street_address": ADDRESS,
    "update_personal_number": {"personalNumber": NUMBER},
    "accept_privacy_policy": {
        "accepted": True,
        "version": "2026-03-01",
        "legalConsents": [{"key": "news", "accepted": False}, {"key": "improve", "accepted": True}],
    },
    "accept_terms_and_conditions": {"accepted": True},
    "acknowledge_tutorial": {"acknowledged": True},
}
"""Every operation that tells something, with what it tells."""


@pytest.fixture
def city(aws: Session) -> City:
    city = City()
    clients.set_onboarding(city.client.id, OnboardingPolicy(privacy_policy_version="2026-03-01", country="NO"))
    for user in (KARI, OLA):
        identity.ensure_external(city.client, user)
    return city


@pytest.fixture
def api(city: City) -> Client:
    return maas(access_token(city.client.id))


@pytest.fixture(autouse=True)
def carriers(monkeypatch: pytest.MonkeyPatch) -> Carriers:
    return Carriers.hired(monkeypatch)


def tell(api: Client, operation: str, body: object = None, user: str = KARI) -> Reply:
    return api.call(operation, path={"userId": user}, body=body)


def seen(api: Client, user: str = KARI) -> Any:
    reply = tell(api, "get_user_onboarding", user=user)
    assert reply.status == 200
    return reply.json


def error(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["code"]


def test_a_new_user_has_everything_before_them(api: Client) -> None:
    assert seen(api) == {
        "steps": [
            {"name": "name", "state": "pending", "required": True},
            {"name": "phone_number", "state": "pending", "required": True, "verified": False},
            {"name": "email", "state": "pending", "required": True, "verified": False},
            {"name": "privacy_policy", "state": "pending", "required": True},
            {"name": "terms_and_conditions", "state": "pending", "required": True},
            {"name": "gender", "state": "pending", "required": False},
            {"name": "street_address", "state": "pending", "required": False, "verified": False},
            {"name": "personal_number", "state": "pending", "required": False, "verified": False},
            {"name": "tutorial", "state": "pending", "required": False},
        ],
        "pending": ["name", "phone_number", "email", "privacy_policy", "terms_and_conditions"],
        "data": {
            "phoneNumberVerified": False,
            "emailVerified": False,
            "addressVerified": False,
            "personalNumberSubmitted": False,
            "personalNumberVerified": False,
            "legalConsents": [],
            "tutorialAcknowledged": False,
        },
    }


def test_a_user_who_has_told_everything(api: Client) -> None:
    told: Any = None
    for operation, body in TELLING.items():
        reply = tell(api, operation, body)
        assert reply.status == 200, operation
        told = reply.json
    assert seen(api) == told
    assert told["pending"] == ["phone_number"]  # it has to be verified
    assert [each["name"] for each in told["steps"] if each["state"] == "pending"] == ["phone_number"]
    data = told["data"]
    for document in ("privacyPolicy", "termsAndConditions"):
        assert data[document].pop("acceptedAt").endswith("Z")
    assert data == {
        **NAME,
        "gender": "female",
        "phoneNumber": "+4712345678",
        "phoneNumberVerified": False,
        "email": "kari@mail.example.com",
        "emailVerified": False,
        "address": ADDRESS,
        "addressVerified": False,
        "personalNumberSubmitted": True,
        "personalNumberVerified": False,
        "privacyPolicy": {"version": "2026-03-01"},
        "termsAndConditions": {},
        "legalConsents": [{"key": "improve", "accepted": True}, {"key": "news", "accepted": False}],
        "tutorialAcknowledged": True,
    }


def test_the_same_request_again_changes_nothing(api: Client) -> None:
    once = {operation: tell(api, operation, body).json for operation, body in TELLING.items()}
    last = once["acknowledge_tutorial"]
    for operation, body in TELLING.items():
        assert tell(api, operation, body).json == last
    assert seen(api) == last


def test_what_the_other_surface_knows_counts(city: City, api: Client) -> None:
    profile = Profile(first_name="Agatha", last_name="C.", phone_number="+4712345678")
    identity.register(city.client, city.product.public_id, "agatha@mail.example", profile, "agatha")
    told = seen(api, "agatha")
    assert told["data"]["email"] == "agatha@mail.example"
    assert told["pending"] == ["phone_number", "privacy_policy", "terms_and_conditions"]


def test_the_personal_number_is_in_no_answer_and_no_log(
    api: Client, monkeypatch: pytest.MonkeyPatch, carriers: Carriers
) -> None:
    log = io.StringIO()
    (handler,) = http_surface.logger.handlers
    monkeypatch.setattr(handler, "stream", log)
    replies = [tell(api, "update_personal_number", {"personalNumber": NUMBER})]
    replies += [tell(api, "update_personal_number", {"personalNumber": NUMBER + "\x00"})]
    replies += [tell(api, "get_user_onboarding"), tell(api, "verify_personal_number")]
    monkeypatch.setattr("kickstand.onboarding.gateway.encrypt", lambda number, _: int(number + "x"))  # quotes it
    replies += [tell(api, "update_personal_number", {"personalNumber": NUMBER})]
    assert [each.status for each in replies] == [200, 400, 200, 200, 500]
    assert "update_personal_number" in log.getvalue()
    for text in (log.getvalue(), *(each.body.decode() for each in replies)):
        assert NUMBER not in text
        assert "sealed" not in text


def test_a_version_that_is_not_in_force_is_refused(api: Client) -> None:
    reply = tell(api, "accept_privacy_policy", {"accepted": True, "version": "2020-01-01"})
    assert error(reply) == (400, "invalid_request")
    assert "2026-03-01" in reply.json["message"]
    assert "privacyPolicy" not in seen(api)["data"]


def test_nobody_has_more_consents_than_anybody_shows(api: Client) -> None:
    boxes = [{"key": f"box-{number}", "accepted": True} for number in range(51)]
    assert error(tell(api, "accept_privacy_policy", {"accepted": True, "legalConsents": boxes})) == (
        400,
        "invalid_request",
    )


def test_what_has_been_accepted_without_boxes_is_accepted(api: Client) -> None:
    for body in ({"accepted": True}, {"accepted": True, "version": "", "legalConsents": []}):
        told = tell(api, "accept_privacy_policy", body).json
        assert told["data"]["privacyPolicy"]["version"] == "2026-03-01"


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("update_name", {"firstName": "Kari"}),
        ("update_name", {"firstName": "Kari", "lastName": " "}),
        ("update_name", {"firstName": "x" * 256, "lastName": "Nordmann"}),
        ("update_name", {"firstName": "a\u0000b", "lastName": "Nordmann"}),
        ("update_gender", {"gender": "unknown"}),
        ("update_gender", {}),
        ("update_phone_number", {"phoneNumber": "12345678"}),
        ("update_phone_number", {"phoneNumber": "+47 12 34 56 78"}),
        ("update_phone_number", {"phoneNumber": 4712345678}),
        ("update_email", {"email": "kari"}),
        ("update_email", {"email": "Kari <kari@mail.example.com>"}),
        ("update_street_address", ADDRESS | {"countryCode": "XX"}),
        ("update_street_address", ADDRESS | {"postalCode": ""}),
        ("update_street_address", {key: value for key, value in ADDRESS.items() if key != "city"}),
        ("update_personal_number", {"personalNumber": ""}),
        ("update_personal_number", {"personalNumber": "1" * 65}),
        ("accept_privacy_policy", {"accepted": False}),
        ("accept_privacy_policy", {"accepted": "true"}),
        ("accept_privacy_policy", {"accepted": True, "legalConsents": [{"key": "news"}]}),
        ("accept_privacy_policy", {"accepted": True, "legalConsents": [{"key": "", "accepted": True}]}),
        ("accept_privacy_policy", {"accepted": True, "legalConsents": [{"key": "a", "accepted": True}] * 2}),
        ("accept_terms_and_conditions", {"accepted": False}),
        ("accept_terms_and_conditions", {"accepted": True, "version": "x" * 256}),
        ("acknowledge_tutorial", {"acknowledged": False}),
        ("acknowledge_tutorial", {}),
    ],
)
def test_what_cannot_be_told(api: Client, operation: str, body: object) -> None:
    before = seen(api)
    assert error(tell(api, operation, body)) == (400, "invalid_request")
    assert seen(api) == before


def test_an_id_that_cannot_be(api: Client) -> None:
    assert error(tell(api, "get_user_onboarding", user="x" * 256)) == (400, "invalid_request")


@pytest.mark.parametrize("operation", ["get_user_onboarding", *TELLING])
def test_only_the_client_of_a_user_knows_it(city: City, api: Client, operation: str) -> None:
    for each, body in TELLING.items():
        tell(api, each, body)
    before = seen(api)
    stranger = maas(access_token(city.partner("Other")[0].id))
    body = TELLING.get(operation)
    for client, user in ((stranger, KARI), (api, "nobody")):
        assert error(tell(client, operation, body, user)) == (404, "user_not_found")
    assert seen(api) == before


def test_users_of_two_clients_are_two_although_they_are_called_the_same(city: City, api: Client) -> None:
    other, _ = city.partner("Other")
    identity.ensure_external(other, KARI)
    theirs = maas(access_token(other.id))
    before = seen(theirs)
    for operation, body in TELLING.items():
        tell(api, operation, body)
    assert seen(theirs) == before
    assert tell(theirs, "accept_privacy_policy", {"accepted": True, "version": "2020-01-01"}).status == 200
    assert seen(api)["data"]["privacyPolicy"]["version"] == "2026-03-01"


@pytest.mark.parametrize("operation", ["get_user_onboarding", *TELLING])
def test_a_request_on_behalf_of_another_user_is_refused(api: Client, operation: str) -> None:
    before = seen(api)
    reply = tell(api.with_headers(on_behalf_of=OLA), operation, TELLING.get(operation))
    assert error(reply) == (403, "user_mismatch")
    assert seen(api) == before
    for same in (KARI, "support-agent-7"):
        assert tell(api.with_headers(on_behalf_of=same), operation, TELLING.get(operation)).status == 200


def test_round_trips(api: Client) -> None:
    with measured() as usage:
        seen(api)
    assert usage.calls == ["BatchGetItem", "BatchGetItem"]
    for operation, body in TELLING.items():
        with measured() as usage:
            tell(api, operation, body)
        assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"], operation
    store.begin()
