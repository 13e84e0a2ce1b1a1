"""A published API: how its requests are authenticated, decoded, answered and logged. Each surface makes one."""

import inspect
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, Generic, TypeVar, get_type_hints

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ValidationError

from kickstand.http.messages import Answer, Event, Representation, Request, UnreadableBody, cached_answer, json_answer
from kickstand.http.operation import BEYOND, ErrorAnswer, Operation
from kickstand.kernel import store
from kickstand.kernel.errors import DomainError, described

Caller = TypeVar("Caller")
Handler = Callable[[Event, Any], Answer]

_PARTS: Final = ("path", "query", "body")
_NO_SUCH_ROUTE: Final = json_answer(404, b'{"message":"Not Found"}')

logger = Logger()


@dataclass(frozen=True)
class Loads:
    """Marks an input that names something to be read; ``expect`` lets the first round trip bring it along."""

    expect: Callable[[Any], None]


@dataclass(frozen=True)
class Problem:
    """Why an input was refused.

    Attributes:
        part: ``path``, ``query`` or ``body``.
        field: the outermost field's name; empty when the part as a whole is unreadable.
        missing: whether the field is absent or empty.
        message: what is wrong, without the client's value.
        annotation: the field's metadata, in which a surface may keep its own markers.
    """

    part: str
    field: str
    missing: bool
    message: str
    annotation: tuple[Any, ...] = ()


class InvalidRequest(Exception):
    """Input that does not fit the operation's declaration."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Surface(ABC, Generic[Caller]):
    """One published API. Subclasses say who calls and how errors look; :meth:`operation` declares what can be called.

    Args:
        name: the surface's name, as in its base path.
        max_body: longest request body in bytes.
    """

    def __init__(self, name: str, *, max_body: int) -> None:
        self.name = name
        self.max_body = max_body
        self.operations: dict[str, Operation] = {}

    @abstractmethod
    def authenticate(self, request: Request) -> Caller:
        """Who is calling; raises a domain error for nobody we know."""

    @abstractmethod
    def describe(self, caller: Caller) -> dict[str, Any]:
        """What of the caller belongs into a log line: identifiers, nothing personal."""

    @abstractmethod
    def refuse(
        self, operation: Operation, error: DomainError, overrides: Mapping[type[DomainError], ErrorAnswer]
    ) -> Answer:
        """The answer to a domain error."""

    @abstractmethod
    def refuse_input(self, operation: Operation, problem: Problem) -> Answer:
        """The answer to input that cannot be decoded."""

    @abstractmethod
    def fail(self, operation: Operation) -> Answer:
        """The answer to an error of ours."""

    def operation(  # noqa: PLR0913 - one declaration holds everything about an operation
        self,
        method: str,
        path: str,
        *,
        tag: str,
        access: str,
        errors: tuple[ErrorAnswer, ...] = (),
        refusals: Mapping[type[DomainError], ErrorAnswer] | None = None,
        answers: type[BaseModel] | None = None,
        layers: tuple[str, ...] = (),
        memory: int = 512,
        timeout: int = 10,
    ) -> Callable[[Callable[..., BaseModel | Representation]], Handler]:
        """Declare an operation and make its function a Lambda handler.

        The function names what it needs: ``caller`` (the authenticated client), ``path``, ``query`` and ``body``
        (pydantic models, decoded and validated) and ``request`` (the raw request, for conditional requests). A body
        that may be left out has a default.

        Args:
            method: HTTP method.
            path: the documented route.
            tag: section of the reference.
            access: name of the shared IAM role whose rights the operation needs.
            errors: error answers that clients can meet: those of the reference, and where it leaves some open, ours.
            refusals: answers to domain errors where they differ from the surface's table.
            answers: the answer's model, for functions that return a ready :class:`Representation` of it.
            layers: layers needed beyond ``core`` and ``base``.
            memory: MB.
            timeout: seconds.
        """

        def declare(function: Callable[..., BaseModel | Representation]) -> Handler:
            hints = get_type_hints(function)
            parameters = inspect.signature(function).parameters
            models = {part: hints[part] for part in _PARTS if part in parameters}
            body_required = "body" in parameters and parameters["body"].default is inspect.Parameter.empty
            summary, _, description = (inspect.getdoc(function) or "").partition("\n")
            declared = Operation(
                id=function.__name__,
                method=method,
                path=path,
                handler=f"{function.__module__}.{function.__name__}",
                tag=tag,
                summary=summary.rstrip("."),
                description=description.strip(),
                access=access,
                layers=layers,
                path_model=models.get("path"),
                query_model=models.get("query"),
                body_model=_without_none(models["body"]) if "body" in models else None,
                body_required=body_required,
                response_model=answers or hints["return"],
                errors=errors,
                memory=memory,
                timeout=timeout,
            )
            self.operations[declared.id] = declared
            run = _Runner(self, declared, function, frozenset(parameters), refusals or {})

            @wraps(function)
            def handler(event: Event, context: Any) -> Answer:  # noqa: ANN401 - the Lambda context
                return run(event, context)

            handler.operation = declared  # type: ignore[attr-defined]
            return handler

        return declare


class _Runner(Generic[Caller]):
    """Runs one operation: decode, authenticate, call, encode, map errors, log."""

    def __init__(
        self,
        surface: Surface[Caller],
        operation: Operation,
        function: Callable[..., BaseModel | Representation],
        wants: frozenset[str],
        refusals: Mapping[type[DomainError], ErrorAnswer],
    ) -> None:
        self.surface = surface
        self.operation = operation
        self.function = function
        self.wants = wants
        self.refusals = refusals
        self.models = {
            part: model
            for part, model in (
                ("path", operation.path_model),
                ("query", operation.query_model),
                ("body", operation.body_model),
            )
            if model is not None
        }
        self.loads = [
            (part, name, marker)
            for part, model in self.models.items()
            for name, field in model.model_fields.items()
            for marker in field.metadata
            if isinstance(marker, Loads)
        ]

    def __call__(self, event: Event, _context: Any) -> Answer:  # noqa: ANN401
        started = time.perf_counter()
        store.begin()
        request = Request(event)
        seen: dict[str, Any] = {}
        try:
            answer = _NO_SUCH_ROUTE if request.path.get(BEYOND) else self._answer(request, seen)
        except DomainError as error:
            seen["refusal"] = type(error).__name__
            answer = self.surface.refuse(self.operation, error, self.refusals)
        except InvalidRequest as error:
            seen["refusal"] = f"{error.problem.part}.{error.problem.field}"
            answer = self.surface.refuse_input(self.operation, error.problem)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets the surface's answer
            self._log_failure(error, request, seen)
            answer = self.surface.fail(self.operation)
        logger.info(
            "request",
            extra={
                "surface": self.surface.name,
                "operation": self.operation.id,
                "status": answer["statusCode"],
                "ms": round((time.perf_counter() - started) * 1000, 1),
                "request_id": request.id,
                **seen,
            },
        )
        return answer

    def _log_failure(self, error: Exception, request: Request, seen: dict[str, Any]) -> None:
        logger.error(
            "operation failed",
            extra={
                "operation": self.operation.id,
                **described(error),
                "request_id": request.id,
                **seen,
            },
        )

    def _answer(self, request: Request, seen: dict[str, Any]) -> Answer:
        problem: InvalidRequest | None = None
        arguments: dict[str, Any] = {}
        try:
            arguments = self._decode(request)
        except InvalidRequest as error:
            problem = error  # whoever is not known learns nothing, not even that the input is wrong
        caller = self.surface.authenticate(request)
        seen.update(self.surface.describe(caller))
        if problem is not None:
            raise problem
        if "caller" in self.wants:
            arguments["caller"] = caller
        if "request" in self.wants:
            arguments["request"] = request
        result = self.function(**arguments)
        if isinstance(result, Representation):
            return cached_answer(request, result)
        return json_answer(200, result.model_dump_json(by_alias=True, exclude_none=True).encode())

    def _decode(self, request: Request) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for part, model in self.models.items():
            try:
                if part == "body":
                    body = self._body(request)
                    if body or self.operation.body_required:
                        arguments[part] = model.model_validate_json(body, by_alias=True, by_name=False)
                else:
                    given = getattr(request, part)
                    arguments[part] = model.model_validate_strings(given, by_alias=True, by_name=False)
            except ValidationError as error:
                raise InvalidRequest(_problem(part, model, error)) from None
        for part, name, marker in self.loads:
            if part in arguments:
                marker.expect(getattr(arguments[part], name))
        return arguments

    def _body(self, request: Request) -> bytes:
        try:
            body = request.body
        except UnreadableBody:
            raise InvalidRequest(Problem("body", "", missing=False, message="the body cannot be decoded")) from None
        if len(body) > self.surface.max_body:
            message = f"the body is longer than {self.surface.max_body} bytes"
            raise InvalidRequest(Problem("body", "", missing=False, message=message))
        return body.strip()


def _problem(part: str, model: type[BaseModel], error: ValidationError) -> Problem:
    first = error.errors(include_url=False, include_context=False)[0]
    location = [str(step) for step in first["loc"]]
    name = location[0] if location else ""
    field = next((each for key, each in model.model_fields.items() if name in {key, each.alias}), None)
    return Problem(
        part=part,
        field=name,
        missing=first["type"] == "missing" or first["input"] in ("", None),
        message=f"{'.'.join(location)}: {first['msg']}" if location else str(first["msg"]),
        annotation=tuple(field.metadata) if field else (),
    )


def _without_none(hint: Any) -> type[BaseModel]:  # noqa: ANN401
    arguments = [each for each in getattr(hint, "__args__", ()) if each is not type(None)]
    return arguments[0] if arguments else hint  # type: ignore[no-any-return]
