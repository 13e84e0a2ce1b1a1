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
        path_model, query_model, body_model: decoded inputs, where it has any.
        body_required: whether a request without body is refused.
        response_model: the successful answer's body.
        errors: the error answers that clients can meet, beside those that every operation has.
        memory: MB.
        timeout: seconds.
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
    body_model: type[BaseModel] | None
    body_required: bool
    response_model: type[BaseModel]
    errors: tuple[ErrorAnswer, ...]
    memory: int
    timeout: int

    @property
    def routes(self) -> tuple[str, ...]:
        """The routes of API Gateway that lead here.

        It takes no route that ends in a slash; what ends in one reaches the greedy variable of a route, whose value is
        then empty.
        """
        if not self.path.endswith("/"):
            return (self.path,)
        return self.path.removesuffix("/"), f"{self.path}{{{BEYOND}+}}"
