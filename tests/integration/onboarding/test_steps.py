"""What users tell and accept: kept once, by whoever asks first, and never for somebody else's user."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from kickstand.clients import service as clients
from kickstand.clients.model import ApiClient, OnboardingPolicy, OnboardingStep
from kickstand.clients.store import ClientItem
from kickstand.identity import service as identity
from kickstand.identity.errors import RiderNotFound
from kickstand.identity.store import IdentityItem, RiderItem
from kickstand.kernel import clock, store
from kickstand.onboarding import service as onboarding
from kickstand.onboarding.errors import NothingToVerify, NotVerifiable, VersionNotCurrent
from kickstand.onboarding.model import Address, Gender, Onboarding
from kickstand.onboarding.store import OnboardingItem
from local.server import Tables
from tests.support.capacity import measured
from tests.support.carriers import Carriers

KARI = "kari@client"
ADDRESS = Address(street_address="Storgata 1", postal_code="0182", city="Oslo", country="NO")
NUMBER = "01019000083"


@pytest.fixture
def client(engine: Tables) -> ApiClient:
    return partner(country="NO", privacy_policy_version="2026-03-01")


@pytest.fixture(autouse=True)
def carriers(monkeypatch: pytest.MonkeyPatch) -> Carriers:
    return Carriers.hired(monkeypatch)


def partner(**policy: Any) -> ApiClient:
    store.begin()
    client = clients.register_client("Travelizer", "t@partner.example", [1])
    clients.set_onboarding(client.id, OnboardingPolicy(**policy))
    identity.ensure_external(client, KARI)
    store.begin()
    return clients.find(client.id)


def seen(client: ApiClient) -> Onboarding:
    store.begin()
    return onboarding.find(client, KARI).onboarding


def rider_id(client: ApiClient) -> int:
    store.begin()
    return identity.external(client, KARI).rider_id


def beside(rider: int) -> list[str]:
    items: Iterable[Any] = IdentityItem.query(f"RIDER#{rider}")
    return [item.sk for item in items]


def test_what_is_told_is_kept_in_one_item_beside_the_rider(client: ApiClient) -> None:
    onboarding.set_name(client, KARI, "Kari", "Nordmann")
    onboarding.set_gender(client, KARI, Gender.FEMALE)
    onboarding.set_phone_number(client, KARI, "+4712345678")
    onboarding.set_email(client, KARI, "kari@mail.example")
    onboarding.set_address(client, KARI, ADDRESS)
    onboarding.set_personal_number(client, KARI, NUMBER)
    told = onboarding.acknowledge_tutorial(client, KARI)
    store.begin()
    assert onboarding.find(client, KARI) == told
    rider = identity.find_by_id(rider_id(client))
    assert (rider.first_name, rider.last_name, rider.phone_number) == ("Kari", "Nordmann", "+4712345678")
    assert rider.email == "kari@mail.example"
    assert beside(rider.id) == ["ONBOARDING", "RIDER"]


def test_what_is_so_already_is_not_written_again(client: ApiClient) -> None:
    def say_everything() -> None:
        onboarding.set_name(client, KARI, "Kari", "Nordmann")
        onboarding.set_gender(client, KARI, Gender.FEMALE)
        onboarding.set_phone_number(client, KARI, "+4712345678")
        onboarding.set_email(client, KARI, "kari@mail.example")
        onboarding.set_address(client, KARI, ADDRESS)
        onboarding.verify_address(client, KARI)
        onboarding.accept_privacy_policy(client, KARI, "2026-03-01", {"news": False})
        onboarding.accept_terms(client, KARI, None)
        onboarding.acknowledge_tutorial(client, KARI)

    say_everything()
    before = seen(client)
    store.begin()
    with measured() as usage:
        say_everything()
    assert set(usage.calls) == {"BatchGetItem"}
    assert seen(client) == before


def test_another_address_or_personal_number_has_to_be_verified_anew(client: ApiClient) -> None:
    onboarding.set_address(client, KARI, ADDRESS)
    onboarding.verify_address(client, KARI)
    onboarding.set_personal_number(client, KARI, NUMBER)
    told = onboarding.verify_personal_number(client, KARI).onboarding
    assert None not in (told.address_verified_at, told.personal_number_verified_at)
    onboarding.set_address(client, KARI, ADDRESS.model_copy(update={"city": "Bergen"}))
    onboarding.set_personal_number(client, KARI, NUMBER)
    told = seen(client)
    assert (told.address_verified_at, told.personal_number_verified_at) == (None, None)


def test_a_personal_number_is_kept_sealed_and_read_by_its_verification_only(
    client: ApiClient, carriers: Carriers
) -> None:
    told = onboarding.set_personal_number(client, KARI, NUMBER).onboarding
    assert carriers.sealed == [(NUMBER, rider_id(client))]
    assert NUMBER not in repr(told)
    assert str(told.personal_number) not in repr(told)
    assert NUMBER not in str(OnboardingItem.get(f"RIDER#{rider_id(client)}", "ONBOARDING").to_dynamodb_dict())
    onboarding.find(client, KARI)
    assert carriers.opened == 0
    for _ in range(2):
        onboarding.verify_personal_number(client, KARI)
    assert carriers.opened == 1  # what is verified is not read again


def test_a_refused_verification_quotes_nothing(client: ApiClient) -> None:
    onboarding.set_personal_number(client, KARI, "01019000084")
    with pytest.raises(NotVerifiable) as refusal:
        onboarding.verify_personal_number(client, KARI)
    assert "01019000084" not in str(refusal.value)
    assert seen(client).personal_number_verified_at is None


def test_there_must_be_something_to_verify(client: ApiClient) -> None:
    for verify in (onboarding.verify_address, onboarding.verify_personal_number):
        with pytest.raises(NothingToVerify):
            verify(client, KARI)


def test_without_a_country_nothing_is_verified() -> None:
    nowhere = partner()
    nowhere_address = ADDRESS.model_copy(update={"country": None})
    onboarding.set_address(nowhere, KARI, nowhere_address)
    onboarding.set_personal_number(nowhere, KARI, NUMBER)
    for verify in (onboarding.verify_address, onboarding.verify_personal_number):
        with pytest.raises(NotVerifiable, match="country"):
            verify(nowhere, KARI)
    onboarding.set_address(nowhere, KARI, ADDRESS)
    assert onboarding.verify_personal_number(nowhere, KARI).onboarding.personal_number_verified_at is not None


def test_an_adapter_takes_the_place_of_the_form(client: ApiClient) -> None:
    class Register:
        def __init__(self) -> None:
            self.asked: list[tuple[object, str]] = []

        def objection(self, subject: object, country: str) -> str | None:
            self.asked.append((subject, country))
            return None if len(self.asked) > 1 else "Nobody lives there"

    register = Register()
    onboarding.set_address(client, KARI, ADDRESS.model_copy(update={"postal_code": "anything"}))
    with pytest.raises(NotVerifiable, match="Nobody lives there"):
        onboarding.verify_address(client, KARI, register)
    assert onboarding.verify_address(client, KARI, register).onboarding.address_verified_at is not None
    onboarding.set_personal_number(client, KARI, "anything")
    onboarding.verify_personal_number(client, KARI, register)
    assert register.asked[-1] == ("anything", "NO")


def test_an_address_that_changes_while_it_is_verified_is_looked_at_again(client: ApiClient) -> None:
    moved = ADDRESS.model_copy(update={"city": "Bergen"})

    class Slow:
        asked: list[str] = []  # noqa: RUF012 - one test's

        def objection(self, address: Address, _country: str) -> str | None:
            self.asked.append(address.city)
            if len(self.asked) == 1:
                onboarding.set_address(client, KARI, moved)
            return None

    onboarding.set_address(client, KARI, ADDRESS)
    told = onboarding.verify_address(client, KARI, Slow())
    assert Slow.asked == ["Oslo", "Bergen"]
    assert told.onboarding.address == moved


def test_everything_that_was_ever_accepted_is_kept(client: ApiClient) -> None:
    onboarding.accept_privacy_policy(client, KARI, None, {"news": True, "profiling": False})
    onboarding.accept_privacy_policy(client, KARI, "2026-03-01", {"news": False})
    onboarding.accept_terms(client, KARI, "7")
    clients.set_onboarding(client.id, OnboardingPolicy(privacy_policy_version="2027-01-01"))
    store.begin()
    client = clients.find(client.id)
    with pytest.raises(VersionNotCurrent):
        onboarding.accept_privacy_policy(client, KARI, "2026-03-01", {})
    (pending,) = [
        each
        for each in onboarding.steps(client, onboarding.find(client, KARI))
        if each.step is OnboardingStep.PRIVACY_POLICY
    ]
    assert not pending.completed
    told = onboarding.accept_privacy_policy(client, KARI, None, {}).onboarding
    assert told.consents == {"news": False, "profiling": False}
    kept = onboarding.acceptances(client, KARI)
    assert [(each.document.value, each.version, each.consents) for each in kept] == [
        ("privacy_policy", "2026-03-01", {"news": True, "profiling": False}),
        ("privacy_policy", "2026-03-01", {"news": False, "profiling": False}),
        ("terms_and_conditions", "7", {}),
        ("privacy_policy", "2027-01-01", {"news": False, "profiling": False}),
    ]
    assert told.privacy_policy == kept[-1]
    assert all(timedelta() <= clock.now() - each.at < timedelta(minutes=1) for each in kept)


def test_no_consent_is_lost_among_many_that_come_at_once(client: ApiClient) -> None:
    def consent(number: int) -> None:
        store.begin()
        while True:
            try:
                onboarding.accept_privacy_policy(client, KARI, None, {f"box-{number}": True})
            except store.Contention:
                store.forget()
            else:
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(consent, range(8)))
    assert seen(client).consents == {f"box-{number}": True for number in range(8)}
    assert len(onboarding.acceptances(client, KARI)) == 8


def test_whom_the_partner_does_not_know_tells_nothing(client: ApiClient) -> None:
    store.begin()
    other = clients.register_client("Other", "o@partner.example", [1])
    for stranger, name in ((client, "nobody"), (other, KARI)):
        for say in (
            onboarding.find,
            lambda who, user: onboarding.set_name(who, user, "Kari", "Nordmann"),
            lambda who, user: onboarding.set_personal_number(who, user, NUMBER),
            lambda who, user: onboarding.accept_terms(who, user, None),
            onboarding.acceptances,
            onboarding.verify_address,
        ):
            with pytest.raises(RiderNotFound):
                say(stranger, name)


def test_users_of_two_partners_are_two_although_they_are_called_the_same(client: ApiClient) -> None:
    other = partner()
    onboarding.set_name(client, KARI, "Kari", "Nordmann")
    onboarding.set_gender(client, KARI, Gender.FEMALE)
    store.begin()
    theirs = onboarding.find(other, KARI)
    assert (theirs.rider.first_name, theirs.onboarding.gender) == (None, None)


def test_nothing_is_kept_for_a_rider_who_goes_at_this_moment(client: ApiClient) -> None:
    gone = rider_id(client)

    class Slow:
        def objection(self, _address: Address, _country: str) -> str | None:
            RiderItem(f"RIDER#{gone}", "RIDER").delete()
            return None

    onboarding.set_address(client, KARI, ADDRESS)
    with pytest.raises(RiderNotFound):
        onboarding.verify_address(client, KARI, Slow())
    OnboardingItem(f"RIDER#{gone}", "ONBOARDING").delete()
    store.begin()
    with pytest.raises(RiderNotFound):
        onboarding.set_gender(client, KARI, Gender.OTHER)
    assert beside(gone) == []


def test_partners_kept_before_there_was_onboarding_ask_for_the_usual(client: ApiClient) -> None:
    ClientItem(f"CLIENT#{client.id}", "CLIENT").update([ClientItem.onboarding.remove()])
    store.begin()
    assert clients.find(client.id).onboarding == OnboardingPolicy()


def test_what_it_costs(client: ApiClient) -> None:
    store.begin()
    with measured() as usage:
        onboarding.set_name(client, KARI, "Kari", "Nordmann")
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    assert (usage.read_units, usage.write_units) == (3, 2)
    store.begin()
    with measured() as usage:
        onboarding.set_gender(client, KARI, Gender.FEMALE)
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    assert (usage.read_units, usage.write_units) == (3, 4)
    store.begin()
    with measured() as usage:
        onboarding.accept_terms(client, KARI, None)
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    assert (usage.read_units, usage.write_units) == (3, 6)
    store.begin()
    with measured() as usage:
        onboarding.find(client, KARI)
    assert usage.calls == ["BatchGetItem", "BatchGetItem"]
