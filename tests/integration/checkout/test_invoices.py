"""The way from a mail to the document of an invoice."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.session import Session

from kickstand.billing import invoices
from kickstand.billing.model import Invoice
from kickstand.fleet.store import NetworkItem
from kickstand.kernel import aws as kernel_aws
from kickstand.kernel import ids, store
from tests.support import invoices as samples_of_invoices
from tests.support import samples
from tests.support.api import Client, Reply
from tests.support.capacity import measured


@pytest.fixture
def invoice(aws: Session) -> Invoice:
    """One that has been paid."""
    kernel_aws.disconnect()
    s3: Any = aws.create_client("s3")
    s3.create_bucket(Bucket="documents", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    NetworkItem.of(samples.network()).save()
    store.begin()
    created = samples_of_invoices.paid()
    with store.Transaction() as tx:
        invoices.create(tx, created)
    return created


def show(token: str) -> Reply:
    return Client("checkout", {}).call("show_invoice", path={"token": token})


def test_whoever_has_the_link_is_sent_to_the_document(invoice: Invoice) -> None:
    invoices.number([invoice])
    store.begin()
    invoices.issue_document(invoices.find(invoice.rider_id, invoice.id))
    with measured() as usage:
        reply = show(invoice.token)
    assert usage.calls == ["BatchGetItem"]
    assert (reply.status, reply.body) == (303, b"")
    assert urlsplit(reply.headers["location"]).path == f"/invoices/7/{invoice.year}/7-{invoice.year}-000001.pdf"


def test_before_there_is_a_document_the_link_leads_nowhere(invoice: Invoice) -> None:
    assert (show(invoice.token).status, show(invoice.token).error_on_page) == (404, "link_not_found")


def test_what_is_made_up_leads_nowhere(invoice: Invoice) -> None:
    for token in (ids.new_token(invoice.id), ids.new_token(1), "x", "x" * 43):
        reply = show(token)
        assert (reply.status, reply.error_on_page) == (404, "link_not_found")
