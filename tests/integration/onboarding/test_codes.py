"""Codes: sent to where they are wanted, taken once, tried five times at most, whoever tries at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from kickstand.clients import service as clients
from kickstand.clients.model import ApiClient, OnboardingStep
from kickstand.identity import service as identity
from kickstand.identity.errors import RiderNotFound
from kickstand.identity.service import Profile
from kickstand.kernel import clock, store
from kickstand.onboarding import service as onboarding
from kickstand.onboarding import verifications
from kickstand.onboarding.errors import CodeRefused, NotReachable, TooManyCodes
from kickstand.onboarding.model import Channel, Started, User
from kickstand.onboarding.rules import MOST_FAILURES, VALID_FOR
from kickstand.onboarding.store import VerificationItem
from local.server import Tables
from tests.support.capacity import measured
from tests.support.carriers import Carriers, another

KARI = "kari@client"
PHONE, MAIL = "+4712345678", "kari@mail.example"
CHANNELS = [(Channel.PHONE_NUMBER, PHONE), (Channel.EMAIL, MAIL)]


class Watch:
    """The time, in the test's hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = clock.now()
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


@pytest.fixture
def carriers(monkeypatch: pytest.MonkeyPatch) -> Carriers:
    return Carriers.hired(monkeypatch)


@pytest.fixture
def client(engine: Tables, watch: Watch, carriers: Carriers) -> ApiClient:
    store.begin()
    client = clients.register_client("Travelizer", "t@partner.example", [1])
    identity.ensure_external(client, KARI)
    return client


def start(client: ApiClient, channel: Channel = Channel.PHONE_NUMBER, value: str = PHONE, user: str = KARI) -> Started:
    store.begin()
    return verifications.start(client, user, channel, value)


def complete(
    client: ApiClient, state: str, code: str, channel: Channel = Channel.PHONE_NUMBER, user: str = KARI
) -> User:
    store.begin()
    return verifications.complete(client, user, channel, state, code)


def kept(client: ApiClient, channel: Channel = Channel.PHONE_NUMBER) -> VerificationItem:
    store.begin()
    found = store.load(VerificationItem.key(identity.external(client, KARI).rider_id, channel))
    assert found is not None
    return found


@pytest.mark.parametrize(("channel", "value"), CHANNELS)
def test_the_right_code_makes_the_value_the_users(
    client: ApiClient, carriers: Carriers, channel: Channel, value: str
) -> None:
    started = start(client, channel, value)
    assert (started.valid_s, started.length) == (600, 6)
    ((to, text),) = carriers.sent
    assert to == value
    assert "Travelizer" in text
    store.begin()
    assert not onboarding.find(client, KARI).has_proved(OnboardingStep(channel))
    user = complete(client, started.state, f" {carriers.code(value)} ", channel)
    store.begin()
    assert onboarding.find(client, KARI) == user
    assert getattr(user.rider, channel) == value
    assert user.has_proved(OnboardingStep(channel))


def test_neither_code_nor_state_is_kept(client: ApiClient, carriers: Carriers) -> None:
    started = start(client)
    item = str(kept(client).to_dynamodb_dict())
    assert started.state not in item
    assert carriers.code(PHONE) not in item.replace(PHONE, "")


def test_a_code_is_used_once(client: ApiClient, carriers: Carriers, watch: Watch) -> None:
    started, code = start(client), carriers.code(PHONE)
    complete(client, started.state, code)
    with pytest.raises(CodeRefused, match="used"):
        complete(client, started.state, code)
    item = kept(client).entity
    assert (item.value, item.code_digest) == (None, None)


def test_of_many_who_bring_the_code_at_once_one_succeeds(client: ApiClient, carriers: Carriers) -> None:
    started, code = start(client), carriers.code(PHONE)

    def bring(_: int) -> bool:
        while True:
            try:
                complete(client, started.state, code)
            except store.Contention:
                continue
            except CodeRefused:
                return False
            else:
                return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(bring, range(8))) == 1


def test_only_the_latest_code_counts(client: ApiClient, carriers: Carriers, watch: Watch) -> None:
    first, code = start(client), carriers.code(PHONE)
    watch.passes(seconds=30)
    second = start(client)
    with pytest.raises(CodeRefused, match="newer"):
        complete(client, first.state, code)
    complete(client, second.state, carriers.code(PHONE))


def test_a_code_expires(client: ApiClient, carriers: Carriers, watch: Watch) -> None:
    started = start(client)
    watch.passes(seconds=VALID_FOR.total_seconds() - 1)
    with pytest.raises(CodeRefused, match="wrong"):
        complete(client, started.state, another(carriers.code(PHONE)))
    watch.passes(seconds=1)
    with pytest.raises(CodeRefused, match="expired"):
        complete(client, started.state, carriers.code(PHONE))


def test_five_wrong_codes_are_enough(client: ApiClient, carriers: Carriers, watch: Watch) -> None:
    started, code = start(client), carriers.code(PHONE)
    for left in (4, 3, 2, 1, 0):
        with pytest.raises(CodeRefused, match=f"; {left} more"):
            complete(client, started.state, another(code))
    with pytest.raises(CodeRefused, match="Too many"):
        complete(client, started.state, code)
    watch.passes(seconds=30)
    anew = start(client)
    complete(client, anew.state, carriers.code(PHONE))


def test_no_more_codes_can_be_tried_at_once_than_one_after_the_other(client: ApiClient, carriers: Carriers) -> None:
    started, code = start(client), carriers.code(PHONE)

    def guess(_: int) -> str:
        try:
            complete(client, started.state, another(code))
        except (CodeRefused, store.Contention) as error:
            return str(error)
        raise AssertionError("a wrong code is taken")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(guess, range(64)))
    assert kept(client).entity.failures == MOST_FAILURES
    assert sum("is wrong" in each for each in answers) == MOST_FAILURES
    with pytest.raises(CodeRefused, match="Too many"):
        complete(client, started.state, code)


def test_a_code_is_for_one_user_one_channel_and_one_partner(client: ApiClient, carriers: Carriers) -> None:
    other = clients.register_client("Other", "o@partner.example", [1])
    identity.ensure_external(other, KARI)
    identity.ensure_external(client, "ola")
    started, code = start(client), carriers.code(PHONE)
    for who, user, channel in (
        (client, "ola", Channel.PHONE_NUMBER),
        (other, KARI, Channel.PHONE_NUMBER),
        (client, KARI, Channel.EMAIL),
    ):
        with pytest.raises(CodeRefused, match="unknown"):
            complete(who, started.state, code, channel, user)
    with pytest.raises(CodeRefused, match="unknown"):
        complete(client, "another state", code)
    complete(client, started.state, code)


def test_codes_are_sent_now_and_then(client: ApiClient, carriers: Carriers, watch: Watch) -> None:
    start(client)
    watch.passes(seconds=29)
    with pytest.raises(TooManyCodes):
        start(client)
    start(client, Channel.EMAIL, MAIL)  # a channel of its own
    watch.passes(seconds=1)
    for _ in range(4):
        start(client)
        watch.passes(seconds=30)
    with pytest.raises(TooManyCodes, match="hour"):
        start(client)
    watch.passes(hours=1)
    start(client)
    assert len(carriers.sent) == 7


def test_of_many_who_ask_for_a_code_at_once_one_gets_it(client: ApiClient, carriers: Carriers) -> None:
    def ask(_: int) -> bool:
        while True:
            try:
                start(client)
            except store.Contention:
                continue
            except TooManyCodes:
                return False
            else:
                return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 1
    assert len(carriers.sent) == 1


def test_a_code_that_could_not_be_sent_is_asked_for_anew(client: ApiClient, carriers: Carriers, watch: Watch) -> None:
    def fail() -> None:
        raise TimeoutError

    carriers.before_sending = fail
    with pytest.raises(TimeoutError):
        start(client)
    carriers.before_sending = lambda: None
    watch.passes(seconds=30)
    started = start(client)
    complete(client, started.state, carriers.code(PHONE))


def test_what_nobody_can_be_reached_by_is_said(client: ApiClient, carriers: Carriers) -> None:
    def refuse() -> None:
        raise NotReachable

    carriers.before_sending = refuse
    with pytest.raises(NotReachable):
        start(client)


def test_another_value_has_to_be_proved_anew_wherever_it_was_changed(
    client: ApiClient, carriers: Carriers, watch: Watch
) -> None:
    started = start(client)
    rider = complete(client, started.state, carriers.code(PHONE)).rider
    store.begin()
    onboarding.set_phone_number(client, KARI, PHONE)
    store.begin()
    assert onboarding.find(client, KARI).has_proved(OnboardingStep.PHONE_NUMBER)
    store.begin()
    identity.update(client, rider.public_id, Profile(phone_number="+4787654321"))  # as the other surface does
    store.begin()
    assert not onboarding.find(client, KARI).has_proved(OnboardingStep.PHONE_NUMBER)
    store.begin()
    onboarding.set_phone_number(client, KARI, "+4711111111")
    store.begin()
    onboarding.set_phone_number(client, KARI, PHONE)
    store.begin()
    assert not onboarding.find(client, KARI).has_proved(OnboardingStep.PHONE_NUMBER)


def test_whom_the_partner_does_not_know_gets_no_code(client: ApiClient, carriers: Carriers) -> None:
    other = clients.register_client("Other", "o@partner.example", [1])
    for who, user in ((client, "nobody"), (other, KARI)):
        with pytest.raises(RiderNotFound):
            start(who, user=user)
        with pytest.raises(RiderNotFound):
            complete(who, "state", "000000", user=user)
    assert carriers.sent == []


def test_what_is_kept_of_codes_goes_by_itself(client: ApiClient, watch: Watch) -> None:
    start(client)
    assert kept(client).expires_at == int((watch.now + timedelta(hours=1)).timestamp())


def test_what_it_costs(client: ApiClient, carriers: Carriers) -> None:
    with measured() as usage:
        started = start(client)
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    assert (usage.read_units, usage.write_units) == (4, 4)
    with measured() as usage, pytest.raises(CodeRefused):
        complete(client, started.state, another(carriers.code(PHONE)))
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "PutItem"]
    with measured() as usage:
        complete(client, started.state, carriers.code(PHONE))
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    assert (usage.read_units, usage.write_units) == (4, 6)
