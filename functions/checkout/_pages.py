"""The pages as HTML. They load nothing but the payment provider's script, and everything that varies is escaped."""

import json
import os
import re
import secrets
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Final

from checkout._texts import Texts
from kickstand.http.messages import Page
from kickstand.http.operation import ErrorAnswer

_SCRIPT: Final = Path(__file__).with_name("_script.js").read_text(encoding="utf-8")
_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 28rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; }
label { display: block; margin-bottom: .25rem; }
#card { border: 1px solid; border-radius: .5rem; padding: .875rem; margin-bottom: 1rem; }
button { font: inherit; font-weight: 600; width: 100%; min-height: 3rem; border: 0; border-radius: .5rem; }
button { color: #fff; background: #0b57d0; cursor: pointer; }
button:disabled { background: #5f6368; cursor: default; }
a { display: inline-block; padding: .75rem 0; }
a:focus-visible, button:focus-visible { outline: 3px solid #f29900; outline-offset: 2px; }
#note { min-height: 1.5rem; }
"""
_DOCUMENT: Final = Template("""<!doctype html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="icon" href="data:,">
<style nonce="$nonce">$style</style>
</head>
<body>
<main$attributes>
<h1>$title</h1>
$content
</main>
$scripts</body>
</html>
""")
_FORM: Final = Template("""<form>
$field<button disabled>$button</button>
<p id="note" role="status"></p>
<noscript><p>$needs_script</p></noscript>
</form>
<p><small>$to_provider</small></p>""")

_STRIPE: Final = "https://js.stripe.com"
_STRIPE_MAY: Final = {  # https://docs.stripe.com/security/guide#content-security-policy
    "script-src": "https://js.stripe.com https://*.js.stripe.com",
    "frame-src": "https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com",
    "connect-src": "https://api.stripe.com",
}
_LINKED: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x1f\\]+")
_RUNS: Final = frozenset({"about", "blob", "data", "file", "filesystem", "javascript", "vbscript", "view-source"})


@dataclass(frozen=True)
class Dialogue:
    """What the payment provider's script has to ask a rider.

    Attributes:
        key: by which the provider knows us.
        secret: by which it knows what is asked about.
        setup: whether a card is saved; otherwise a payment is made.
        entry: whether a card has to be entered.
        method: the saved card to pay with, where the payment does not name one any more.
        button: what the rider presses.
        cancel_url: where the rider goes instead.
    """

    key: str
    secret: str
    setup: bool
    entry: bool
    button: str
    method: str | None = None
    cancel_url: str | None = None

    def __repr__(self) -> str:
        return f"Dialogue(setup={self.setup}, entry={self.entry})"


def dialogue(texts: Texts, title: str, paragraphs: tuple[str, ...], asked: Dialogue) -> Page:
    """A page on which the provider's script asks the rider something."""
    field = f'<label for="card">{escape(texts.card)}</label>\n<div id="card"></div>\n' if asked.entry else ""
    form = _FORM.substitute(
        field=field,
        button=escape(asked.button),
        needs_script=escape(texts.needs_script),
        to_provider=escape(texts.to_provider),
    )
    cancel = ""
    if asked.cancel_url is not None and can_be_followed(asked.cancel_url):
        cancel = f'\n<p><a href="{escape(asked.cancel_url)}" rel="noreferrer">{escape(texts.cancel)}</a></p>'
    settings = {
        "key": asked.key,
        "secret": asked.secret,
        "setup": asked.setup,
        "entry": asked.entry,
        "method": asked.method,
        "language": texts.language,
        "working": texts.working,
        "wentWrong": texts.went_wrong,
    }
    attributes = f' data-settings="{escape(json.dumps(settings))}"'
    return _page(texts, title, _paragraphs(paragraphs) + form + cancel, attributes=attributes, scripted=True)


def notice(texts: Texts, title: str, text: str, *, look_again: bool = False) -> Page:
    """A page that tells something."""
    link = f'\n<p><a href="">{escape(texts.look_again)}</a></p>' if look_again else ""
    return _page(texts, title, _paragraphs((text,)) + link)


def error(texts: Texts, answer: ErrorAnswer) -> Page:
    """A page that says that there is nothing here, or nothing yet; it names the error for whoever is asked for help."""
    title, text = texts.try_again_title, texts.try_again
    if answer.status < 500:  # noqa: PLR2004 - the client's fault
        title, text = texts.not_found_title, texts.not_found
    named = f' data-error="{escape(answer.code)}"'
    return _page(texts, title, _paragraphs((text,)), attributes=named, status=answer.status)


def can_be_followed(url: str) -> bool:
    """Whether a browser may be sent to an address: absolute, of any scheme but those that run or read something."""
    return _LINKED.fullmatch(url) is not None and url.partition(":")[0].lower() not in _RUNS


def _paragraphs(texts: tuple[str, ...]) -> str:
    return "".join(f"<p>{escape(text)}</p>\n" for text in texts)


def _page(
    texts: Texts, title: str, content: str, *, attributes: str = "", scripted: bool = False, status: int = 200
) -> Page:
    nonce = secrets.token_urlsafe(16)
    allowed = {"style-src": f"'nonce-{nonce}'", "img-src": "data:"}
    scripts = ""
    if scripted:
        address, may = _provider()
        tag = f'<script nonce="{nonce}"'
        scripts = f'{tag} src="{escape(address)}"></script>\n{tag}>{_SCRIPT}</script>\n'
        allowed |= may | {"script-src": f"'nonce-{nonce}' {may['script-src']}"}
    html = _DOCUMENT.substitute(
        language=texts.language,
        title=escape(title),
        nonce=nonce,
        style=_STYLE,
        attributes=attributes,
        content=content,
        scripts=scripts,
    )
    return Page(html, status=status, allowed=allowed)


def _provider() -> tuple[str, dict[str, str]]:
    """Where the provider's script comes from, and what it may do; for development, a stand-in's."""
    stand_in = os.environ["PAYMENT_PROVIDER_URL"].rstrip("/")
    if not stand_in:
        return f"{_STRIPE}/v3/", _STRIPE_MAY
    return f"{stand_in}/js.stripe.com/v3/", dict.fromkeys(_STRIPE_MAY, stand_in)
