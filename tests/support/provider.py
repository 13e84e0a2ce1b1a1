"""The payment provider in tests: localstripe behind the platform's gate, a rider's browser, and faults on the way."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import stripe
import urllib3

from kickstand.payments import methods, stripe_gateway
from kickstand.payments.stripe_gateway import Keys
from local.payments import KEYS, Gate, Localstripe, Webhooks
from local.server import free_port
from local.state import State
from local.wsgi import Request, Response, Server, application

OK: Final = "4242424242424242"
PROVED_ONCE: Final = "4000002500003155"
"""Wants a proof when it is saved, and none without the rider from then on."""
PROVED_ALWAYS: Final = "4000002760003184"
"""Wants a proof for every payment."""
PROVED_THEN_DECLINED: Final = "4000008400001629"
DECLINED_ON_CHARGE: Final = "4000000000000341"
DECLINED: Final = "4000000000000002"
"""Declined when it is saved, too."""
INSUFFICIENT_FUNDS: Final = "4000000000009995"

SUCCESS: Final = "https://app.example/saved"
CANCEL: Final = "https://app.example/cancelled"


class BrowserRefused(Exception):
    """What the provider answered to the rider's browser."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(status, error.get("code"))
        self.status = status
        self.code = error.get("code")
        self.decline = error.get("decline_code")


class Browser:
    """What a rider's browser does with what it was given: a client secret and the publishable key."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(retries=False, timeout=30)

    def confirm(self, secret: str, number: str = OK) -> dict[str, Any]:
        """Choose a card for a payment or a setup; its answer says whether a proof is wanted (``requires_action``)."""
        card = {"number": number, "exp_month": 12, "exp_year": 2034, "cvc": "123"}
        return self.post(secret, "confirm", payment_method_data={"type": "card", "card": card})

    def confirm_saved(self, secret: str, method: str) -> dict[str, Any]:
        """Choose a saved card for a payment, with the rider there."""
        return self.post(secret, "confirm", payment_method=method)

    def authenticate(self, secret: str, *, ok: bool = True) -> dict[str, Any]:
        """Prove who the rider is, or fail to.

        A payment that was tried while the rider was away is tried again first, as the provider's script does it.
        """
        if secret.startswith("seti_"):
            return self.post(secret, "confirm" if ok else "cancel")
        found = self.look(secret)
        if found["status"] == "requires_payment_method":
            self.confirm_saved(secret, found["last_payment_error"]["payment_method"]["id"])
        return self.post(secret, "_authenticate", success=ok)

    def look(self, secret: str) -> dict[str, Any]:
        """The payment or setup as a browser sees it."""
        path = f"{_path(secret)}?client_secret={secret}&key={KEYS['publishable_key']}"
        return _answered(self._pool.request("GET", self._url + path))

    def post(self, secret: str, what: str, **members: Any) -> dict[str, Any]:
        """Ask for something with the client secret."""
        body = {"key": KEYS["publishable_key"], "client_secret": secret, **members}
        return _answered(self._pool.request("POST", f"{self._url}{_path(secret)}/{what}", json=body))


def _path(secret: str) -> str:
    ref = secret.partition("_secret_")[0]
    return f"/v1/{'setup' if ref.startswith('seti_') else 'payment'}_intents/{ref}"


def _answered(response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    document: dict[str, Any] = response.json()
    if response.status >= 400:
        raise BrowserRefused(response.status, document["error"])
    return document


@dataclass(frozen=True)
class Taken:
    """Money that has really been taken, in the provider's minor units."""

    payment_id: int
    amount: int
    refunded: int


@dataclass
class _Faults:
    """Which of the calls to come fail, and how."""

    calls: int = 0
    planned: dict[int, bool] = field(default_factory=dict)


class LocalProvider(Browser):
    """The provider of one test."""

    def __init__(self, url: str, gate: Gate) -> None:
        super().__init__(url)
        self.gate = gate
        self._faults = _Faults()

    @property
    def calls(self) -> int:
        """How often the adapter has called the provider."""
        return self._faults.calls

    def fail_next(self, nth: int = 1, *, after: bool = False) -> None:
        """Let the ``nth`` call from now fail: before it reaches the provider, or ``after`` it has worked, unheard."""
        self._faults.planned[self._faults.calls + nth] = after

    def save_card(self, rider_id: int, number: str = OK) -> str:
        """Save a card as a rider does; answers the provider's name of it. It takes the place of those saved before."""
        _, setup = methods.begin(rider_id, success_url=SUCCESS, cancel_url=CANCEL, replaces=True)
        assert setup.secret is not None
        if self.confirm(setup.secret, number)["status"] == "requires_action":
            self.authenticate(setup.secret)
        card = methods.cards(rider_id).card
        assert card is not None
        return card.ref

    def taken(self) -> list[Taken]:
        """Every payment that money has been taken for, oldest first."""
        found = [self.gate.payment(ref) for ref in self.gate.intents]
        return [
            Taken(int(each["metadata"]["payment_id"]), each["amount_received"], _refunded(each))
            for each in found
            if each["amount_received"]
        ]

    def charges(self) -> int:
        """How often money has been taken."""
        return len(self.taken())

    def holds(self) -> int:
        """How many amounts are held."""
        return sum(self.gate.payment(ref)["status"] == "requires_capture" for ref in self.gate.intents)

    def signed(self, event: dict[str, Any]) -> tuple[bytes, str]:
        """An event as the provider sends it: body and signature."""
        body = json.dumps(event)
        return body.encode(), stripe.WebhookSignature.generate_signature_header(body, KEYS["webhook_secret"])

    def through_faults(self, request: Callable[..., Any]) -> Callable[..., Any]:
        """The SDK's way to the provider, with the faults on it."""

        def pass_on(*arguments: Any, **options: Any) -> Any:
            self._faults.calls += 1
            after = self._faults.planned.pop(self._faults.calls, None)
            if after is None:
                return request(*arguments, **options)
            if after:
                request(*arguments, **options)
            raise stripe.APIConnectionError("the connection was lost")  # type: ignore[no-untyped-call]

        return pass_on


def _refunded(payment: dict[str, Any]) -> int:
    charge = payment["latest_charge"]
    return int(charge["amount_refunded"] - (charge["amount"] - charge["amount_captured"]))


class _Place:
    """A server that lasts for all tests, with a gate of its own for each of them."""

    def __init__(self, folder: Path) -> None:
        self.localstripe = Localstripe(folder, free_port(), keep=False)
        self.gate: Gate | None = None
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._server = Server(application(self._answer), port, 8)

    def _answer(self, request: Request) -> Response:
        assert self.gate is not None
        return self.gate.answer(request)

    def stop(self) -> None:
        self._server.stop()
        self.localstripe.stop()


@pytest.fixture(scope="session")
def provider_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Place]:
    """localstripe's process: one for each worker."""
    place = _Place(tmp_path_factory.mktemp("provider"))
    yield place
    place.stop()


@contextmanager
def opened(place: _Place, folder: Path) -> Iterator[LocalProvider]:
    """A provider that knows nothing yet, with the process's adapter connected to it."""
    state = State(folder / "provider.db")
    place.gate = Gate(place.localstripe, state, Webhooks())
    place.localstripe.ask("DELETE", "/_config/data")
    provider = LocalProvider(place.url, place.gate)
    stripe_gateway.forget_keys()
    client = stripe_gateway.http_client()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAYMENT_PROVIDER_URL", place.url)
        patch.setattr(stripe_gateway, "read_keys", lambda: Keys(**KEYS))
        patch.setattr(client, "request_with_retries", provider.through_faults(client.request_with_retries))
        yield provider
    stripe_gateway.forget_keys()
    place.gate.stop()
    state.close()


@pytest.fixture
def provider(provider_place: _Place, tmp_path: Path) -> Iterator[LocalProvider]:
    """The payment provider, new for each test."""
    with opened(provider_place, tmp_path) as opened_provider:
        yield opened_provider
