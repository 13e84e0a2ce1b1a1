"""The payment provider of this machine: localstripe behind a gate that makes it behave like Stripe where it does not.

localstripe holds customers, cards, payments and refunds, and knows the test cards. The gate adds what is essential for
money and missing there: idempotency keys, payments that the rider's browser confirms, declines that name their
payment, proofs (3-D Secure) that are wanted while the rider is away, cards that are saved with a payment, holds that
expire, limits of captures and refunds, and signed webhooks.
"""

import hashlib
import hmac
import json
import logging
import queue
import re
import secrets
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

import urllib3

from kickstand.kernel import clock
from local.errors import PlatformError
from local.state import State
from local.types import Json
from local.wsgi import Request, Response, json_response

_log = logging.getLogger(__name__)

KEYS: Final = {
    "secret_key": "sk_test_of-this-machine-only",
    "publishable_key": "pk_test_of-this-machine-only",
    "webhook_secret": "whsec_of-this-machine-only",
}
"""The keys of this machine's account; they open nothing anywhere else."""

CARDS: Final = {
    "4242424242424242": "is charged",
    "4000002500003155": "is proved when it is saved or first charged; charged without the rider from then on",
    "4000002760003184": "wants a proof (3-D Secure) for every payment",
    "4000008400001629": "wants a proof, and is declined after it",
    "4000000000000341": "can be saved; every payment is declined",
    "4000000000000002": "is declined, also when it is saved",
    "4000000000009995": "is declined: insufficient funds",
}
"""Numbers of test cards and what becomes of them; any expiry to come, any code of three digits."""

_DECLINES: Final = {
    "4000000000000002": ("card_declined", "generic_decline"),
    "4000000000009995": ("card_declined", "insufficient_funds"),
    "4000000000009987": ("card_declined", "lost_card"),
    "4000000000009979": ("card_declined", "stolen_card"),
    "4000000000000069": ("expired_card", "expired_card"),
    "4000000000000127": ("incorrect_cvc", "incorrect_cvc"),
    "4000000000000119": ("processing_error", "processing_error"),
}
_PROVED_ONCE: Final = "4000002500003155"

HOLD: Final = timedelta(days=7)
"""How long an amount is held."""
HOLD_WHILE_AWAY: Final = timedelta(days=4, hours=18)
"""How long, where the rider was not there: some banks keep it shorter then."""
KEY_LIFE: Final = timedelta(days=1)
"""How long a request is known by its key."""

_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 3.0
_TRIES: Final = 3
_ROOT: Final = Path(__file__).resolve().parent.parent
_SCRIPT: Final = Path(__file__).with_suffix(".js")
_ORIGINS: Final = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}
_UNCAPTURED: Final = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})
_OK: Final = 200
_BAD_REQUEST: Final = 400
_UNAUTHORIZED: Final = 401
_PAYMENT_REQUIRED: Final = 402
_NOT_FOUND: Final = 404
_SERVER_ERROR: Final = 500

Document = dict[str, Json]


def described(port: int) -> Document:
    """What a developer needs to pay."""
    known = {"url": f"http://127.0.0.1:{port}", "publishable_key": KEYS["publishable_key"], "cards": dict(CARDS)}
    return {**known, "expiry": "any to come", "code": "any of three digits"}


class Localstripe:
    """localstripe as a child process, started when it is first needed."""

    def __init__(self, folder: Path, port: int, *, keep: bool = True) -> None:
        self._folder = folder
        self._port = port
        self._keep = keep
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()
        self._pool = urllib3.connection_from_url(f"http://127.0.0.1:{port}", maxsize=8, retries=False, timeout=30)

    def ask(self, method: str, path: str, document: Document | None = None) -> tuple[int, bytes]:
        """The status and body of its answer.

        Raises:
            PlatformError: it does not come up.
        """
        self._start()
        headers = {"Authorization": "Bearer sk_test_of-the-gate", "Content-Type": "application/json"}
        body = None if document is None else json.dumps(document).encode()
        answer = self._pool.request(method, path, body=body, headers=headers)
        return answer.status, answer.data

    def stop(self) -> None:
        """End the process, if there is one."""
        with self._starting:
            if self._process is None:
                return
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None

    def _start(self) -> None:
        with self._starting:
            if self._process is not None:
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-m", "local.payments_process", f"--port={self._port}"]
            if self._keep:
                command.append(f"--store={self._folder / 'payments.pickle'}")
            with (self._folder / "payments.log").open("ab") as log:
                self._process = subprocess.Popen(
                    command,
                    cwd=_ROOT,
                    stdin=subprocess.PIPE,  # closed with this process, however it ends: then the other one ends, too
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # an interrupt from the terminal reaches the platform only
                )
            self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                self._process = None
                raise PlatformError(f"localstripe ended at its start: see {self._folder / 'payments.log'}")
            with suppress(urllib3.exceptions.HTTPError):
                self._pool.request("GET", "/")
                return
            time.sleep(0.02)
        raise PlatformError(f"localstripe did not answer within {_START_SECONDS:.0f} s")


class Refused(Exception):
    """What the provider answers when it refuses."""

    def __init__(self, status: int, kind: str, code: str | None, message: str, **more: Json) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": kind, "message": message, **({"code": code} if code else {}), **more}


def _invalid(code: str | None, message: str, **more: Json) -> Refused:
    return Refused(_BAD_REQUEST, "invalid_request_error", code, message, **more)


@dataclass
class Webhooks:
    """Whom the gate tells of what happens, and how often each event is sent; tests change it."""

    url: str | None = None
    times: int = 1


@dataclass(frozen=True)
class Call:
    """A request to the provider, taken apart."""

    method: str
    path: str
    document: Document = field(default_factory=dict)
    trusted: bool = False


class Gate:
    """What stands between our functions, the riders' browsers and localstripe. One request at a time."""

    def __init__(self, localstripe: Localstripe, state: State, webhooks: Webhooks | None = None) -> None:
        self.webhooks = webhooks or Webhooks()
        self.events: list[Document] = []
        """All events of this run, oldest first."""
        self.requests: list[Call] = []
        """All requests of this run that were carried out, oldest first; a repeated one is not among them."""
        self.intents: list[str] = []
        """The payments of this run, oldest first."""
        self._localstripe = localstripe
        self._state = state
        self._lock = threading.Lock()
        self._messenger = Messenger(self.webhooks)
        one = r"(?P<ref>[\w-]+)"
        self._routes: list[tuple[str, re.Pattern[str], bool, Callable[[str, Document, bool], Document]]] = [
            (method, re.compile(path), public, answer)
            for method, path, public, answer in (
                ("POST", "/v1/payment_methods", True, self._create_method),
                ("POST", f"/v1/payment_methods/{one}/detach", False, self._detach),
                ("POST", "/v1/setup_intents", False, self._create_setup),
                ("GET", f"/v1/setup_intents/{one}", True, self._show_setup),
                ("POST", f"/v1/setup_intents/{one}/confirm", True, self._confirm_setup),
                ("POST", f"/v1/setup_intents/{one}/cancel", True, self._cancel_setup),
                ("POST", "/v1/payment_intents", False, self._create_intent),
                ("GET", f"/v1/payment_intents/{one}", True, self._show_intent),
                ("POST", f"/v1/payment_intents/{one}/confirm", True, self._confirm_intent),
                ("POST", f"/v1/payment_intents/{one}/_authenticate", True, self._authenticate_intent),
                ("POST", f"/v1/payment_intents/{one}/cancel", False, self._cancel_intent),
                ("POST", f"/v1/payment_intents/{one}/capture", False, self._capture),
                ("POST", "/v1/refunds", False, self._refund),
            )
        ]

    def stop(self) -> None:
        """Send no more webhooks."""
        self._messenger.stop()

    def idle(self) -> bool:
        """Whether every webhook has been sent."""
        return self._messenger.idle()

    def deliver(self, event: Document) -> int:
        """Send an event now, whatever the settings; answers the receiver's status."""
        return self._messenger.deliver(event)

    def payment(self, ref: str) -> Document:
        """A payment as the provider has it."""
        with self._lock:
            return self._show_intent(ref, {"expand": ["latest_charge"]}, True)

    def answer(self, request: Request) -> Response:
        """The answer to a request."""
        if request.method == "OPTIONS":
            return Response(204, _ORIGINS)
        if request.path.startswith("/js.stripe.com/"):
            status, body = self._localstripe.ask("GET", request.path)
            return Response(status, {"Content-Type": "application/javascript"}, body + _SCRIPT.read_bytes())
        try:
            call = self._call(request)
            with self._lock:
                status, document = self._once(call, request.headers.get("idempotency-key"))
        except Refused as refused:
            status, document = refused.status, {"error": refused.error}
        return json_response(status, document, {**_ORIGINS, "Request-Id": f"req_{secrets.token_hex(7)}"})

    # ── Who asks, and whether for the first time ─────────────────────────────────────────────────────────────────────

    @staticmethod
    def _call(request: Request) -> Call:
        document = _nested(parse_qsl(request.query_string, keep_blank_values=True))
        if request.method == "POST":
            text = request.body.decode()
            document |= json.loads(text) if text.startswith("{") else _nested(parse_qsl(text, keep_blank_values=True))
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            credential = b64decode(credential).decode().partition(":")[0]
        key = credential or document.get("key")
        document.pop("key", None)
        if key not in {KEYS["secret_key"], KEYS["publishable_key"]}:
            raise Refused(_UNAUTHORIZED, "invalid_request_error", None, "Invalid API Key provided")
        return Call(request.method, request.path, document, trusted=key == KEYS["secret_key"])

    def _once(self, call: Call, key: str | None) -> tuple[int, Document]:
        if key is None or call.method != "POST":
            return self._carry_out(call)
        name = f"payments/key/{key}"
        asked = hashlib.sha256(json.dumps([call.path, call.document], sort_keys=True).encode()).hexdigest()
        known = json.loads(self._state.setting(name) or "null")
        if known and clock.now() < datetime.fromisoformat(known["until"]):
            if known["asked"] != asked:
                message = "Keys for idempotent requests can only be used with the parameters they were first used with."
                raise Refused(_BAD_REQUEST, "idempotency_error", None, message)
            return int(known["status"]), known["document"]
        status, document = self._carry_out(call)
        until = (clock.now() + KEY_LIFE).isoformat()
        kept = {"asked": asked, "status": status, "document": document, "until": until}
        self._state.remember(name, json.dumps(kept))
        return status, document

    def _carry_out(self, call: Call) -> tuple[int, Document]:
        self.requests.append(call)
        try:
            return _OK, self._route(call)
        except Refused as refused:
            return refused.status, {"error": refused.error}

    def _route(self, call: Call) -> Document:
        for method, pattern, public, answer in self._routes:
            match = pattern.fullmatch(call.path)
            if match and method == call.method and (call.trusted or public):
                ref = match.groupdict().get("ref", "")
                if ref and not call.trusted:
                    self._prove_secret(ref, call.document)
                return answer(ref, call.document, call.trusted)
        if not call.trusted:
            raise Refused(_UNAUTHORIZED, "invalid_request_error", None, "This takes the secret key")
        return self._ask(call.method, call.path, call.document or None)

    def _prove_secret(self, ref: str, document: Document) -> None:
        given = str(document.pop("client_secret", ""))
        kind = "setup_intents" if ref.startswith("seti_") else "payment_intents"
        if not hmac.compare_digest(given, str(self._ask("GET", f"/v1/{kind}/{ref}")["client_secret"])):
            raise Refused(_UNAUTHORIZED, "invalid_request_error", None, "The client secret is not the intent's")

    # ── Cards ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _create_method(self, _ref: str, document: Document, _trusted: bool) -> Document:
        wanted = _only(document, "type", "card", "billing_details")
        card = wanted["card"] = {
            name: str(value).replace(" ", "")
            for name, value in dict(wanted.get("card") or {}).items()
            if name in {"number", "exp_month", "exp_year", "cvc"}
        }
        method = self._ask("POST", "/v1/payment_methods", wanted)
        self._note(method["id"], number=card.get("number"))
        return method

    def _detach(self, ref: str, _document: Document, _trusted: bool) -> Document:
        if self._ask("GET", f"/v1/payment_methods/{ref}")["customer"] is None:
            raise _invalid(None, "The payment method is not attached to a customer, so it cannot be detached.")
        self._note(ref, detached=True)
        return self._ask("POST", f"/v1/payment_methods/{ref}/detach", {})

    def _attach(self, method: str, customer: str | None) -> None:
        if customer is not None:
            self._ask("POST", f"/v1/payment_methods/{method}/attach", {"customer": customer})
            self._note(method, set_up=True)

    def _chosen(self, document: Document) -> str | None:
        """The card that a request names or describes."""
        if data := document.get("payment_method_data"):
            return str(self._create_method("", data, False)["id"])
        method = document.get("payment_method")
        if method is not None and self._noted(str(method)).get("detached"):
            raise _invalid(None, "The payment method was detached from a customer. It may not be used again.")
        return None if method is None else str(method)

    # ── Cards that are saved without a payment ───────────────────────────────────────────────────────────────────────

    def _create_setup(self, _ref: str, document: Document, _trusted: bool) -> Document:
        wanted = _only(document, "customer", "usage", "metadata")
        return self._ask("POST", "/v1/setup_intents", wanted)

    def _show_setup(self, ref: str, _document: Document, _trusted: bool) -> Document:
        found = self._ask("GET", f"/v1/setup_intents/{ref}")
        failed = found["status"] == "requires_payment_method"
        return {**found, "last_setup_error": self._noted(ref).get("problem") if failed else None}

    def _confirm_setup(self, ref: str, document: Document, _trusted: bool) -> Document:
        path, found = f"/v1/setup_intents/{ref}", self._show_setup(ref, {}, True)
        if found["status"] in {"succeeded", "canceled"}:
            raise _unexpected("setup_intent", found)
        method = self._chosen(document)
        if method is None and found["status"] != "requires_action":
            raise _invalid("setup_intent_unexpected_state", "There is no payment method to confirm with.")
        if method is not None:
            self._ask("POST", path, {"status": "requires_payment_method", "payment_method": None, "next_action": None})
        try:
            # Without a method, localstripe takes a confirmation for the proof that it waits for.
            self._ask("POST", f"{path}/confirm", {"payment_method": method} if method else {})
        except Refused as refused:
            if refused.status == _PAYMENT_REQUIRED:
                raise self._setup_failed(ref, *self._decline(str(method))) from None
            raise
        found = self._show_setup(ref, {}, True)
        if found["status"] == "succeeded":
            self._attach(str(found["payment_method"]), found["customer"])
        self._tell(f"setup_intent.{found['status']}", found)
        return found

    def _cancel_setup(self, ref: str, _document: Document, trusted: bool) -> Document:
        found = self._show_setup(ref, {}, True)
        if not trusted and found["status"] == "requires_action":  # how localstripe's script says that the proof failed
            with suppress(Refused):
                raise self._setup_failed(ref, "setup_intent_authentication_failure", None)
            return self._show_setup(ref, {}, True)
        if not trusted or found["status"] in {"succeeded", "canceled"}:
            raise _unexpected("setup_intent", found)
        found = self._ask("POST", f"/v1/setup_intents/{ref}/cancel", {})
        self._tell("setup_intent.canceled", found)
        return found

    def _setup_failed(self, ref: str, code: str, decline: str | None) -> Refused:
        problem = {"type": "card_error", "code": code, "decline_code": decline, "message": "The card was declined."}
        nothing = {"status": "requires_payment_method", "payment_method": None, "next_action": None}
        self._ask("POST", f"/v1/setup_intents/{ref}", nothing)
        self._note(ref, problem=problem)
        found = self._show_setup(ref, {}, True)
        self._tell("setup_intent.setup_failed", found)
        return Refused(_PAYMENT_REQUIRED, "card_error", code, "The card was declined.", setup_intent=found)

    # ── Payments ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _create_intent(self, _ref: str, document: Document, _trusted: bool) -> Document:
        method, customer = document.get("payment_method"), document.get("customer")
        if method is not None and self._ask("GET", f"/v1/payment_methods/{method}")["customer"] != customer:
            raise _invalid("resource_missing", "The customer has no such payment method.", param="payment_method")
        wanted = _only(document, "amount", "currency", "customer", "metadata", "capture_method")
        ref = str(self._ask("POST", "/v1/payment_intents", wanted)["id"])
        self.intents.append(ref)
        options = document.get("payment_method_options") or {}
        saving = document.get("setup_future_usage") or (options.get("card") or {}).get("setup_future_usage")
        away = document.get("off_session") in {"true", True}
        until = clock.now() + (HOLD_WHILE_AWAY if away else HOLD)
        self._note(ref, save=bool(saving), until=until.isoformat())
        if document.get("confirm") in {"true", True}:
            self._attempt(ref, str(method), away=away)
        return self._show_intent(ref, document, True)

    def _show_intent(self, ref: str, document: Document, _trusted: bool) -> Document:
        found, note = self._ask("GET", f"/v1/payment_intents/{ref}"), self._noted(ref)
        if found["status"] == "requires_capture" and clock.now() >= datetime.fromisoformat(note["until"]):
            self._ask("POST", f"/v1/payment_intents/{ref}/cancel", {})
            self._note(ref, cancelled="automatic")
            self._tell("payment_intent.canceled", self._show_intent(ref, {}, True))
            return self._show_intent(ref, document, True)
        taken = note.get("captured", found["amount"]) if found["status"] == "succeeded" else 0
        charge = found["latest_charge"]
        if charge is not None:
            refunded = charge["amount_refunded"] if taken else 0
            until = int(datetime.fromisoformat(note["until"]).timestamp())
            card = {"type": "card", "card": {"capture_before": until}}
            charge = charge | {"amount_captured": taken, "amount_refunded": refunded, "metadata": found["metadata"]}
            charge["payment_method_details"] = card
        failed = found["status"] == "requires_payment_method"
        expanded = "latest_charge" in (document.get("expand") or [])
        return {
            **found,
            "amount_received": taken,
            "amount_capturable": found["amount"] if found["status"] == "requires_capture" else 0,
            "latest_charge": charge if expanded or charge is None else charge["id"],
            "last_payment_error": note.get("problem") if failed else None,
            "cancellation_reason": note.get("cancelled"),
        }

    def _confirm_intent(self, ref: str, document: Document, trusted: bool) -> Document:
        found = self._show_intent(ref, {}, True)
        if found["status"] not in _UNCAPTURED:
            raise _unexpected("payment_intent", found)
        method = self._chosen(document) or found["payment_method"]
        if method is None:
            raise _invalid("payment_intent_unexpected_state", "There is no payment method to confirm with.")
        if document.get("setup_future_usage"):
            self._note(ref, save=True)
        self._attempt(ref, method, away=trusted and document.get("off_session") in {"true", True})
        return self._show_intent(ref, document, True)

    def _attempt(self, ref: str, method: str, *, away: bool) -> None:
        """Charge a card.

        Raises:
            Refused: it is declined, or its bank wants the rider, who is away.
        """
        path, card = f"/v1/payment_intents/{ref}", self._noted(method)
        self._ask("POST", path, {"payment_method": method, "latest_charge": None, "next_action": None})
        self._note(ref, problem=None)
        if card.get("number") in _DECLINES:
            raise self._failed(ref, method, *self._decline(method))
        self._try_charge(ref, method, f"{path}/confirm", {})
        found = self._show_intent(ref, {}, True)
        if found["status"] == "requires_action" and card.get("set_up") and card.get("number") == _PROVED_ONCE:
            self._try_charge(ref, method, f"{path}/_authenticate", _proof(found, success=True))
        elif found["status"] == "requires_action" and away:
            raise self._failed(ref, method, "authentication_required", "authentication_required")
        elif found["status"] == "requires_action":
            self._tell("payment_intent.requires_action", found)
            return
        self._charged(ref, method)

    def _authenticate_intent(self, ref: str, document: Document, _trusted: bool) -> Document:
        found = self._show_intent(ref, {}, True)
        if found["status"] != "requires_action":
            raise _unexpected("payment_intent", found)
        success, method = document.get("success") in {"true", True}, str(found["payment_method"])
        self._try_charge(ref, method, f"/v1/payment_intents/{ref}/_authenticate", _proof(found, success=success))
        if success:
            self._charged(ref, method)
        else:
            with suppress(Refused):
                raise self._failed(ref, method, "payment_intent_authentication_failure", None)
        return self._show_intent(ref, document, True)

    def _try_charge(self, ref: str, method: str, path: str, document: Document) -> None:
        try:
            self._ask("POST", path, document)
        except Refused as refused:
            if refused.status == _PAYMENT_REQUIRED:
                raise self._failed(ref, method, *self._decline(method)) from None
            raise

    def _charged(self, ref: str, method: str) -> None:
        found, note = self._show_intent(ref, {}, True), self._noted(ref)
        if note.get("save"):
            self._attach(method, found["customer"])
        held = found["status"] == "requires_capture"
        self._tell("payment_intent.amount_capturable_updated" if held else "payment_intent.succeeded", found)

    def _failed(self, ref: str, method: str, code: str, decline: str | None) -> Refused:
        problem: Document = {"type": "card_error", "code": code, "message": "The card was declined."}
        problem |= {"payment_method": self._ask("GET", f"/v1/payment_methods/{method}")}
        problem |= {"decline_code": decline} if decline else {}
        # A failed attempt takes its card along: the next one names a card again.
        nothing = {"payment_method": None, "latest_charge": None, "next_action": None}
        self._ask("POST", f"/v1/payment_intents/{ref}", nothing)
        self._note(ref, problem=problem)
        found = self._show_intent(ref, {}, True)
        self._tell("payment_intent.payment_failed", found)
        return Refused(
            _PAYMENT_REQUIRED, "card_error", code, "The card was declined.", decline_code=decline, payment_intent=found
        )

    def _decline(self, method: str) -> tuple[str, str]:
        return _DECLINES.get(str(self._noted(method).get("number")), ("card_declined", "generic_decline"))

    def _cancel_intent(self, ref: str, document: Document, _trusted: bool) -> Document:
        found = self._show_intent(ref, {}, True)
        if found["status"] not in _UNCAPTURED | {"requires_capture"}:
            raise _unexpected("payment_intent", found)
        self._ask("POST", f"/v1/payment_intents/{ref}/cancel", {})
        found = self._show_intent(ref, document, True)
        self._tell("payment_intent.canceled", found)
        return found

    def _capture(self, ref: str, document: Document, _trusted: bool) -> Document:
        found = self._show_intent(ref, {}, True)
        if found["status"] != "requires_capture":
            raise _unexpected("payment_intent", found)
        amount = int(document.get("amount_to_capture") or found["amount"])
        if amount > found["amount"]:
            raise _invalid("amount_too_large", "More is to be captured than is held.", param="amount_to_capture")
        self._ask("POST", f"/v1/payment_intents/{ref}/capture", {"amount_to_capture": amount})
        self._note(ref, captured=amount)
        found = self._show_intent(ref, document, True)
        self._tell("payment_intent.succeeded", found)
        return found

    def _refund(self, _ref: str, document: Document, _trusted: bool) -> Document:
        ref = str(document["payment_intent"])
        found = self._show_intent(ref, {"expand": ["latest_charge"]}, True)
        charge, taken = found["latest_charge"], found["amount_received"]
        left = taken - (charge["amount_refunded"] - (charge["amount"] - taken)) if taken else 0
        amount = int(document.get("amount") or left)
        if not 0 < amount <= left:
            code = "charge_already_refunded" if taken and not left else None
            raise _invalid(code, "More is to be refunded than is left of the charge.", param="amount")
        wanted = {"payment_intent": ref, "amount": amount, "metadata": document.get("metadata") or {}}
        refund = self._ask("POST", "/v1/refunds", wanted)
        charge = self._show_intent(ref, {"expand": ["latest_charge"]}, True)["latest_charge"]
        self._tell("charge.refunded", {**charge, "payment_intent": ref})
        return refund

    # ── localstripe, notes and webhooks ──────────────────────────────────────────────────────────────────────────────

    def _ask(self, method: str, path: str, document: Document | None = None) -> Document:
        status, body = self._localstripe.ask(method, path, document)
        if status >= _SERVER_ERROR:
            raise Refused(status, "api_error", None, "localstripe failed")
        answer: Document = json.loads(body)
        if status >= _BAD_REQUEST:
            known = answer.get("error", {})
            code = "resource_missing" if status == _NOT_FOUND else known.get("code")
            kind = "card_error" if status == _PAYMENT_REQUIRED else "invalid_request_error"
            raise Refused(status, kind, code, str(known.get("message", "Bad request")))
        return answer

    def _noted(self, ref: str) -> Document:
        known: Document = json.loads(self._state.setting(f"payments/note/{ref}") or "{}")
        return known

    def _note(self, ref: str, **known: Json) -> None:
        self._state.remember(f"payments/note/{ref}", json.dumps(self._noted(ref) | known))

    def _tell(self, kind: str, about: Document) -> None:
        event = {
            "id": f"evt_{secrets.token_hex(12)}",
            "object": "event",
            "type": kind,
            "created": int(time.time()),
            "livemode": False,
            "data": {"object": about},
        }
        self.events.append(event)
        self._messenger.send(event)


class Messenger:
    """Sends webhooks from a thread of its own."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks
        self._waiting: queue.Queue[Document | None] = queue.Queue()
        self._pool = urllib3.PoolManager(retries=False, timeout=30)
        self._thread: threading.Thread | None = None

    def send(self, event: Document) -> None:
        """Send an event as often as is set."""
        if self._webhooks.url is None or not self._webhooks.times:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="payment webhooks", daemon=True)
            self._thread.start()
        for _ in range(self._webhooks.times):
            self._waiting.put(event)

    def deliver(self, event: Document) -> int:
        """Send an event now; answers the receiver's status."""
        body = json.dumps(event).encode()
        at = int(time.time())
        signed = hmac.new(KEYS["webhook_secret"].encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "Stripe-Signature": f"t={at},v1={signed}"}
        return int(self._pool.request("POST", str(self._webhooks.url), body=body, headers=headers).status)

    def idle(self) -> bool:
        """Whether nothing waits."""
        return self._waiting.unfinished_tasks == 0

    def stop(self) -> None:
        """Send no more."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while (event := self._waiting.get()) is not None:
            try:
                self._try(event)
            finally:
                self._waiting.task_done()

    def _try(self, event: Document) -> None:
        for attempt in range(_TRIES):
            with suppress(urllib3.exceptions.HTTPError):
                status = self.deliver(event)
                if status < _BAD_REQUEST:
                    return
                _log.info("payment webhook %s was answered with %d", event["type"], status)
            time.sleep(0.2 * 2**attempt)


def _unexpected(kind: str, found: Document) -> Refused:
    message = f"This is not possible while the intent is {found['status']}."
    return _invalid(f"{kind}_unexpected_state", message, **{kind: found})


def _proof(intent: Mapping[str, Json], *, success: bool) -> Document:
    return {"client_secret": intent["client_secret"], "success": success}


def _only(document: Document, *names: str) -> Document:
    return {name: document[name] for name in names if name in document}


def _nested(pairs: list[tuple[str, str]]) -> Document:
    """Form fields such as ``card[number]`` and ``expand[0]`` as objects and lists."""
    tree: Document = {}
    for name, value in pairs:
        *path, last = re.findall(r"[^\[\]]+", name) or [name]
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    return {name: _listed(value) for name, value in tree.items()}


def _listed(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    if value and all(name.isdecimal() for name in value):
        return [_listed(value[name]) for name in sorted(value, key=int)]
    return {name: _listed(each) for name, each in value.items()}
