"""CRM: how apps reach the system through which users get help."""

from typing import Annotated

from pydantic import AfterValidator, Field

from kickstand.support import crm
from kickstand.support.model import Platform
from maas._schemas import Text, TextualId, Wire
from maas._surface import CRM_NOT_CONFIGURED, INVALID_REQUEST, SYSTEM_NOT_FOUND, Invalid, maas


class CrmSettings(Wire):
    """What an app tells the customer relations system of a user."""

    provider: str = Field(description="Such as `intercom`.")
    app_id: str = Field(description="What the provider calls the system's workspace.")
    token: str = Field(description="The HMAC-SHA256 of the user's id in hexadecimal digits, which proves it.")


class CrmPath(Wire):
    """Which system."""

    system_id: Annotated[TextualId, Invalid(SYSTEM_NOT_FOUND)]


def _named(text: str) -> str:
    if not text:
        raise ValueError("it is empty")
    return text


class CrmQuery(Wire):
    """Who uses what."""

    user_id: Annotated[Text, AfterValidator(_named)] = Field(description="The user's id, as the provider gets it.")
    platform: Platform = Field(description="Each has a secret of its own.")


@maas.operation(
    "GET",
    "/crm/{systemId}/settings",
    tag="CRM",
    access="CrmRequests",
    errors=(INVALID_REQUEST, SYSTEM_NOT_FOUND, CRM_NOT_CONFIGURED),
    public=True,
)
def get_crm_settings(path: CrmPath, query: CrmQuery) -> CrmSettings:
    """Get what an app needs to open the customer relations system as a user.

    Everybody may ask, for any user, without an access token: the token tells the provider that an id came through this
    API, and nothing about who asked for it.
    """
    access = crm.access(int(path.system_id), query.user_id, query.platform)
    return CrmSettings(provider=access.provider, app_id=access.app_id, token=access.token)
