"""Verifications as clients of the MaaS surface see them: what users prove, and how it leaves the platform."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.session import Session
from botocore.stub import ANY, Stubber
from moto.ses.models import ses_backends
from moto.sns.models import sns_backends

from kickstand.clients import service as clients
from kickstand.clients.model import OnboardingPolicy, OnboardingStep
from kickstand.identity import service as identity
from kickstand.kernel import aws as kernel_aws
from kickstand.kernel import store
from kickstand.onboarding import gateway
from kickstand.onboarding.store import OnboardingItem
from tests.support.api import Client, Reply, access_token, maas
from tests.support.capacity import measured
from tests.support.carriers import another
from tests.support.city import City

KARI, OLA = "kari", "ola"
PHONE, MAIL = "+4712345678", "kari@mail.example.com"
NUMBER = "01019000083"
ACCOUNT, REGION = "123456789012", "eu-north-1"
STARTING = {"start_verify_phone_number": {"phoneNumber": PHONE}, "start_verify_email": {"email": MAIL}}
COMPLETING = {"verify_phone_number": {"state": "x", "code": "1"}, "verify_email": {"state": "x", "code": "1"}}
CHECKING: dict[str, Any] = {"verify_street_address": None, "verify_personal_number": None}
EVERYTHING = STARTING | COMPLETING | CHECKING
ADDRESS = {"streetAddress": "Storgata 1", "postalCode": "0182", "city": "Oslo"}


@pytest.fixture
def city(aws: Session) -> Iterator[City]:
    kernel_aws.disconnect()
    city = City()
    clients.set_onboarding(
        city.client.id, OnboardingPolicy(country="NO", verified=(OnboardingStep.PHONE_NUMBER, OnboardingStep.EMAIL))
    )
    for user in (KARI, OLA):
        identity.ensure_external(city.client, user)
    ses: Any = aws.create_client("sesv2")
    ses.create_email_identity(EmailIdentity="rides@kickstand.example")
    kms: Any = aws.create_client("kms")
    kms.create_alias(AliasName="alias/personal-data", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    yield city
    kernel_aws.disconnect()


@pytest.fixture
def api(city: City) -> Client:
    return maas(access_token(city.client.id))


def call(api: Client, operation: str, body: object = None, user: str = KARI) -> Reply:
    return api.call(operation, path={"userId": user}, body=body)


def seen(api: Client) -> Any:
    return call(api, "get_user_onboarding").json


def error(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["code"]


def texts() -> list[tuple[str, str]]:
    """Receivers and texts of the SMS that have left."""
    return [(to, text) for to, text, *_ in sns_backends[ACCOUNT][REGION].sms_messages.values()]


def mails() -> list[Any]:
    return list(ses_backends[ACCOUNT][REGION].sent_messages)


def test_a_phone_number_is_verified_by_a_code(api: Client) -> None:
    call(api, "update_phone_number", {"phoneNumber": "+4787654321"})
    started = call(api, "start_verify_phone_number", {"phoneNumber": PHONE}).json
    assert started == {"state": started["state"], "ttl": 600, "length": 6}
    ((to, text),) = texts()
    assert to == PHONE
    code, _, rest = text.partition(" ")
    assert len(code) == 6
    assert rest == "is your code for Travelizer. It is valid for 10 minutes. Give it to nobody."
    assert seen(api)["data"]["phoneNumber"] == "+4787654321"  # nothing is proved yet
    told = call(api, "verify_phone_number", {"state": started["state"], "code": code}).json
    assert (told["data"]["phoneNumber"], told["data"]["phoneNumberVerified"]) == (PHONE, True)
    assert "phone_number" not in told["pending"]
    assert seen(api) == told
    assert error(call(api, "verify_phone_number", {"state": started["state"], "code": code})) == (
        400,
        "invalid_verification",
    )
    told = call(api, "update_phone_number", {"phoneNumber": "+4787654321"}).json
    assert "phone_number" in told["pending"]


def test_an_address_for_mails_is_verified_by_a_code(api: Client) -> None:
    started = call(api, "start_verify_email", {"email": MAIL}).json
    (mail,) = mails()
    assert mail.destinations == {"ToAddresses": [MAIL]}
    assert (mail.source, mail.subject) == ("rides@kickstand.example", "Your code for Travelizer")
    code = mail.body[:6]
    reply = call(api, "verify_email", {"state": started["state"], "code": another(code)})
    assert error(reply) == (400, "invalid_verification")
    assert "4 more" in reply.json["message"]
    told = call(api, "verify_email", {"state": started["state"], "code": code}).json
    assert (told["data"]["email"], told["data"]["emailVerified"]) == (MAIL, True)


@pytest.mark.parametrize("entered", ["", " ", "12345", "1234567", "abcdef", "\u0661\u0662\u0663\u0664\u0665\u0666"])
def test_what_cannot_be_a_code_is_no_attempt(api: Client, entered: str) -> None:
    started = call(api, "start_verify_email", {"email": MAIL}).json
    code = mails()[0].body[:6]
    for _ in range(6):
        reply = call(api, "verify_email", {"state": started["state"], "code": entered})
        assert error(reply) == (400, "invalid_verification")
    assert call(api, "verify_email", {"state": started["state"], "code": f" {code[:3]}-{code[3:]} "}).status == 200


def test_who_asks_too_often_has_to_wait(api: Client) -> None:
    call(api, "start_verify_phone_number", {"phoneNumber": PHONE})
    reply = call(api, "start_verify_phone_number", {"phoneNumber": PHONE})
    assert error(reply) == (429, "too_many_requests")
    assert "30 seconds" in reply.json["message"]
    call(api, "start_verify_email", {"email": MAIL})
    assert error(call(api, "start_verify_email", {"email": MAIL})) == (429, "too_many_requests")
    assert (len(texts()), len(mails())) == (1, 1)


def test_domains_in_other_scripts_are_written_to_in_punycode(api: Client) -> None:
    call(api, "start_verify_email", {"email": "kari@bl\u00e5b\u00e6r.no"})
    call(api, "start_verify_email", {"email": "kari@fa\u00df.de"}, OLA)  # not fass.de, which is somebody else's
    assert [each.destinations["ToAddresses"] for each in mails()] == [["kari@xn--blbr-roah.no"], ["kari@xn--fa-hia.de"]]


def test_addresses_that_no_mail_reaches_are_refused(api: Client) -> None:
    reply = call(api, "start_verify_email", {"email": "k\u00e5re@mail.example.com"})
    assert error(reply) == (400, "invalid_request")
    assert "@" in reply.json["message"]
    assert mails() == []


@pytest.mark.parametrize(
    ("service", "method", "code", "operation"),
    [
        ("sns", "publish", "InvalidParameter", "start_verify_phone_number"),
        ("sns", "publish", "OptedOut", "start_verify_phone_number"),
        ("sesv2", "send_email", "MessageRejected", "start_verify_email"),
    ],
)
def test_what_the_carrier_refuses_for_good_is_said(
    api: Client, service: str, method: str, code: str, operation: str
) -> None:
    with Stubber(kernel_aws.client(service)) as stub:
        stub.add_client_error(method, code, f"refused for {PHONE} {MAIL}")
        reply = call(api, operation, STARTING[operation])
    assert error(reply) == (400, "invalid_request")
    assert PHONE not in reply.body.decode()
    assert MAIL not in reply.body.decode()


@pytest.mark.parametrize(
    ("service", "method", "operation"),
    [("sns", "publish", "start_verify_phone_number"), ("sesv2", "send_email", "start_verify_email")],
)
def test_a_carrier_that_fails_may_be_asked_again(
    api: Client, monkeypatch: pytest.MonkeyPatch, service: str, method: str, operation: str
) -> None:
    log = io.StringIO()
    (handler,) = gateway.logger.handlers
    monkeypatch.setattr(handler, "stream", log)
    with Stubber(kernel_aws.client(service)) as stub:
        stub.add_client_error(method, "InternalFailure", f"no way to {PHONE} {MAIL}")
        reply = call(api, operation, STARTING[operation])
    assert error(reply) == (503, "code_not_sent")
    assert '"error":"InternalFailure"' in log.getvalue()
    for text in (log.getvalue(), reply.body.decode()):
        assert PHONE not in text
        assert MAIL not in text


def test_sms_are_sent_as_what_they_are(city: City) -> None:
    with Stubber(kernel_aws.client("sns")) as stub:
        kind = {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"}}
        stub.add_response(
            "publish", {"MessageId": "1"}, {"PhoneNumber": PHONE, "Message": ANY, "MessageAttributes": kind}
        )
        gateway.send_sms(PHONE, "Hello")
        stub.assert_no_pending_responses()


def test_an_address_is_verified(api: Client) -> None:
    assert error(call(api, "verify_street_address")) == (409, "verification_required")
    call(api, "update_street_address", ADDRESS | {"postalCode": "not one"})
    reply = call(api, "verify_street_address")
    assert error(reply) == (400, "invalid_verification")
    assert "not one" not in reply.json["message"]
    call(api, "update_street_address", ADDRESS)
    told = call(api, "verify_street_address").json
    assert told["data"]["addressVerified"]
    assert call(api, "verify_street_address").json == told
    assert not call(api, "update_street_address", ADDRESS | {"city": "Bergen"}).json["data"]["addressVerified"]


def test_a_personal_number_is_verified_without_ever_being_shown(city: City, api: Client) -> None:
    assert error(call(api, "verify_personal_number")) == (409, "verification_required")
    call(api, "update_personal_number", {"personalNumber": "01019000084"})
    assert error(call(api, "verify_personal_number")) == (400, "invalid_verification")
    call(api, "update_personal_number", {"personalNumber": NUMBER})
    reply = call(api, "verify_personal_number")
    assert reply.json["data"]["personalNumberVerified"]
    assert NUMBER not in reply.body.decode()
    store.begin()
    rider = identity.external(city.client, KARI).rider_id
    kept = OnboardingItem.get(f"RIDER#{rider}", "ONBOARDING").entity.personal_number
    assert kept is not None
    assert gateway.decrypt(kept, rider) == NUMBER
    other = identity.external(city.client, OLA).rider_id
    with pytest.raises(Exception, match="Ciphertext"):
        gateway.decrypt(kept, other)  # nobody makes it somebody else's


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("start_verify_phone_number", {}),
        ("start_verify_phone_number", {"phoneNumber": "12345678"}),
        ("start_verify_email", {"email": "kari"}),
        ("start_verify_email", {"email": None}),
        ("verify_phone_number", {"state": "x"}),
        ("verify_phone_number", {"state": "x", "code": 123456}),
        ("verify_email", {"code": "123456"}),
        ("verify_email", {"state": "x" * 256, "code": "123456"}),
    ],
)
def test_what_cannot_be_asked(api: Client, operation: str, body: object) -> None:
    assert error(call(api, operation, body)) == (400, "invalid_request")


@pytest.mark.parametrize("operation", COMPLETING)
def test_a_state_that_nobody_was_given(api: Client, operation: str) -> None:
    for code in ("000000", "", "x" * 255, "\N{BICYCLE}"):
        reply = call(api, operation, {"state": "made up", "code": code})
        assert error(reply) == (400, "invalid_verification")


@pytest.mark.parametrize("operation", EVERYTHING)
def test_only_the_client_of_a_user_verifies_anything(city: City, api: Client, operation: str) -> None:
    call(api, "update_street_address", ADDRESS)
    stranger = maas(access_token(city.partner("Other")[0].id))
    for client, user in ((stranger, KARI), (api, "nobody")):
        assert error(call(client, operation, EVERYTHING[operation], user)) == (404, "user_not_found")
    assert error(call(api, operation, EVERYTHING[operation], "x" * 256)) == (400, "invalid_request")
    assert (texts(), mails()) == ([], [])


def test_a_code_of_one_client_is_worth_nothing_to_another(city: City, api: Client) -> None:
    other, _ = city.partner("Other")
    identity.ensure_external(other, KARI)
    started = call(api, "start_verify_phone_number", {"phoneNumber": PHONE}).json
    ((_, text),) = texts()
    body = {"state": started["state"], "code": text[:6]}
    theirs = maas(access_token(other.id))
    assert error(call(theirs, "verify_phone_number", body)) == (400, "invalid_verification")
    assert error(call(api, "verify_phone_number", body, OLA)) == (400, "invalid_verification")
    assert call(api, "verify_phone_number", body).status == 200


@pytest.mark.parametrize("operation", EVERYTHING)
def test_a_request_on_behalf_of_another_user_is_refused(api: Client, operation: str) -> None:
    reply = call(api.with_headers(on_behalf_of=OLA), operation, EVERYTHING[operation])
    assert error(reply) == (403, "user_mismatch")
    assert (texts(), mails()) == ([], [])


def test_round_trips(api: Client) -> None:
    with measured() as usage:
        started = call(api, "start_verify_phone_number", {"phoneNumber": PHONE}).json
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    ((_, text),) = texts()
    with measured() as usage:
        call(api, "verify_phone_number", {"state": started["state"], "code": text[:6]})
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    call(api, "update_street_address", ADDRESS)
    with measured() as usage:
        call(api, "verify_street_address")
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
