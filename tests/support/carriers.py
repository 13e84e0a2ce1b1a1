"""In the place of Amazon SNS, SES and KMS: what was sent to whom, and a safe that only opens for the right rider."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from kickstand.onboarding import gateway

_CODE = re.compile(r"\b[0-9]{6}\b")


@dataclass
class Carriers:
    """Takes what onboarding sends.

    Attributes:
        sent: receivers and texts, oldest first.
        sealed: the personal numbers that were encrypted, with whose they are.
        opened: how often a personal number was read.
        before_sending: is called before anything is sent, and may fail.
    """

    sent: list[tuple[str, str]] = field(default_factory=list)
    sealed: list[tuple[str, int]] = field(default_factory=list)
    opened: int = 0
    before_sending: Callable[[], None] = lambda: None

    @classmethod
    def hired(cls, monkeypatch: pytest.MonkeyPatch) -> "Carriers":
        """Carriers that do the gateway's work for the length of a test."""
        carriers = cls()
        monkeypatch.setattr(gateway, "send_sms", carriers._carry)
        monkeypatch.setattr(gateway, "send_mail", lambda to, _subject, text: carriers._carry(to, text))
        monkeypatch.setattr(gateway, "encrypt", carriers._seal)
        monkeypatch.setattr(gateway, "decrypt", carriers._open)
        return carriers

    def code(self, receiver: str) -> str:
        """The code that somebody was sent last."""
        text = next(text for to, text in reversed(self.sent) if to == receiver)
        (code,) = _CODE.findall(text)
        return str(code)

    def _carry(self, to: str, text: str) -> None:
        self.before_sending()
        self.sent.append((to, text))

    def _seal(self, number: str, rider_id: int) -> str:
        self.sealed.append((number, rider_id))
        return f"sealed-{len(self.sealed)}"

    def _open(self, kept: str, rider_id: int) -> str:
        self.opened += 1
        number, owner = self.sealed[int(kept.removeprefix("sealed-")) - 1]
        assert owner == rider_id
        return number


def another(code: str) -> str:
    """A code that it is not."""
    return f"{(int(code) + 1) % 10**6:06}"
