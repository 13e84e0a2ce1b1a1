"""One environment for all tests: the names the template gives, and no way to a real account."""

import os
from collections.abc import Iterator
from functools import cache

import botocore.session
import pytest
from botocore.session import Session
from moto import mock_aws

from kickstand.kernel import aws as aws_clients
from kickstand.kernel import items
from local.server import Tables
from local.testing import running_tables
from tests.support import quick_moto, tables
from tests.support.provider import provider, provider_place

__all__ = ["aws", "engine", "provider", "provider_place"]

_TABLES = (
    "CLIENTS",
    "IDENTITY",
    "FLEET",
    "GEO",
    "PRICING",
    "RENTAL",
    "BILLING",
    "MESSAGING",
    "INSIGHTS",
    "SUPPORT",
    "WEBHOOKS",
    "LEDGER",
    "PAYMENTS",
    "SALES",
)

os.environ.update(
    {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_REGION": "eu-north-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "STAGE": "test",
        "POWERTOOLS_SERVICE_NAME": "kickstand",
        "POWERTOOLS_METRICS_NAMESPACE": "Kickstand",
        "DOCUMENTS_BUCKET": "documents",
        "EVENT_BUS": "events",
        "RESERVATION_WORKFLOW_ARN": "arn:aws:states:eu-north-1:123456789012:stateMachine:reservation",
        "RENTAL_WORKFLOW_ARN": "arn:aws:states:eu-north-1:123456789012:stateMachine:rental",
        "WEBHOOK_WORKFLOW_ARN": "arn:aws:states:eu-north-1:123456789012:stateMachine:webhook",
        "PAYMENT_WORKFLOW_ARN": "arn:aws:states:eu-north-1:123456789012:stateMachine:payment",
        "PAYMENT_SECRET": "payments",
        "PAYMENT_PROVIDER_URL": "",
        "CHECKOUT_URL": "https://rides.example/checkout",
        "WEBHOOK_QUEUE": "https://sqs.eu-north-1.amazonaws.com/123456789012/webhooks",
        "WEBHOOK_TARGETS": "public",
        "VEHICLE_TOPIC_PREFIX": "vehicles",
        "MAIL_FROM": "rides@kickstand.example",
        "PERSONAL_DATA_KEY": "alias/personal-data",
        **{f"{name}_TABLE": f"{name.title()}Table" for name in _TABLES},
    }
)

# Every test has connections of its own; what AWS's services look like is read once for all of them.
setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))  # noqa: B010
quick_moto.install()


@pytest.fixture
def aws() -> Iterator[Session]:
    """An empty account in memory, with the template's tables and nothing else."""
    disconnect()
    with mock_aws():
        session = Session()
        tables.create(session.create_client("dynamodb"))
        yield session
    disconnect()


def disconnect() -> None:
    """Forget connections of other tests to other engines."""
    items.disconnect()
    aws_clients.disconnect()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """The template's tables on the atomic engine, empty at the beginning of a file."""
    disconnect()
    with running_tables(tmp_path_factory.mktemp("engine")) as running:
        yield running
    disconnect()
