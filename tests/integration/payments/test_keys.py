"""The provider's keys in Secrets Manager."""

import json
from typing import Any

import pytest
from botocore.session import Session

from kickstand.payments import stripe_gateway
from kickstand.payments.stripe_gateway import Keys, KeysMissing, Stripe

KEYS = {"secret_key": "sk_test_1", "publishable_key": "pk_test_1", "webhook_secret": "whsec_1"}


@pytest.fixture(autouse=True)
def _fresh() -> None:
    stripe_gateway.forget_keys()


def keep(account: Session, value: str | None) -> None:
    manager: Any = account.create_client("secretsmanager")
    if value is None:
        manager.create_secret(Name="payments")
    else:
        manager.create_secret(Name="payments", SecretString=value)


def test_keys_are_read_once(aws: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(aws, json.dumps(KEYS))
    assert stripe_gateway.read_keys() == Keys(**KEYS)
    read = []

    def count() -> Keys:
        read.append(True)
        return Keys(**KEYS)

    monkeypatch.setattr(stripe_gateway, "read_keys", count)
    assert {Stripe().publishable_key() for _ in range(3)} == {"pk_test_1"}
    assert len(read) == 1
    stripe_gateway.forget_keys()


@pytest.mark.parametrize("value", [None, "", "{}", '{"secret_key": "sk"}', "[]", "sk_test_1"])
def test_a_secret_that_nobody_has_filled(aws: Session, value: str | None) -> None:
    if value != "":
        keep(aws, value)
    with pytest.raises(KeysMissing, match="payments holds no keys"):
        stripe_gateway.read_keys()
