"""The pages: what they may load, what they say, and that nothing gets out of its place."""

import json
from typing import Any

import pytest

from checkout import _pages as pages
from checkout._texts import LANGUAGES, texts_for
from kickstand.http.messages import Page, page_answer
from kickstand.http.operation import ErrorAnswer
from tests.support.html import Document

ENGLISH = texts_for("en")
HOSTILE = "\"><script>alert(1)</script>'&<!-- </main>${title}$$ {0} \u2028"


@pytest.fixture(params=["", "http://127.0.0.1:8420"])
def stand_in(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    url: str = request.param
    monkeypatch.setenv("PAYMENT_PROVIDER_URL", url)
    return url


def asking(**changes: Any) -> pages.Dialogue:
    given: dict[str, Any] = {"key": "pk_1", "secret": "pi_1_secret_2", "setup": False, "entry": True, "button": "Pay"}
    return pages.Dialogue(**{**given, **changes})


def policy_of(page: Page) -> dict[str, list[str]]:
    text = page_answer(page)["headers"]["content-security-policy"]
    return {name: sources.split() for name, _, sources in (each.partition(" ") for each in text.split("; "))}


def test_only_scripts_that_carry_the_nonce_run(stand_in: str) -> None:
    page = pages.dialogue(ENGLISH, "Pay", (), asking())
    policy, document = policy_of(page), Document(page.html)
    nonces = {each.attributes["nonce"] for each in (*document.all("script"), *document.all("style"))}
    (nonce,) = nonces
    assert len(nonce) >= 20
    assert f"'nonce-{nonce}'" in policy["script-src"]
    assert policy["style-src"] == [f"'nonce-{nonce}'"]
    assert "unsafe" not in str(policy)
    assert not any(name.startswith("on") or name == "style" for tag in document.tags for name in tag.attributes)
    assert nonce not in pages.dialogue(ENGLISH, "Pay", (), asking()).html


def test_a_page_talks_to_the_provider_only(stand_in: str) -> None:
    page = pages.dialogue(ENGLISH, "Pay", (), asking())
    policy = policy_of(page)
    assert (
        policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
    )
    sources = {each for name in ("script-src", "frame-src", "connect-src") for each in policy[name]}
    hosts = {each for each in sources if not each.startswith("'nonce-")}
    if stand_in:
        assert hosts == {stand_in}
    else:
        assert all(each.startswith("https://") and each.endswith((".stripe.com", "/stripe.com")) for each in hosts)
    script = next(each for each in Document(page.html).all("script") if "src" in each.attributes)
    assert script.attributes["src"] == (f"{stand_in}/js.stripe.com/v3/" if stand_in else "https://js.stripe.com/v3/")
    assert script.attributes.keys() == {"src", "nonce"}, "it has run before ours does"


def test_a_page_that_only_tells_something_runs_nothing() -> None:
    page = pages.notice(ENGLISH, "Paid", "You have paid.")
    assert Document(page.html).all("script") == []
    assert policy_of(page).keys() == {
        *("default-src", "base-uri", "form-action", "frame-ancestors", "style-src", "img-src")
    }


def test_whatever_is_shown_is_text(stand_in: str) -> None:
    asked = asking(key=HOSTILE, secret=HOSTILE, method=HOSTILE, button=HOSTILE, cancel_url="app:" + HOSTILE[:20])
    page = pages.dialogue(ENGLISH, HOSTILE, (HOSTILE,), asked)
    document = Document(page.html)
    assert len(document.all("script")) == 2
    assert document.one("h1").text == document.one("title").text == HOSTILE
    assert document.one("button").text == HOSTILE
    settings = json.loads(document.one("main").attributes["data-settings"])
    assert settings["key"] == settings["secret"] == settings["method"] == HOSTILE


def test_the_script_stays_within_its_element(stand_in: str) -> None:
    document = Document(pages.dialogue(ENGLISH, "Pay", (), asking()).html)
    ours = document.all("script")[1]
    assert ours.text == pages._SCRIPT
    assert "<!--" not in ours.text


def test_a_card_is_asked_for_in_a_labelled_field(stand_in: str) -> None:
    document = Document(pages.dialogue(ENGLISH, "Pay", (), asking()).html)
    assert document.one("label").attributes["for"] == document.one("div").attributes["id"] == "card"
    assert document.one("html").attributes["lang"] == "en"
    assert document.one("p", id="note").attributes["role"] == "status"
    assert document.one("meta", name="viewport").attributes["content"].startswith("width=device-width")
    assert document.one("noscript").text == ENGLISH.needs_script
    assert "color-scheme: light dark" in document.one("style").text


def test_nothing_is_asked_for_where_the_bank_only_wants_the_rider(stand_in: str) -> None:
    document = Document(pages.dialogue(ENGLISH, "Confirm", (), asking(entry=False, method="pm_1")).html)
    assert document.all("label") == document.all("div") == []
    assert json.loads(document.one("main").attributes["data-settings"])["method"] == "pm_1"


@pytest.mark.parametrize("texts", LANGUAGES.values(), ids=LANGUAGES)
def test_errors_are_named_for_whoever_is_asked_for_help(texts: Any) -> None:
    for status, sentence in ((404, texts.not_found), (503, texts.try_again)):
        page = pages.error(texts, ErrorAnswer(status, "some_error", "Something"))
        document = Document(page.html)
        assert page.status == status
        assert document.one("main").attributes["data-error"] == "some_error"
        assert sentence in document.one("main").text
        assert document.one("html").attributes["lang"] == texts.language


@pytest.mark.parametrize(
    "url", ["https://app.example/done?a=1&b=%20#x", "http://127.0.0.1:8080/", "my-app://cards/done", "MyApp.1+x:done"]
)
def test_a_rider_can_go_back_to_where_the_app_says(url: str, stand_in: str) -> None:
    assert pages.can_be_followed(url)
    document = Document(pages.dialogue(ENGLISH, "Add a card", (), asking(cancel_url=url)).html)
    assert document.one("a").attributes == {"href": url, "rel": "noreferrer"}


@pytest.mark.parametrize(
    "url",
    [
        *("javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "blob:x", "file:///etc"),
        *("java\tscript:alert(1)", " javascript:alert(1)", "\x01javascript:alert(1)", "//evil.example", "/done", ""),
        *("https://a.example/\r\nset-cookie: a=b", "https:\\\\evil.example", "view-source:https://a.example"),
    ],
)
def test_nobody_is_sent_where_something_would_run(url: str, stand_in: str) -> None:
    assert not pages.can_be_followed(url)
    assert Document(pages.dialogue(ENGLISH, "Add a card", (), asking(cancel_url=url)).html).all("a") == []


def test_secrets_are_in_no_repr() -> None:
    assert "secret_2" not in repr(asking())
