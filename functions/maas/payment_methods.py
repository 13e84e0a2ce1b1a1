"""Payment methods: the cards that a user has saved."""

import os
import re
from typing import Annotated, Final, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field

from kickstand.identity import service as identity
from kickstand.payments import methods
from kickstand.payments import service as payments
from kickstand.payments.model import PaymentProfile, SavedCard
from maas._schemas import Body, Number, UserId, Wire
from maas._surface import (
    INVALID_REQUEST,
    PAYMENT_ERROR,
    PAYMENT_METHOD_EXISTS,
    PAYMENT_METHOD_NOT_FOUND,
    PAYMENT_PROVIDER_UNAVAILABLE,
    TRY_AGAIN,
    USER_MISMATCH,
    USER_NOT_FOUND,
    Caller,
    LocalisedHeaders,
    maas,
)

_LONGEST_URL: Final = 2_000
_URL: Final = re.compile(r"([a-z][a-z0-9+.-]{1,63}):[!-\[\]-~]+", re.IGNORECASE | re.ASCII)
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
# What browsers and phones give a meaning of their own, so that no app can own it.
# fmt: off
_NO_APPS: Final = frozenset((
    "about", "android-app", "blob", "cid", "content", "data", "facetime", "feed", "file", "filesystem", "ftp", "ftps",
    "geo", "imap", "intent", "itms", "itms-apps", "jar", "javascript", "ldap", "mailto", "market", "mid", "mms", "ms",
    "news", "resource", "rtsp", "sftp", "sip", "sips", "sms", "smsto", "ssh", "tel", "telnet", "vbscript",
    "view-source", "ws", "wss", "xmpp",
))
# fmt: on


def _return_url(text: str) -> str:
    match = _URL.fullmatch(text)
    if match is None or len(text) > _LONGEST_URL:
        raise ValueError(f"not an absolute URL of at most {_LONGEST_URL} characters")
    scheme, parts = match.group(1).lower(), urlsplit(text)
    if scheme in {"http", "https"}:
        _check_page(scheme, parts)
    elif scheme in _NO_APPS:
        raise ValueError(f"{scheme}: does not lead back to an app")
    return text


def _check_page(scheme: str, parts: SplitResult) -> None:
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise ValueError("it names no host, or somebody who signs in there")
    if scheme == "http" and parts.hostname not in _THIS_MACHINE:
        raise ValueError("pages on the web are at https addresses")


ReturnUrl = Annotated[str, AfterValidator(_return_url)]
"""Where a browser goes back to: an https page, an app by its own scheme, or an app that listens on the machine."""


class PaymentMethodsQuery(Wire):
    """Whose payment methods."""

    user_id: UserId


class PaymentMethod(Wire):
    """A saved card."""

    id: str
    type: Literal["card"] = "card"
    brand: str = Field(description="Such as `visa` or `mastercard`.")
    last4: str = Field(description="The last digits of its number.")
    expiry_month: Number = Field(description="1 to 12.")
    expiry_year: Number
    is_default: bool = Field(description="Whether this is the one that is charged.")

    @classmethod
    def of(cls, card: SavedCard, profile: PaymentProfile) -> Self:
        """The wire form of a card."""
        year, month = card.expires.split("-")
        return cls(
            id=card.ref,
            brand=card.brand,
            last4=card.last4,
            expiry_month=int(month),
            expiry_year=int(year),
            is_default=card == profile.card,
        )


class PaymentMethods(Wire):
    """The cards of a user, the one saved first in front."""

    methods: list[PaymentMethod]


class ReturnPaths(Body):
    """Where the user's browser goes back to: absolute `https` URLs, or URLs of an app's own scheme."""

    success_path: ReturnUrl = Field(description="When the card is saved.")
    cancel_path: ReturnUrl = Field(description="When the user gives up.")


class SavePaymentMethod(Body):
    """Who saves a card."""

    paths: ReturnPaths
    user_id: UserId


class PaymentMethodSetup(Wire):
    """With what the user goes on: in the browser at `webUrl`, or in your app at the payment provider."""

    web_url: str = Field(repr=False, description="The page on which the user chooses a card, for a day.")
    provider: Literal["stripe"] = "stripe"
    url: str = Field(repr=False, description="The same as `webUrl`.")
    setup_token: str = Field(repr=False, description="What `webUrl` ends with.")
    session_id: str = Field(description="The provider's id of the setup.")
    publishable_key: str = Field(description="By which the provider's SDKs know us.")
    client_secret: str = Field(
        repr=False,
        description="With it, the user's app goes on with the setup at the provider. Show it to nobody else.",
    )


class PaymentMethodsRemoved(Wire):
    """That they are removed, there is nothing to tell of."""


@maas.operation(
    "GET",
    "/payments/payment-methods",
    tag="Payments",
    access="PaymentMethodRequests",
    layers=("payments",),
    memory=1024,
    timeout=29,
    errors=(INVALID_REQUEST, USER_MISMATCH, USER_NOT_FOUND, TRY_AGAIN, PAYMENT_PROVIDER_UNAVAILABLE),
)
def get_payment_methods(caller: Caller, query: PaymentMethodsQuery) -> PaymentMethods:
    """List the payment methods of a user.

    A card that the user has saved at the payment provider a moment ago is among them.
    """
    caller.acts_for(query.user_id)
    profile = methods.cards(_rider_id(caller, query.user_id))
    return PaymentMethods(methods=[PaymentMethod.of(card, profile) for card in profile.cards])


@maas.operation(
    "POST",
    "/payments/payment-methods",
    tag="Payments",
    access="PaymentMethodRequests",
    layers=("payments",),
    memory=1024,
    timeout=29,
    errors=(
        INVALID_REQUEST,
        PAYMENT_ERROR,
        USER_MISMATCH,
        USER_NOT_FOUND,
        PAYMENT_METHOD_EXISTS,
        TRY_AGAIN,
        PAYMENT_PROVIDER_UNAVAILABLE,
    ),
)
def add_payment_method(
    caller: Caller,
    headers: LocalisedHeaders,  # noqa: ARG001 - the reference asks for the language
    body: SavePaymentMethod,
) -> PaymentMethodSetup:
    """Begin to save a card.

    The user chooses it at `webUrl`, or in your app, and their bank may ask for a proof (3-D Secure). It is there as
    soon as the payment provider has it. Beginning again gives up what was begun before.
    """
    return _begin(caller, body, replaces=False)


@maas.operation(
    "PUT",
    "/payments/payment-methods",
    tag="Payments",
    access="PaymentMethodRequests",
    layers=("payments",),
    memory=1024,
    timeout=29,
    errors=(
        INVALID_REQUEST,
        PAYMENT_ERROR,
        USER_MISMATCH,
        USER_NOT_FOUND,
        TRY_AGAIN,
        PAYMENT_PROVIDER_UNAVAILABLE,
    ),
)
def replace_payment_method(
    caller: Caller,
    headers: LocalisedHeaders,  # noqa: ARG001 - the reference asks for the language
    body: SavePaymentMethod,
) -> PaymentMethodSetup:
    """Begin to save a card that takes the place of those saved before.

    Until the new card is saved, the others stay. A user who has none saves the first one.
    """
    return _begin(caller, body, replaces=True)


@maas.operation(
    "DELETE",
    "/payments/payment-methods",
    tag="Payments",
    access="PaymentMethodRequests",
    layers=("payments",),
    memory=1024,
    timeout=29,
    errors=(
        INVALID_REQUEST,
        PAYMENT_ERROR,
        USER_MISMATCH,
        USER_NOT_FOUND,
        PAYMENT_METHOD_NOT_FOUND,
        TRY_AGAIN,
        PAYMENT_PROVIDER_UNAVAILABLE,
    ),
)
def remove_payment_method(caller: Caller, query: PaymentMethodsQuery) -> PaymentMethodsRemoved:
    """Remove the payment methods of a user.

    They are charged no more from then on, whatever the answer: after a failure of the payment provider, sending it
    again lets the provider forget them, too. A subscription that renews itself, and what the user owes, stay; they
    then wait for another payment method.
    """
    caller.acts_for(query.user_id)
    methods.remove(_rider_id(caller, query.user_id))
    return PaymentMethodsRemoved()


def _begin(caller: Caller, body: SavePaymentMethod, *, replaces: bool) -> PaymentMethodSetup:
    caller.acts_for(body.user_id)
    profile, setup = methods.begin(
        _rider_id(caller, body.user_id),
        success_url=body.paths.success_path,
        cancel_url=body.paths.cancel_path,
        replaces=replaces,
    )
    token = profile.setup.token if profile.setup is not None else ""
    url = f"{os.environ['CHECKOUT_URL']}/cards/{token}"
    return PaymentMethodSetup(
        web_url=url,
        url=url,
        setup_token=token,
        session_id=setup.ref,
        publishable_key=payments.provider().publishable_key(),
        client_secret=setup.secret or "",
    )


def _rider_id(caller: Caller, user_id: str) -> int:
    return identity.external(caller.client, user_id).rider_id
