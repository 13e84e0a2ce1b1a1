"""The page on which a rider enters a card."""

import json
from datetime import timedelta
from typing import Any

import pytest

from kickstand.kernel import clock, ids, store
from kickstand.payments import methods
from tests.support.api import Reply
from tests.support.capacity import measured
from tests.support.html import Document
from tests.support.provider import CANCEL, OK, PROVED_ALWAYS, SUCCESS


def settings(reply: Reply) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Document(reply.body.decode()).one("main").attributes["data-settings"])
    return found


def refused(reply: Reply) -> tuple[int, str | None]:
    return reply.status, reply.error_on_page


def test_a_rider_enters_a_card(till: Any) -> None:
    token, secret = till.begin_setup()
    page = till.show_card(token)
    assert page.status == 200
    asked = settings(page)
    assert (asked["secret"], asked["setup"], asked["entry"]) == (secret, True, True)
    assert asked["key"].startswith("pk_")
    document = Document(page.body.decode())
    assert document.one("a").attributes["href"] == CANCEL
    assert document.one("button").text == document.one("button").text.strip() == "Save card"


def test_the_page_is_in_the_language_of_the_browser(till: Any) -> None:
    token, _ = till.begin_setup()
    for language, title in (("nb", "Legg til et kort"), ("pl-PL,pl;q=0.9", "Dodaj kartę"), ("xx", "Add a card")):
        assert Document(till.show_card(token, language).body.decode()).one("h1").text == title
    assert Document(till.show_card("x", "fr").body.decode()).one("h1").text == "Rien ici"


def test_a_card_that_was_entered_is_kept_and_the_rider_sent_on(till: Any) -> None:
    token, secret = till.begin_setup()
    till.provider.confirm(secret, OK)
    page = till.show_card(token)
    assert (page.status, page.headers["location"], page.body) == (303, SUCCESS, b"")
    assert [card.last4 for card in till.profile().cards] == ["4242"]


def test_whoever_comes_back_is_sent_on_though_the_event_was_faster(till: Any) -> None:
    token, secret = till.begin_setup()
    till.provider.confirm(secret, OK)
    till.send(till.event("setup_intent.succeeded"))
    assert len(till.profile().cards) == 1
    for _ in range(2):
        page = till.show_card(token)
        assert (page.status, page.headers["location"]) == (303, SUCCESS)
    assert len(till.profile().cards) == 1


def test_a_card_whose_bank_wants_a_proof_is_asked_for_until_it_has_it(till: Any) -> None:
    token, secret = till.begin_setup()
    till.provider.confirm(secret, PROVED_ALWAYS)
    assert settings(till.show_card(token))["secret"] == secret
    till.provider.authenticate(secret)
    assert till.show_card(token).status == 303


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil.example", "https://a.example/\r\nx: y"])
def test_an_address_that_nobody_can_be_sent_to_is_a_page(till: Any, url: str) -> None:
    token, secret = till.begin_setup(success_url=url, cancel_url=url)
    assert Document(till.show_card(token).body.decode()).all("a") == []
    till.provider.confirm(secret, OK)
    page = till.show_card(token)
    assert page.status == 200
    assert "location" not in page.headers
    assert Document(page.body.decode()).one("h1").text == "Saved"


def test_a_link_that_names_nothing_leads_nowhere(till: Any) -> None:
    token, _ = till.begin_setup()
    other = ids.new_token(till.rider_id)
    for strange in ("", "x", token[:-1], token + "A", token.swapcase(), other, "A" * 43, "ü" * 43, "../../x", "\ud800"):
        assert refused(till.show_card(strange)) == (404, "link_not_found"), strange
    assert till.show_card(token).status == 200


def test_a_link_is_good_for_one_card(till: Any) -> None:
    first, _ = till.begin_setup()
    second, secret = till.begin_setup()
    assert refused(till.show_card(first)) == (404, "link_not_found")
    till.provider.confirm(secret, OK)
    assert till.show_card(second).status == 303
    store.begin()
    methods.begin(till.rider_id, success_url=SUCCESS, cancel_url=CANCEL, replaces=True)
    assert refused(till.show_card(first)) == (404, "link_not_found")


def test_a_link_does_not_last(till: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    token, _ = till.begin_setup()
    monkeypatch.setattr(clock, "_offset", methods.SETUP_LIFE - timedelta(minutes=1))
    assert till.show_card(token).status == 200
    monkeypatch.setattr(clock, "_offset", methods.SETUP_LIFE + timedelta(minutes=1))
    assert refused(till.show_card(token)) == (404, "link_not_found")


def test_a_provider_that_does_not_answer_is_a_page_to_be_loaded_again(till: Any) -> None:
    token, _ = till.begin_setup()
    till.provider.fail_next()
    assert refused(till.show_card(token)) == (503, "try_again")
    assert till.show_card(token).status == 200


def test_a_page_of_a_setup_costs_one_read(till: Any) -> None:
    token, _ = till.begin_setup()
    with measured() as usage:
        assert till.show_card(token).status == 200
    assert usage.calls == ["BatchGetItem"]
