"""The platform's own KMS: what it encrypts it decrypts after a restart too, and only in the same context."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kickstand.kernel import aws
from local.testing import running_platform

RIDER = {"rider_id": "7"}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    aws.disconnect()
    yield tmp_path
    aws.disconnect()


def kms() -> Any:
    aws.disconnect()
    return aws.client("kms")


def test_what_was_encrypted_is_read_after_a_restart(state: Path) -> None:
    with running_platform(state, seed=False):
        sealed = kms().encrypt(KeyId="personal", Plaintext=b"01019000083", EncryptionContext=RIDER)["CiphertextBlob"]
        assert b"01019000083" not in sealed
    with running_platform(state, seed=False):
        opened = kms().decrypt(KeyId="personal", CiphertextBlob=sealed, EncryptionContext=RIDER)
        assert opened["Plaintext"] == b"01019000083"


def test_nothing_is_read_with_another_key_or_in_another_context(state: Path) -> None:
    with running_platform(state, seed=False):
        sealed = kms().encrypt(KeyId="personal", Plaintext=b"01019000083", EncryptionContext=RIDER)["CiphertextBlob"]
        for key, blob, context in (
            ("another", sealed, RIDER),
            ("personal", sealed, {"rider_id": "8"}),
            ("personal", sealed, {}),
            ("personal", sealed[:-1], RIDER),
            ("personal", b"x", RIDER),
        ):
            with pytest.raises(ClientError) as refusal:
                kms().decrypt(KeyId=key, CiphertextBlob=blob, EncryptionContext=context)
            assert refusal.value.response["Error"]["Code"] == "InvalidCiphertextException"
        with pytest.raises(ClientError, match="not served"):
            kms().list_keys()
