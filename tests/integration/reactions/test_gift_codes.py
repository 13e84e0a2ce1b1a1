"""Gift codes on their way to whoever has bought them: each order's once, and never into a log."""

import io
from typing import Any

import pytest

from kickstand.kernel import consumers, store
from kickstand.messaging import gateway
from kickstand.messaging.model import Mail
from kickstand.sales import vouchers
from kickstand.sales.errors import OrderNotFound
from kickstand.sales.model import GiftLetter
from kickstand.sales.store import GiftLetterItem
from local.server import Tables
from reactions import sales
from reactions.sales import follow_sales
from tests.support.city import City
from tests.support.shop import BIG_GIFT, GIFT, Shop
from tests.support.world import Streams

Records = list[dict[str, Any]]


class Post:
    """A shop, its table's stream, and the mails that leave."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.shop = Shop(City())
        self.mails: list[tuple[Mail, str]] = []
        self.streams = Streams("SALES_TABLE")
        self.patch = patch
        self.heal()

    def heal(self) -> None:
        """Let mails leave."""
        self.patch.setattr(gateway, "send", lambda mail, recipient, _: self.mails.append((mail, recipient)))

    def break_down(self, error: BaseException) -> None:
        """Let no mail leave."""

        def send(mail: Mail, recipient: str, _: str) -> None:
            raise type(error)(f"{mail.text} to {recipient}")

        self.patch.setattr(gateway, "send", send)

    def bought(self, *lines: tuple[int, int]) -> tuple[GiftLetter, Records]:
        """Gift codes that have been paid, and what the stream says of them."""
        order, _ = self.shop.completed(self.shop.gifts(*lines))
        store.begin()
        return vouchers.letter(order.rider_id, order.id), self.streams.new("SALES_TABLE")


@pytest.fixture
def post(engine: Tables, monkeypatch: pytest.MonkeyPatch) -> Post:
    return Post(monkeypatch)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    logged = io.StringIO()
    for logger in (consumers.logger, sales.logger):
        for handler in logger.handlers:
            monkeypatch.setattr(handler, "stream", logged)
    return logged


def follow(records: Records) -> bool:
    """Whether a batch was followed as a whole."""
    try:
        return follow_sales({"Records": records}, None) == {"batchItemFailures": []}
    except consumers.Stuck:
        return False


def gone_at(letter: GiftLetter) -> int | None:
    store.begin()
    item = store.load(GiftLetterItem.key_of(letter))
    assert item is not None
    return item.expires_at


def test_whoever_has_bought_codes_gets_them_once(post: Post) -> None:
    letter, records = post.bought((GIFT, 2), (BIG_GIFT, 1))
    assert follow([*records, *records])
    assert follow([*post.streams.new("SALES_TABLE"), *records])
    ((mail, recipient),) = post.mails
    assert recipient == "gifts@mail.example"
    assert mail.subject == "Your 3 gift codes"
    for gift in letter.gifts:
        assert gift.valid_until is not None
        amount = "NOK\u00a0500.00" if gift.value == 50_000 else "NOK\u00a0100.00"
        assert f"{gift.code}: {amount}, until {gift.valid_until.day} {gift.valid_until:%B %Y}" in mail.text
    assert gone_at(letter) is not None


def test_one_code_is_one(post: Post) -> None:
    _, records = post.bought((GIFT, 1))
    assert follow(records)
    assert post.mails[0][0].subject == "Your gift code"


def test_codes_that_did_not_leave_are_sent_again(post: Post, log: io.StringIO) -> None:
    letter, records = post.bought()
    post.break_down(ValueError())
    assert not follow(records)
    assert gone_at(letter) is None
    post.heal()
    assert follow(records)
    assert len(post.mails) == 1
    assert not any(gift.code in log.getvalue() or letter.email in log.getvalue() for gift in letter.gifts)
    assert '"sent":true' in log.getvalue()


def test_codes_that_were_refused_stay_readable_for_our_staff(post: Post) -> None:
    letter, records = post.bought()
    post.break_down(gateway.MailRefused())
    assert follow(records)
    assert follow(records)
    assert post.mails == []
    assert gone_at(letter) is None


def test_a_crash_after_the_mail_has_left_keeps_the_codes_no_longer(post: Post) -> None:
    letter, records = post.bought()
    with pytest.MonkeyPatch.context() as crash:
        crash.setattr(vouchers, "mailed", _crash)
        assert not follow(records)
    assert follow(records)
    assert len(post.mails) == 1
    assert gone_at(letter) is not None


def test_staff_can_send_codes_again(post: Post) -> None:
    letter, records = post.bought()
    assert follow(records)
    post.streams.new("SALES_TABLE")
    vouchers.send_again(letter.rider_id, letter.order_id, "right@mail.example")
    assert gone_at(letter) is None
    assert follow(post.streams.new("SALES_TABLE"))
    assert [recipient for _, recipient in post.mails] == ["gifts@mail.example", "right@mail.example"]
    assert all(gift.code in post.mails[1][0].text for gift in letter.gifts)
    assert gone_at(letter) is not None
    with pytest.raises(OrderNotFound):
        vouchers.send_again(letter.rider_id, 7, "right@mail.example")


def _crash(_letter: GiftLetter) -> None:
    raise RuntimeError
