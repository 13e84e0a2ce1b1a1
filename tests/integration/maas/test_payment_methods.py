"""Payment methods as clients of the MaaS surface see them."""

import pytest
from botocore.session import Session

from kickstand.identity import service as identity
from kickstand.kernel.store import Contention
from kickstand.payments import service
from kickstand.payments.provider import ProviderRefusal
from kickstand.payments.stripe_gateway import Stripe
from local.payments import KEYS
from tests.support import provider as cards
from tests.support.api import Client, Reply, access_token, maas
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.provider import LocalProvider

KARI, OLA = "kari", "ola"
PATHS = {"successPath": "https://app.example/saved", "cancelPath": "ridesapp://cards/cancelled"}


@pytest.fixture
def city(aws: Session) -> City:
    city = City()
    for user in (KARI, OLA):
        identity.ensure_external(city.client, user)
    return city


@pytest.fixture
def api(city: City, provider: LocalProvider) -> Client:
    return maas(access_token(city.client.id))


def begin(api: Client, operation: str = "add_payment_method", user: str = KARI, **paths: str) -> Reply:
    return api.call(operation, body={"userId": user, "paths": PATHS | paths}, headers={"locale": "nb"})


def listed(api: Client, user: str = KARI) -> Reply:
    return api.call("get_payment_methods", query={"userId": user})


def remove(api: Client, user: str = KARI) -> Reply:
    return api.call("remove_payment_method", query={"userId": user})


def error(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["code"]


def refuse(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def refused(*_: object, **__: object) -> None:
        raise ProviderRefusal("account_invalid")

    monkeypatch.setattr(Stripe, method, refused)


def test_a_card_is_saved(api: Client, provider: LocalProvider) -> None:
    assert listed(api).json == {"methods": []}
    reply = begin(api)
    assert reply.status == 200
    setup = reply.json
    assert setup["webUrl"] == setup["url"] == f"https://rides.example/checkout/cards/{setup['setupToken']}"
    assert setup["provider"] == "stripe"
    assert setup["publishableKey"] == KEYS["publishable_key"]
    assert setup["clientSecret"].startswith(setup["sessionId"])
    assert listed(api).json == {"methods": []}
    provider.confirm(setup["clientSecret"])
    (method,) = listed(api).json["methods"]
    assert {name: method[name] for name in method.keys() - {"id"}} == {
        "type": "card",
        "brand": "visa",
        "last4": "4242",
        "expiryMonth": 12,
        "expiryYear": 2034,
        "isDefault": True,
    }
    assert listed(api).json == {"methods": [method]}


def test_a_card_that_wants_a_proof_is_saved_after_it(api: Client, provider: LocalProvider) -> None:
    secret = begin(api).json["clientSecret"]
    provider.confirm(secret, cards.PROVED_ALWAYS)
    assert listed(api).json["methods"] == []
    provider.authenticate(secret)
    assert [each["last4"] for each in listed(api).json["methods"]] == ["3184"]


def test_a_saved_card_is_replaced_and_not_added_to(api: Client, provider: LocalProvider) -> None:
    provider.confirm(begin(api).json["clientSecret"])
    assert error(begin(api)) == (409, "payment_method_exists")
    (old,) = listed(api).json["methods"]
    secret = begin(api, "replace_payment_method").json["clientSecret"]
    assert listed(api).json["methods"] == [old]
    provider.confirm(secret, cards.DECLINED_ON_CHARGE)
    (new,) = listed(api).json["methods"]
    assert (new["last4"], new["isDefault"]) == ("0341", True)
    with pytest.raises(ProviderRefusal):
        service.provider().card(old["id"])


def test_the_first_card_can_be_saved_by_replacing(api: Client, provider: LocalProvider) -> None:
    provider.confirm(begin(api, "replace_payment_method").json["clientSecret"])
    assert len(listed(api).json["methods"]) == 1


def test_beginning_again_gives_up_what_was_begun(api: Client, provider: LocalProvider) -> None:
    first, second = begin(api).json, begin(api).json
    assert first["setupToken"] != second["setupToken"]
    with pytest.raises(cards.BrowserRefused):
        provider.confirm(first["clientSecret"])
    provider.confirm(second["clientSecret"])
    assert len(listed(api).json["methods"]) == 1


def test_cards_are_removed(api: Client, provider: LocalProvider) -> None:
    provider.confirm(begin(api).json["clientSecret"])
    (method,) = listed(api).json["methods"]
    pending = begin(api, "replace_payment_method").json
    reply = remove(api)
    assert (reply.status, reply.json) == (200, {})
    assert listed(api).json == {"methods": []}
    with pytest.raises(ProviderRefusal):
        service.provider().card(method["id"])
    with pytest.raises(cards.BrowserRefused):
        provider.confirm(pending["clientSecret"])
    assert error(remove(api)) == (404, "payment_method_not_found")


@pytest.mark.parametrize(
    "path",
    [
        "https://app.example/saved?order=1#done",
        "https://app.example:8443/",
        "com.example.rides://cards",
        "ridesapp:saved",
        "http://127.0.0.1:8080/saved",
        "http://[::1]/saved",
    ],
)
def test_browsers_go_back_to_pages_and_apps(api: Client, path: str) -> None:
    assert begin(api, successPath=path).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/saved",
        "//app.example/saved",
        "https:///saved",
        "http://app.example/saved",
        "https://user:secret@app.example/",
        "https://app.example/a b",
        "https://app.example/\n",
        "https://app.example\\@evil.example/",
        "javascript:alert(1)",
        "JavaScript://app.example/%0aalert(1)",
        "data:text/html,hello",
        "file:///etc/passwd",
        "intent://scan/#Intent;end",
        "vbscript:msgbox",
        "1app://saved",
        "https://app.example/" + "a" * 2_000,
        "https://[::1",
    ],
)
def test_browsers_go_back_to_nothing_else(api: Client, path: str) -> None:
    assert error(begin(api, successPath=path)) == (400, "invalid_request")
    assert error(begin(api, cancelPath=path)) == (400, "invalid_request")


@pytest.mark.parametrize("operation", ["add_payment_method", "replace_payment_method"])
def test_what_a_setup_needs(api: Client, operation: str) -> None:
    headers = {"locale": "nb"}
    assert error(api.call(operation, body={"userId": KARI, "paths": PATHS})) == (400, "invalid_request")
    assert error(api.call(operation, body={"userId": KARI}, headers=headers)) == (400, "invalid_request")
    assert error(begin(api, operation, "nobody")) == (404, "user_not_found")
    assert error(begin(api.with_headers(on_behalf_of=OLA), operation)) == (403, "user_mismatch")


@pytest.mark.parametrize("operation", ["get_payment_methods", "remove_payment_method"])
def test_whose_methods(api: Client, operation: str) -> None:
    assert error(api.call(operation)) == (400, "invalid_request")
    assert error(api.call(operation, query={"userId": "nobody"})) == (404, "user_not_found")
    for_ola = api.with_headers(on_behalf_of=OLA)
    assert error(for_ola.call(operation, query={"userId": KARI})) == (403, "user_mismatch")


def test_users_of_other_clients_have_cards_of_their_own(city: City, api: Client, provider: LocalProvider) -> None:
    other_client, _ = city.partner("Roamers")
    other = maas(access_token(other_client.id))
    identity.ensure_external(other_client, KARI)
    provider.confirm(begin(api).json["clientSecret"])
    assert listed(other).json == {"methods": []}
    assert error(remove(other)) == (404, "payment_method_not_found")
    assert len(listed(api).json["methods"]) == 1


def test_the_provider_does_not_answer(api: Client, provider: LocalProvider) -> None:
    unavailable = (503, "payment_provider_unavailable")
    for operation in ("add_payment_method", "replace_payment_method"):
        provider.fail_next()
        assert error(begin(api, operation)) == unavailable
    secret = begin(api).json["clientSecret"]
    provider.fail_next()
    assert error(listed(api)) == unavailable
    provider.confirm(secret)
    assert len(listed(api).json["methods"]) == 1
    provider.fail_next()
    assert error(remove(api)) == unavailable
    assert listed(api).json == {"methods": []}
    assert remove(api).status == 200


def test_the_provider_refuses(api: Client, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    provider.confirm(begin(api).json["clientSecret"])
    assert len(listed(api).json["methods"]) == 1
    with monkeypatch.context() as patch:
        refuse(patch, "create_setup")
        assert error(begin(api, "replace_payment_method")) == (400, "ERR_PAYMENT_ERROR")
    with monkeypatch.context() as patch:
        refuse(patch, "detach")
        assert error(remove(api)) == (400, "ERR_PAYMENT_ERROR")
    with monkeypatch.context() as patch:
        refuse(patch, "create_setup")
        assert error(begin(api)) == (400, "ERR_PAYMENT_ERROR")


def test_somebody_else_is_always_faster(api: Client, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    again = (503, "try_again")

    def lose(*_: object) -> None:
        raise Contention

    with monkeypatch.context() as patch:
        patch.setattr(service, "change", lose)
        assert error(begin(api)) == again
        assert error(begin(api, "replace_payment_method")) == again
    provider.confirm(begin(api).json["clientSecret"])
    with monkeypatch.context() as patch:
        patch.setattr(service, "keep", lose)
        assert error(listed(api)) == again
        assert error(remove(api)) == again


def test_what_it_asks_of_the_database(api: Client, provider: LocalProvider) -> None:
    kept = ["BatchGetItem", "BatchGetItem"]
    with measured() as usage:
        listed(api)
    assert usage.calls == kept
    with measured() as usage:
        secret = begin(api).json["clientSecret"]
    customer, setup, ref = "PutItem", "TransactWriteItems", "PutItem"
    assert usage.calls == [*kept, customer, setup, ref]
    provider.confirm(secret)
    with measured() as usage:
        listed(api)
    assert usage.calls == [*kept, "PutItem"]
    with measured() as usage:
        remove(api)
    assert usage.calls == [*kept, "PutItem", "BatchGetItem", "PutItem"]
