"""One documented operation of a published API, declared once; functions, routes and documents come from it."""

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

BEYOND: Final = "beyond"
"""The path parameter that holds what a request's path has beyond the operation's; nothing but a slash is answered."""


@dataclass(frozen=True)
class ErrorAnswer:
    """One error that clients of a surface can meet.

    Attributes:
        status: HTTP status.
        code: the surface's own error code.
        detail: the documented text.
    """

    status: int
    code: str
    detail: str


@dataclass(frozen=True)
class Operation:
    """Everything about an operation that is not its code.

    Attributes:
        id: snake_case name, unique within the surface; also the name of the function.
        method: HTTP method.
        path: route below the surface's base, with ``{parameters}``.
        handler: the Lambda handler, ``package.module.function``.
        tag: the section of the reference.
        summary: one line.
        description: what clients should know; Markdown.
        access: name of the shared IAM role.
        layers: layers it needs beyond ``core`` and ``base``.
        path_model, query_model, header_model, body_model: decoded inputs, where it has any.
        body_required: whether a request without body is refused.
        form: whether the body is a form instead of JSON.
        raw: whether the body is taken as the bytes that came, whatever their type.
        response_model: the successful answer's body; ``None`` for a page of HTML.
        redirects: whether it may send a browser on to another address instead.
        errors: the error answers that clients can meet, beside those that every operation has.
        memory: MB.
        timeout: seconds.
        public: whether it asks nobody who they are.
        documented: whether the published reference has it; what a reference leaves to its servers is ours.
        deprecated: whether the reference advises against it.
    """

    id: str
    method: str
    path: str
    handler: str
    tag: str
    summary: str
    description: str
    access: str
    layers: tuple[str, ...]
    path_model: type[BaseModel] | None
    query_model: type[BaseModel] | None
    header_model: type[BaseModel] | None
    body_model: type[BaseModel] | None
    body_required: bool
    form: bool
    raw: bool
    response_model: type[BaseModel] | None
    redirects: bool
    errors: tuple[ErrorAnswer, ...]
    memory: int
    timeout: int
    public: bool
    documented: bool
    deprecated: bool

    @property
    def inputs(self) -> dict[str, type[BaseModel]]:
        """The models of what is decoded, by the part of the request: path, query, headers and body."""
        models = {
            "path": self.path_model,
            "query": self.query_model,
            "headers": self.header_model,
            "body": self.body_model,
        }
        return {part: model for part, model in models.items() if model is not None}

    @property
    def routes(self) -> tuple[str, ...]:
        """The routes of API Gateway that lead here.

        It takes no route that ends in a slash; what ends in one reaches the greedy variable of a route, whose value is
        then empty.
        """
        if not self.path.endswith("/"):
            return (self.path,)
        return self.path.removesuffix("/"), f"{self.path}{{{BEYOND}+}}"


@dataclass(frozen=True)
class Webhook:
    """One kind of request that a surface sends to its clients.

    Attributes:
        id: snake_case name of the reference.
        path: what it is sent to, below a client's address.
        tag: the section of the reference.
        summary: one line.
        description: what clients should know; Markdown.
        headers: what it carries beside the payload.
        payload: its body.
    """

    id: str
    path: str
    tag: str
    summary: str
    description: str
    headers: type[BaseModel]
    payload: type[BaseModel]
