"""From an order that is paid to the document that its mail leads to, and back again in part."""

import io
import re
from uuid import UUID

import pytest
from pypdf import PdfReader

from kickstand.billing import invoices
from kickstand.billing.model import Invoice
from kickstand.clients import service as clients
from kickstand.clients.model import ApiClient
from kickstand.fleet import service as fleet
from kickstand.identity import service as identity
from kickstand.kernel import clock, ids, store
from kickstand.ledger import service as ledger
from kickstand.ledger.model import Account, AccountKind, Movement, Reason
from kickstand.sales import offers, orders
from kickstand.sales.model import Offer, OfferKind
from tests.support.http import Http
from tests.support.maas import MaasClient
from tests.support.town import Town

BOSS = "boss@kickstand.dev"
GIFT = 4711
LOCALE = {"locale": "nb"}


@pytest.fixture
def client(town: Town) -> MaasClient:
    """A client in Oslo that sells gift codes for 100 kroner, and whose user has 500 in the wallet."""
    made = town.client("Gifts")
    made.http.call("PUT", "/users/kari")
    store.begin()
    offers.put(
        behind(made),
        Offer(
            id=GIFT,
            client_id=behind(made).id,
            network_id=1,
            kind=OfferKind.GIFT_CODE,
            name="Gift code",
            currency="NOK",
            vat_percent=0,
            price=10_000,
            value=10_000,
        ),
    )
    fill(rider(made), 50_000)
    return made


def behind(client: MaasClient) -> ApiClient:
    return clients.find(ids.id_of(UUID(client.client_id)))


def rider(client: MaasClient) -> int:
    store.begin()
    return identity.external(behind(client), "kari").rider_id


def fill(rider_id: int, amount: int) -> None:
    promotion = Account(kind=AccountKind.PROMOTION, holder_id=1, currency="NOK")
    wallet = Account(kind=AccountKind.WALLET, holder_id=rider_id, currency="NOK")
    movement = Movement(
        id=f"welcome-{rider_id}",
        source=promotion,
        target=wallet,
        amount=amount,
        reason=Reason.CORRECTION,
        document=rider_id,
        at=clock.now(),
    )
    with store.Transaction() as tx:
        ledger.post(tx, [movement])


def buy(town: Town, client: MaasClient, codes: int) -> Invoice:
    """Buy gift codes from the wallet; the boss wants the receipt."""
    lines = [{"productId": str(GIFT), "quantity": codes}]
    wanted = {"userId": "kari", "customerEmail": "kari@kickstand.dev", "orderLines": lines, "receiptEmail": BOSS}
    order = client.http.call("POST", "/payments/orders/voucher-code", wanted, headers=LOCALE).document
    due = {
        "documentId": order["id"],
        "documentType": "order",
        "params": {"selectedPaymentMethod": "wallet"},
        "userId": "kari",
    }
    assert client.http.call("POST", "/payments/pay", due, headers=LOCALE).document["state"] == "SUCCEEDED"
    town.platform.settle()
    rider_id = rider(client)
    invoice_id = orders.find(rider_id, int(order["id"])).invoice_id
    assert invoice_id is not None
    return invoices.find(rider_id, invoice_id)


def document(mail: str) -> str:
    """The text of the document that a mail leads to."""
    (link,) = re.findall(r"http\S+/invoices/\S+", mail)
    sent_on = Http("").get(link)
    assert (sent_on.status, sent_on.body) == (303, b"")
    found = Http("").get(sent_on.headers["location"])
    assert found.headers["content-type"] == "application/pdf"
    (page,) = PdfReader(io.BytesIO(found.body)).pages
    return page.extract_text().replace("\u00a0", " ")


def test_what_is_bought_is_invoiced_and_taken_back_in_part(town: Town, client: MaasClient) -> None:
    first, second = buy(town, client, 2), buy(town, client, 1)
    year = first.year
    assert first.number is not None
    before = int(first.number.removeprefix(f"1-{year}-"))  # the demo has been invoiced as well
    assert second.number == f"1-{year}-{before + 1:06d}"
    bought, again = town.mails(BOSS)
    assert (bought["subject"], again["subject"]) == (f"Your receipt {first.number}", f"Your receipt {second.number}")
    text = document(bought["text"])
    for expected in (f"No. {first.number}", f"Order {first.subject_id}", "Total incl. VAT NOK 200.00", "Paid on "):
        assert expected in text

    store.begin()
    network = fleet.network(1)
    with store.Transaction() as tx:
        invoices.credit(tx, first, 10_000, network, at=clock.now())
    town.platform.settle()
    back = town.mails(BOSS)[-1]
    assert back["subject"] == f"Your credit note 1-C{year}-000001"
    text = document(back["text"])
    assert f"takes back invoice {first.number}" in text
    assert "Total incl. VAT NOK -100.00" in text


def test_a_link_that_nobody_sent_leads_nowhere(town: Town) -> None:
    answer = Http("").get(f"{town.platform.url}/checkout/invoices/{ids.new_token(1)}")
    assert answer.status == 404
    assert b"link_not_found" in answer.body
