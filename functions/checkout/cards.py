"""The page on which a rider enters a card that is to be saved."""

from checkout import _pages as pages
from checkout._inputs import PageHeaders, PagePath
from checkout._surface import LINK_NOT_FOUND, checkout
from checkout._texts import texts_for
from kickstand.billing import checkout as hosted
from kickstand.http.messages import Page, Redirect


@checkout.operation(
    "GET",
    "/cards/{token}",
    tag="Pages",
    access="CardPageRequests",
    errors=(LINK_NOT_FOUND,),
    layers=("payments",),
    memory=1024,
    timeout=29,
    public=True,
    documented=False,
)
def show_card_setup(path: PagePath, headers: PageHeaders) -> Page | Redirect:
    """Show the fields of a card.

    The link is given out by the API of the app. When the card is saved, the browser is sent to the app's address for
    that; the page links to the app's address for everything else.
    """
    found = hosted.setup(path.token)
    texts = texts_for(headers.accept_language)
    if found.secret is None:
        if pages.can_be_followed(found.pending.success_url):
            return Redirect(found.pending.success_url)
        return pages.notice(texts, texts.saved_title, texts.saved)
    asked = pages.Dialogue(
        key=found.key,
        secret=found.secret,
        setup=True,
        entry=True,
        button=texts.save_card,
        cancel_url=found.pending.cancel_url,
    )
    return pages.dialogue(texts, texts.add_card, (), asked)
