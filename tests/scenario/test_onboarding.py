"""A user's way to the first ride: everything is told, accepted and proved over HTTP."""

import re
from typing import Any
from uuid import UUID

from kickstand.clients import service as clients
from kickstand.clients.model import OnboardingPolicy, OnboardingStep
from kickstand.kernel import ids, store
from tests.support.carriers import another
from tests.support.http import Answer
from tests.support.maas import MaasClient
from tests.support.town import Town

PHONE, MAIL, NUMBER = "+4712345678", "kari@kickstand.dev", "01019000083"
EVERY_STEP = OnboardingPolicy(
    required=tuple(OnboardingStep),
    optional=(),
    verified=(
        OnboardingStep.PHONE_NUMBER,
        OnboardingStep.EMAIL,
        OnboardingStep.STREET_ADDRESS,
        OnboardingStep.PERSONAL_NUMBER,
    ),
    privacy_policy_version="2026-03-01",
    terms_version="7",
    country="NO",
)


class Onboarding:
    """A client's user on the way."""

    def __init__(self, client: MaasClient, user: str) -> None:
        self.client = client
        self.base = f"/users/{user}"
        assert client.http.call("PUT", self.base).status == 200

    def put(self, step: str, **body: object) -> Any:
        return self.client.http.call("PUT", f"{self.base}/onboarding/{step}", body).document

    def post(self, step: str, **body: object) -> Answer:
        return self.client.http.call("POST", f"{self.base}/onboarding/{step}", body or None)

    @property
    def state(self) -> Any:
        return self.client.http.get(f"{self.base}/onboarding").document


def strict(town: Town, name: str) -> MaasClient:
    """A client that asks for everything."""
    client = town.client(name)
    store.begin()
    clients.set_onboarding(ids.id_of(UUID(client.client_id)), EVERY_STEP)
    return client


def sms(town: Town, to: str) -> list[str]:
    return [each["text"] for each in town.http.get("/_local/outbox").json["sms"] if each["to"] == to]


def code_in(text: str) -> str:
    (code,) = re.findall(r"\b[0-9]{6}\b", text)
    return str(code)


def test_a_user_tells_accepts_and_proves_everything(town: Town) -> None:
    kari = Onboarding(strict(town, "Strict"), "kari")
    assert kari.state["pending"] == [step.value for step in OnboardingStep]

    kari.put("name", firstName="Kari", lastName="Nordmann")
    kari.put("gender", gender="female")
    kari.put("street-address", streetAddress="Storgata 1", postalCode="0182", city="Oslo", countryCode="NO")
    kari.put("personal-number", personalNumber=NUMBER)
    box = {"key": "newsletter", "accepted": False}
    assert kari.post("privacy-policy", accepted=True, version="2020-01-01").refusal == (400, "invalid_request")
    assert kari.post("privacy-policy", accepted=True, version="2026-03-01", legalConsents=[box]).status == 200
    assert kari.post("terms-and-conditions", accepted=True).status == 200
    assert kari.post("tutorial", acknowledged=True).status == 200
    assert kari.state["pending"] == ["phone_number", "email", "street_address", "personal_number"]

    started = kari.post("phone-number/verify/start", phoneNumber=PHONE).document
    (text,) = sms(town, PHONE)
    assert text.endswith("is your code for Strict. It is valid for 10 minutes. Give it to nobody.")
    wrong = kari.post("phone-number/verify", state=started["state"], code=another(code_in(text)))
    assert wrong.refusal == (400, "invalid_verification")
    assert kari.post("phone-number/verify", state=started["state"], code=code_in(text)).status == 200

    started = kari.post("email/verify/start", email=MAIL).document
    (mail,) = town.mails(MAIL)
    assert mail["subject"] == "Your code for Strict"
    assert kari.post("email/verify", state=started["state"], code=code_in(mail["text"])).status == 200
    assert kari.post("street-address/verify").status == 200
    done = kari.post("personal-number/verify").document

    assert done == kari.state
    assert done["pending"] == []
    assert {each["state"] for each in done["steps"]} == {"completed"}
    assert (done["data"]["phoneNumber"], done["data"]["email"]) == (PHONE, MAIL)
    assert NUMBER not in str(done)

    kari.put("phone-number", phoneNumber="+4787654321")
    kari.put("street-address", streetAddress="Storgata 2", postalCode="0182", city="Oslo")
    assert kari.state["pending"] == ["phone_number", "street_address"]


def test_codes_are_short_lived_and_few(town: Town) -> None:
    ola = Onboarding(town.client("Patient"), "ola")
    number = "+4711112222"
    first = ola.post("phone-number/verify/start", phoneNumber=number).document
    assert ola.post("phone-number/verify/start", phoneNumber=number).refusal == (429, "too_many_requests")
    town.passes(seconds=31)
    second = ola.post("phone-number/verify/start", phoneNumber=number).document
    old, new = (code_in(text) for text in sms(town, number))
    assert ola.post("phone-number/verify", state=first["state"], code=old).refusal == (400, "invalid_verification")
    town.passes(seconds=600)
    assert ola.post("phone-number/verify", state=second["state"], code=new).refusal == (400, "invalid_verification")
    third = ola.post("phone-number/verify/start", phoneNumber=number).document
    code = code_in(sms(town, number)[-1])
    for _ in range(5):
        assert ola.post("phone-number/verify", state=third["state"], code=another(code)).status == 400
    assert ola.post("phone-number/verify", state=third["state"], code=code).refusal == (400, "invalid_verification")
    assert "phoneNumber" not in ola.state["data"]


def test_a_user_is_its_clients_alone(town: Town) -> None:
    kari = Onboarding(town.client("Mine"), "kari")
    kari.put("name", firstName="Kari", lastName="Nordmann")
    started = kari.post("email/verify/start", email="secret@kickstand.dev").document
    code = code_in(town.mails("secret@kickstand.dev")[0]["text"])
    other = town.client("Other")
    assert other.http.get("/users/kari/onboarding").refusal == (404, "user_not_found")
    theirs = Onboarding(other, "kari")
    assert "firstName" not in theirs.state["data"]
    refused = theirs.post("email/verify", state=started["state"], code=code)
    assert refused.refusal == (400, "invalid_verification")
    assert kari.post("email/verify", state=started["state"], code=code).document["data"]["emailVerified"]
