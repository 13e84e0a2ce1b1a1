"""What requests for pages carry."""

from pydantic import BaseModel, Field


class PagePath(BaseModel):
    """Which page."""

    token: str = Field(description="The last part of the link.")


class PageHeaders(BaseModel):
    """What a browser says of its reader."""

    accept_language: str = Field(default="", alias="Accept-Language", description="The languages to read in.")
