from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.session import Session

from kickstand.billing import service
from kickstand.billing.model import Charge
from kickstand.billing.store import ChargeItem
from kickstand.kernel import aws as kernel_aws
from kickstand.kernel import clock, store
from tests.support import samples


@pytest.fixture
def bucket(aws: Session) -> Session:
    kernel_aws.disconnect()
    store.begin()
    s3: Any = aws.create_client("s3")
    s3.create_bucket(Bucket="documents", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    return aws


def test_a_rental_is_charged_once(bucket: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    rental = samples.ended_rental()
    charge = service.record_charge(rental)
    assert charge.fare == rental.fare
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    store.begin()
    assert service.record_charge(rental) == charge
    assert service.charge_of(rental.id) == charge
    assert len(list(ChargeItem.scan())) == 1


def test_what_has_not_ended_is_not_charged(bucket: Session) -> None:
    with pytest.raises(service.NotSettled):
        service.record_charge(samples.rental())
    assert service.charge_of(samples.RENTAL_ID) is None


def test_there_is_no_receipt_before_the_charge(bucket: Session) -> None:
    with pytest.raises(service.NotSettled):
        service.issue_receipt(samples.ended_rental(), samples.network())


def test_a_receipt_is_kept_and_issuing_it_again_changes_nothing(bucket: Session) -> None:
    rental, network = samples.ended_rental(), samples.network()
    service.record_charge(rental)
    key = service.issue_receipt(rental, network)
    s3: Any = bucket.create_client("s3")
    first = s3.get_object(Bucket="documents", Key=key)
    assert first["ContentType"] == "application/pdf"
    assert first["ContentDisposition"].startswith('inline; filename="receipt-2')
    document = first["Body"].read()
    assert document.startswith(b"%PDF-")
    store.begin()
    assert service.issue_receipt(rental, network) == key
    assert s3.get_object(Bucket="documents", Key=key)["Body"].read() == document


def test_a_link_names_the_document(bucket: Session) -> None:
    link = urlsplit(service.receipt_link("receipts/7/x.pdf"))
    assert (link.netloc, link.path) == ("documents.s3.eu-north-1.amazonaws.com", "/receipts/7/x.pdf")


def test_the_item_holds_every_field() -> None:
    assert set(ChargeItem.get_attributes()) >= set(Charge.model_fields)
