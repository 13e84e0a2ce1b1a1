from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.config import Config
from botocore.session import Session

from kickstand.billing import gateway
from kickstand.kernel import aws


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    aws.disconnect()
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    moment = datetime(2025, 6, 14, 18, 22, 7)  # noqa: DTZ001 - as botocore has it
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment)


def botocores(key: str, style: str) -> str:
    config: Any = {"signature_version": "s3v4", "s3": {"addressing_style": style}}
    client: Any = Session().create_client("s3", config=Config(**config))
    return str(client.generate_presigned_url("get_object", Params={"Bucket": "documents", "Key": key}, ExpiresIn=3600))


def same(one: str, other: str) -> bool:
    """Whether two addresses name the same and carry the same signature."""
    parts, others = urlsplit(one), urlsplit(other)
    return parts[:3] == others[:3] and parse_qs(parts.query) == parse_qs(others.query)


def test_a_link_is_what_the_client_of_s3_would_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a/token+of=lambda")
    link = gateway.link("receipts/7/a b~é.pdf")
    assert same(link, botocores("receipts/7/a b~é.pdf", "virtual"))
    assert parse_qs(urlsplit(link).query)["X-Amz-Security-Token"] == ["a/token+of=lambda"]


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_a_local_endpoint_is_addressed_by_path(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:4566/")
    link = gateway.link("receipts/7/x.pdf")
    assert link.startswith("http://127.0.0.1:4566/documents/receipts/7/x.pdf?")
    assert same(link, botocores("receipts/7/x.pdf", "path"))


def test_china_has_a_domain_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "cn-north-1")
    assert gateway.link("x").startswith("https://documents.s3.cn-north-1.amazonaws.com.cn/x?")
