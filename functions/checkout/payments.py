"""The page on which a rider makes or confirms a payment."""

from typing import Final

from checkout import _pages as pages
from checkout._inputs import PageHeaders, PagePath
from checkout._surface import LINK_NOT_FOUND, checkout
from checkout._texts import Texts, texts_for
from kickstand.billing import checkout as hosted
from kickstand.http.messages import Page
from kickstand.kernel.currencies import formatted
from kickstand.payments.model import PaymentState

CARD: Final = "card"


@checkout.operation(
    "GET",
    "/payments/{token}",
    tag="Pages",
    access="CheckoutRequests",
    errors=(LINK_NOT_FOUND,),
    layers=("payments",),
    memory=1024,
    timeout=29,
    public=True,
    documented=False,
)
def show_payment(path: PagePath, headers: PageHeaders) -> Page:
    """Show a payment.

    Lets the rider choose a card, or prove to the bank who pays; shows what has become of it when it is over.
    """
    found = hosted.payment(path.token)
    texts = texts_for(headers.accept_language)
    return _asked(texts, found) or _told(texts, found)


def _asked(texts: Texts, found: hosted.HostedPayment) -> Page | None:
    """The page that asks the rider for what the payment waits for; ``None`` where it waits for nothing on this page."""
    intent = found.intent
    waits_for_card = intent.state is PaymentState.REQUIRES_METHOD
    if not waits_for_card and intent.state is not PaymentState.REQUIRES_ACTION:
        return None
    if CARD not in intent.types or intent.secret is None:
        return None
    title = texts.pay if waits_for_card else texts.confirm_title
    seller = texts.for_seller.format(seller=found.seller)
    asked = pages.Dialogue(
        key=found.key,
        secret=intent.secret,
        setup=False,
        entry=waits_for_card,
        # The provider has let go of a card whose bank wanted a rider who was not there.
        method=intent.card if intent.off_session and not waits_for_card else None,
        button=title.format(amount=_amount(found)),
    )
    paragraphs = (seller,) if waits_for_card else (seller, texts.confirm)
    return pages.dialogue(texts, title.format(amount=_amount(found)), paragraphs, asked)


def _told(texts: Texts, found: hosted.HostedPayment) -> Page:
    title, text = _words(texts, found.intent.state)
    undecided = found.intent.state in {PaymentState.CREATED, PaymentState.PROCESSING}
    return pages.notice(texts, title, text.format(amount=_amount(found)), look_again=undecided)


def _words(texts: Texts, state: PaymentState) -> tuple[str, str]:
    """A title, and what there is to say."""
    wait, in_app = (texts.wait_title, texts.wait), (texts.in_app_title, texts.in_app)
    given_back = (texts.given_back_title, texts.given_back)
    return {
        PaymentState.CREATED: wait,
        PaymentState.PROCESSING: wait,
        PaymentState.REQUIRES_METHOD: in_app,
        PaymentState.REQUIRES_ACTION: in_app,
        PaymentState.SUCCEEDED: (texts.paid_title, texts.paid),
        PaymentState.HELD: (texts.held_title, texts.held),
        PaymentState.FAILED: (texts.failed_title, texts.failed),
        PaymentState.CANCELLED: (texts.over_title, texts.over),
        PaymentState.RELEASED: given_back,
        PaymentState.EXPIRED: given_back,
    }[state]


def _amount(found: hosted.HostedPayment) -> str:
    """What is paid, or was; of a hold, it may be less than was held."""
    intent = found.intent
    return formatted(intent.captured or intent.amount, intent.currency)
