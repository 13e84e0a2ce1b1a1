"""Authentication: how clients get the access tokens that all other operations ask for."""

from base64 import b64decode
from binascii import Error as BadBase64
from typing import Annotated, Final, Literal
from urllib.parse import unquote_plus

from pydantic import BaseModel, Field

from kickstand.clients import access
from kickstand.clients.errors import NotAuthenticated
from kickstand.http.messages import Request
from kickstand.http.surface import InvalidRequest, Problem
from maas._surface import GrantRefused, Invalid, maas

INVALID_REQUEST: Final = GrantRefused(400, "invalid_request", "The request is not valid", "invalid_request")
UNSUPPORTED_GRANT_TYPE: Final = GrantRefused(
    400, "invalid_request", "The grant type is not client_credentials", "unsupported_grant_type"
)
INVALID_CLIENT: Final = GrantRefused(401, "unauthorized", "No client has this id and this secret", "invalid_client")


class TokenRequest(BaseModel):
    """What a client sends to get an access token; its id and secret here, or as HTTP Basic authentication."""

    grant_type: Annotated[Literal["client_credentials"], Invalid(UNSUPPORTED_GRANT_TYPE, empty=INVALID_REQUEST)] = (
        Field(description="`client_credentials`")
    )
    client_id: str | None = None
    client_secret: str | None = None


class TokenResponse(BaseModel):
    """An access token."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - not a secret
    expires_in: int = Field(description="Seconds.")


@maas.operation(
    "POST",
    "/auth/token",
    tag="Authentication",
    access="TokenRequests",
    errors=(INVALID_REQUEST, UNSUPPORTED_GRANT_TYPE, INVALID_CLIENT),
    refusals={NotAuthenticated: INVALID_CLIENT},
    public=True,
    form=True,
    documented=False,
)
def issue_token(body: TokenRequest, request: Request) -> TokenResponse:
    """Get an access token.

    OAuth 2 client credentials (RFC 6749, 4.4): send `grant_type=client_credentials` as a form, with `client_id` and
    `client_secret` in it or as HTTP Basic authentication, and then the token as `Authorization: Bearer …` with every
    request. There are no scopes and no refresh tokens; ask again before the token expires.
    """
    client_id, secret = _presented(body, request)
    issued = access.exchange(client_id, secret)
    return TokenResponse(access_token=issued.token, expires_in=int(issued.valid_for.total_seconds()))


def _presented(body: TokenRequest, request: Request) -> tuple[str, str]:
    """The id and the secret that a client shows, in one of the two ways.

    Raises:
        InvalidRequest: it uses both.
        NotAuthenticated: it uses neither.
    """
    scheme, _, encoded = request.headers.get(maas.credential, "").partition(" ")
    basic = _decoded(encoded) if scheme.lower() == "basic" else None
    if basic is not None and body.client_secret is not None:
        raise InvalidRequest(Problem("body", "client_secret", missing=False, message="the secret is given twice"))
    if basic is not None:
        return basic
    if body.client_id is None or body.client_secret is None:
        raise NotAuthenticated
    return body.client_id, body.client_secret


def _decoded(encoded: str) -> tuple[str, str]:
    """What HTTP Basic authentication says, in which both parts are encoded like a form's (RFC 6749, 2.3.1)."""
    try:
        client_id, _, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (BadBase64, UnicodeDecodeError):
        raise NotAuthenticated from None
    return unquote_plus(client_id), unquote_plus(secret)
