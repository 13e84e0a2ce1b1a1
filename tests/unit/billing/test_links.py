from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.config import Config
from botocore.session import Session

from kickstand.billing import gateway


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway._credentials.cache_clear()
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


def botocores(key: str, style: str) -> str:
    client = Session().create_client("s3", config=Config(signature_version="s3v4", s3={"addressing_style": style}))
    return str(client.generate_presigned_url("get_object", Params={"Bucket": "documents", "Key": key}, ExpiresIn=3600))


def test_a_link_is_what_the_client_of_s3_would_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a/token+of=lambda")
    gateway._credentials.cache_clear()
    for _ in range(3):  # the two may fall into different seconds
        mine, theirs = gateway.link("receipts/7/a b~é.pdf"), botocores("receipts/7/a b~é.pdf", "virtual")
        if parse_qs(urlsplit(mine).query)["X-Amz-Date"] == parse_qs(urlsplit(theirs).query)["X-Amz-Date"]:
            break
    assert urlsplit(mine)[:3] == urlsplit(theirs)[:3]
    assert parse_qs(urlsplit(mine).query) == parse_qs(urlsplit(theirs).query)
    assert "a/token+of=lambda" in parse_qs(urlsplit(mine).query)["X-Amz-Security-Token"]


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_a_local_endpoint_is_addressed_by_path(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:4566/")
    for _ in range(3):
        mine, theirs = gateway.link("receipts/7/x.pdf"), botocores("receipts/7/x.pdf", "path")
        if parse_qs(urlsplit(mine).query)["X-Amz-Date"] == parse_qs(urlsplit(theirs).query)["X-Amz-Date"]:
            break
    assert mine.startswith("http://127.0.0.1:4566/documents/receipts/7/x.pdf?")
    assert parse_qs(urlsplit(mine).query) == parse_qs(urlsplit(theirs).query)


def test_china_has_a_domain_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "cn-north-1")
    assert gateway.link("x").startswith("https://documents.s3.cn-north-1.amazonaws.com.cn/x?")
