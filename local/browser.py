"""A rider's browser, for those who have none at hand: it does on a hosted page what the page's script does there."""

import html
import json
import re
from collections.abc import Mapping
from typing import Final

import urllib3

from local.errors import ControlError
from local.types import Json

_SETTINGS: Final = re.compile(r'<main data-settings="([^"]*)">')
_TITLE: Final = re.compile(r"<title>([^<]*)</title>")
_ASKS: Final = "requires_action"
_SEE_OTHER: Final = 303


class Browser:
    """Opens hosted pages, enters cards and answers banks."""

    def __init__(self, pages: str, provider: str) -> None:
        """Visit the pages below one address, and ask the payment provider at the other."""
        self._pages = pages
        self._provider = provider
        self._pool = urllib3.PoolManager(retries=False, timeout=30)

    def visit(self, wanted: Mapping[str, Json]) -> Json:
        """Let a rider visit a page; answers what the page shows in the end, or where it leads.

        Args:
            wanted: ``open``, the page's address; ``card``, the number that the rider enters where one is asked for;
                ``prove``, whether the rider passes the bank's test (3-D Secure). Without it, the rider leaves when the
                bank asks.

        Raises:
            ControlError: this cannot be done on this page.
        """
        url, card, prove = wanted.get("open"), wanted.get("card"), wanted.get("prove")
        if not isinstance(url, str) or not url.startswith(f"{self._pages}/"):
            raise ControlError(f"open is the address of a page below {self._pages}")
        if not isinstance(card, str | None) or not isinstance(prove, bool | None):
            raise ControlError("card is a number in quotation marks, prove is true or false")
        shown = self._look(url)
        if card is None and prove is None:
            return _told(shown)
        found = _SETTINGS.search(_text(shown))
        if found is None:
            raise ControlError("this page asks for nothing")
        asked = json.loads(html.unescape(found[1]))
        if asked["entry"] and card is None:
            raise ControlError("this page asks for a card: send its number as card")
        if card is not None and not asked["entry"]:
            raise ControlError("this page asks for no card: send prove")
        problem = self._answer(asked, card, prove)
        return _told(self._look(url)) | ({"problem": problem} if problem else {})

    def _answer(self, asked: Mapping[str, Json], card: str | None, prove: bool | None) -> str | None:
        """Do what the page asks for; answers what has gone wrong."""
        found = {} if asked["entry"] else self._ask(asked, "GET", "")
        if found.get("status") != _ASKS:
            entered = {"number": card, "exp_month": 12, "exp_year": 2034, "cvc": "123"}
            named = {"payment_method": asked["method"]}
            chosen = {"payment_method_data": {"type": "card", "card": entered}} if asked["entry"] else named
            found = self._ask(asked, "POST", "/confirm", **chosen)
        if found.get("status") == _ASKS and prove is not None:
            if asked["setup"]:
                found = self._ask(asked, "POST", "/confirm" if prove else "/cancel")
            else:
                found = self._ask(asked, "POST", "/_authenticate", success=prove)
        error = found.get("error") or found.get("last_payment_error") or found.get("last_setup_error")
        return str(error["code"]) if error else None

    def _ask(self, asked: Mapping[str, Json], method: str, what: str, **members: Json) -> dict[str, Json]:
        """Ask the provider with what the page has been given."""
        secret = asked["secret"]
        kind = "setup_intents" if asked["setup"] else "payment_intents"
        url = f"{self._provider}/v1/{kind}/{secret.partition('_secret_')[0]}{what}"
        known = {"key": asked["key"], "client_secret": secret}
        if method == "GET":
            return dict(self._pool.request(method, url, fields=known).json())
        return dict(self._pool.request(method, url, json=known | members).json())

    def _look(self, url: str) -> urllib3.BaseHTTPResponse:
        return self._pool.request("GET", url, redirect=False, headers={"Accept-Language": "en"})


def _told(shown: urllib3.BaseHTTPResponse) -> dict[str, Json]:
    if shown.status == _SEE_OTHER:
        return {"leads_to": shown.headers["location"]}
    title = _TITLE.search(_text(shown))
    return {
        "title": html.unescape(title[1]).replace("\N{NO-BREAK SPACE}", " ") if title else "",
        "status": shown.status,
    }


def _text(shown: urllib3.BaseHTTPResponse) -> str:
    return shown.data.decode()
