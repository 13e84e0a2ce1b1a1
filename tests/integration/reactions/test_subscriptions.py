"""What riders are told about renewals."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.session import Session
from moto.ses.models import ses_backends

from kickstand.identity import service as identity
from kickstand.identity.service import Contact
from kickstand.kernel import aws as kernel_aws
from kickstand.kernel import clock, store
from kickstand.payments import intents
from kickstand.payments.model import PaymentIntent, PaymentTrigger, Purpose, PurposeKind
from kickstand.payments.rules import moved
from kickstand.sales import periods
from kickstand.sales.model import Subscription
from kickstand.sales.store import SubscriptionItem
from reactions.sales import follow_subscriptions
from tests.support.city import City
from tests.support.streams import batch
from tests.support.subscriptions import activated

MAIL = "kari.nordmann@example.com"


@pytest.fixture
def city(aws: Session) -> Iterator[City]:
    kernel_aws.disconnect()
    ses: Any = aws.create_client("sesv2")
    ses.create_email_identity(EmailIdentity="rides@kickstand.example")
    yield City()
    kernel_aws.disconnect()


@pytest.fixture
def subscription(city: City) -> Subscription:
    rider_id = identity.ensure_external(city.client, "kari").rider_id
    store.begin()
    with store.Transaction() as tx:
        identity.keep_contact(tx, identity.external(city.client, "kari"), Contact(email=MAIL))
    return activated(city, rider_id)


def payment(subscription: Subscription) -> PaymentIntent:
    intent = intents.draft(
        client_id=subscription.client_id,
        rider_id=subscription.rider_id,
        network_id=subscription.network_id,
        purpose=Purpose(kind=PurposeKind.ORDER, id=11),
        amount=29900,
        currency="NOK",
        card="pm_1",
        off_session=True,
    )
    with store.Transaction() as tx:
        intents.create(tx, intent)
    return intent


def told(before: Subscription, after: Subscription, times: int = 1) -> list[Any]:
    """The mails that a change brings, however often its record comes."""
    for _ in range(times):
        records = batch((SubscriptionItem.waiting(before), SubscriptionItem.waiting(after)))
        assert follow_subscriptions(records, None) == {"batchItemFailures": []}
    return list(ses_backends["123456789012"]["eu-north-1"].sent_messages)


def test_a_failed_renewal_is_told_once_with_the_day_of_the_next_attempt(subscription: Subscription) -> None:
    failed = periods.unaffordable(periods.renewing(subscription, 11, clock.now()), clock.now())
    (mail,) = told(subscription, failed, times=3)
    assert mail.destinations == {"ToAddresses": [MAIL]}
    assert mail.subject == "Monthly pass could not be renewed"
    assert "NOK\N{NO-BREAK SPACE}299.00" in mail.body
    assert f"try again on {(clock.now() + periods.RETRIES[0]).day} " in mail.body
    assert "lasts until" in mail.body


def test_the_last_one_says_so(subscription: Subscription) -> None:
    often = subscription.model_copy(update={"attempts": 3})
    (mail,) = told(subscription, periods.unaffordable(often, subscription.valid_until))
    assert "We will not try again" in mail.body
    assert "ended on" in mail.body


def test_the_link_to_the_bank_is_in_the_mail(subscription: Subscription, caplog: pytest.LogCaptureFixture) -> None:
    intent = payment(subscription)
    (mail,) = told(subscription, periods.waiting(subscription, intent.id, clock.now()), times=2)
    assert mail.subject == "Please confirm the renewal of Monthly pass"
    assert f"https://rides.example/checkout/payments/{intent.token}\n" in mail.body
    logged = [vars(each) for each in caplog.records if each.message == "message"]
    assert [each["subscription"] for each in logged] == [subscription.id]
    assert intent.token not in str(logged)


def test_nobody_is_asked_about_what_is_over(subscription: Subscription) -> None:
    intent = payment(subscription)
    store.begin()
    with store.Transaction() as tx:
        intents.record(tx, intent, moved(intent, PaymentTrigger.CANCEL, clock.now()))
    assert told(subscription, periods.waiting(subscription, intent.id, clock.now())) == []


def test_what_riders_know_is_not_told(subscription: Subscription) -> None:
    now = clock.now()
    for after in (
        subscription,
        periods.renewing(subscription, 11, now),
        periods.tried(subscription, 12, now),
        periods.cancelled(subscription, now),
        periods.given_up(subscription, now),
        periods.ended(subscription, now),
    ):
        assert told(subscription, after) == []
    assert follow_subscriptions(batch((SubscriptionItem.waiting(subscription), None)), None) == {
        "batchItemFailures": []
    }
