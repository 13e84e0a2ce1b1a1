"""The way to the document of an invoice."""

from checkout._inputs import PagePath
from checkout._surface import LINK_NOT_FOUND, checkout
from kickstand.billing import invoices
from kickstand.http.messages import Page, Redirect


@checkout.operation(
    "GET",
    "/invoices/{token}",
    tag="Pages",
    access="InvoicePageRequests",
    errors=(LINK_NOT_FOUND,),
    public=True,
    documented=False,
)
def show_invoice(path: PagePath) -> Page | Redirect:
    """Send the browser on to the document of an invoice or a credit note.

    The link comes with the mail that tells of the invoice, and holds for as long as there is a document.
    """
    return Redirect(invoices.document_link(path.token))
