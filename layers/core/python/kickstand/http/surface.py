"""A published API: how its requests are authenticated, decoded, answered and logged. Each surface makes one."""

import inspect
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from types import UnionType
from typing import Any, ClassVar, Final, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ValidationError

from kickstand.http.messages import (
    Answer,
    Event,
    Page,
    Redirect,
    RepeatedMember,
    Representation,
    Request,
    UnreadableBody,
    cached_answer,
    json_answer,
    page_answer,
    redirect_answer,
)
from kickstand.http.operation import BEYOND, ErrorAnswer, Operation
from kickstand.kernel import store
from kickstand.kernel.errors import DomainError, described

Caller = TypeVar("Caller")
Handler = Callable[[Event, Any], Answer]
Result = BaseModel | Representation | Page | Redirect
"""What an operation's function answers."""

_PARTS: Final = ("path", "query", "headers", "body")
_RAISED: Final = "Value error, "  # what pydantic puts before the message of a validator
_NO_SUCH_ROUTE: Final = json_answer(404, b'{"message":"Not Found"}')

logger = Logger()


@dataclass(frozen=True)
class Loads:
    """Marks an input that names something to be read; ``expect`` lets the first round trip bring it along.

    Attributes:
        expect: takes the input; what is named within a client takes the client's id before it.
        of_client: whether it is named within a client.
        with_others: whether other members of the same part belong to the name; then the part is taken, not the input.
    """

    expect: Callable[..., None]
    of_client: bool = False
    with_others: bool = False


@dataclass(frozen=True)
class Problem:
    """Why an input was refused.

    Attributes:
        part: ``path``, ``query``, ``headers`` or ``body``.
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

    Attributes:
        credential: the header by which clients say who they are, in lower case.
        common_headers: headers that every operation takes, except those for everybody.
        strict_query: whether an operation, unless it is for everybody, refuses query parameters that it does not know.
    """

    credential: ClassVar[str]
    common_headers: ClassVar[type[BaseModel] | None] = None
    strict_query: ClassVar[bool] = False

    def __init__(self, name: str, *, max_body: int) -> None:
        self.name = name
        self.max_body = max_body
        self.operations: dict[str, Operation] = {}

    @abstractmethod
    def authenticate(self, request: Request, headers: BaseModel | None) -> Caller:
        """Who is calling; raises a domain error for nobody we know.

        ``headers`` are the common ones, or ``None`` when the request cannot be decoded; it will be refused then.
        """

    def claimed_client(self, _request: Request) -> int | None:
        """The id of the client that a request says it comes from, before that is proved; ``None`` when it says none."""
        return None

    @abstractmethod
    def describe(self, caller: Caller) -> dict[str, Any]:
        """What of the caller belongs into a log line: identifiers, nothing personal."""

    @abstractmethod
    def refuse(
        self,
        request: Request,
        operation: Operation,
        error: DomainError,
        overrides: Mapping[type[DomainError], ErrorAnswer],
    ) -> Answer:
        """The answer to a domain error."""

    @abstractmethod
    def refuse_input(self, request: Request, operation: Operation, problem: Problem) -> Answer:
        """The answer to input that cannot be decoded."""

    @abstractmethod
    def fail(self, request: Request, operation: Operation) -> Answer:
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
        public: bool = False,
        form: bool = False,
        documented: bool = True,
        deprecated: bool = False,
        expects: Callable[[int], None] | None = None,
    ) -> Callable[[Callable[..., Result]], Handler]:
        """Declare an operation and make its function a Lambda handler.

        The function names what it needs: ``caller`` (the authenticated client), ``path``, ``query``, ``headers`` and
        ``body`` (pydantic models, decoded and validated) and ``request`` (the raw request, for conditional requests).
        A body that may be left out has a default; one that is to be ``bytes`` is handed over as it came, for signatures
        are of that. Headers extend those that every operation takes. The function answers a model, or a
        :class:`Page` for people.

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
            public: nobody is asked who they are; the function gets no ``caller``.
            form: the body is a form instead of JSON.
            documented: the published reference has the operation.
            deprecated: the published reference advises against it.
            expects: announces what it will read for the client whose id it is given.
        """

        def declare(function: Callable[..., Result]) -> Handler:
            hints = get_type_hints(function)
            parameters = inspect.signature(function).parameters
            models = {part: hints[part] for part in _PARTS if part in parameters}
            raw = models.get("body") is bytes
            returned = answers or hints["return"]
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
                header_model=models.get("headers", None if public else self.common_headers),
                body_model=_without_none(models["body"]) if "body" in models and not raw else None,
                body_required=body_required,
                form=form,
                raw=raw,
                response_model=None if _is_page(returned) else returned,
                redirects=Redirect in get_args(returned),
                errors=errors,
                memory=memory,
                timeout=timeout,
                public=public,
                documented=documented,
                deprecated=deprecated,
            )
            self.operations[declared.id] = declared
            run = _Runner(self, declared, function, frozenset(parameters), refusals or {}, expects)

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
        function: Callable[..., Result],
        wants: frozenset[str],
        refusals: Mapping[type[DomainError], ErrorAnswer],
        expects: Callable[[int], None] | None,
    ) -> None:
        self.surface = surface
        self.operation = operation
        self.function = function
        self.wants = wants
        self.refusals = refusals
        self.expects = expects
        self.models = operation.inputs
        self.loads = [
            (part, name, marker)
            for part, model in self.models.items()
            for name, field in model.model_fields.items()
            for marker in field.metadata
            if isinstance(marker, Loads)
        ]
        query = operation.query_model.model_fields if operation.query_model else {}
        self.known = {field.alias or name: None for name, field in query.items()}.keys()
        self.lists = [field.alias or name for name, field in query.items() if _is_list(field.annotation)]

    def __call__(self, event: Event, _context: Any) -> Answer:  # noqa: ANN401
        started = time.perf_counter()
        store.begin()
        request = Request(event)
        seen: dict[str, Any] = {}
        try:
            answer = _NO_SUCH_ROUTE if request.path.get(BEYOND) else self._answer(request, seen)
        except DomainError as error:
            seen["refusal"] = type(error).__name__
            answer = self.surface.refuse(request, self.operation, error, self.refusals)
        except InvalidRequest as error:
            seen["refusal"] = f"{error.problem.part}.{error.problem.field}"
            answer = self.surface.refuse_input(request, self.operation, error.problem)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets the surface's answer
            self._log_failure(error, request, seen)
            answer = self.surface.fail(request, self.operation)
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
        headers = arguments.get("headers") if "headers" in self.wants else arguments.pop("headers", None)
        if not self.operation.public:
            caller = self.surface.authenticate(request, headers)
            seen.update(self.surface.describe(caller))
            if "caller" in self.wants:
                arguments["caller"] = caller
        if problem is not None:
            raise problem
        if "request" in self.wants:
            arguments["request"] = request
        result = self.function(**arguments)
        if isinstance(result, Page):
            return page_answer(result)
        if isinstance(result, Redirect):
            return redirect_answer(result)
        if isinstance(result, Representation):
            return cached_answer(request, result, None if self.operation.public else self.surface.credential)
        return json_answer(200, result.model_dump_json(by_alias=True, exclude_none=True).encode())

    def _decode(self, request: Request) -> dict[str, Any]:
        self._check_query(request)
        arguments: dict[str, Any] = {}
        for part, model in self.models.items():
            try:
                if part == "body" and not self.operation.form:
                    body = self._body(request).strip()
                    if body or self.operation.body_required:
                        arguments[part] = model.model_validate_json(body, by_alias=True, by_name=False)
                else:
                    given = self._texts(request, part, model)
                    arguments[part] = model.model_validate(given, by_alias=True, by_name=False)
            except ValidationError as error:
                raise InvalidRequest(_problem(part, model, error)) from None
        if self.operation.raw:
            arguments["body"] = self._body(request)
        self._expect(request, arguments)
        return arguments

    def _check_query(self, request: Request) -> None:
        if self.surface.strict_query and not self.operation.public and not request.query.keys() <= self.known:
            known = f"only of {', '.join(self.known)}" if self.known else "of none"
            raise InvalidRequest(Problem("query", "", missing=False, message=f"the operation knows {known}"))

    def _texts(self, request: Request, part: str, model: type[BaseModel]) -> dict[str, Any]:
        """What a part that is not JSON holds: text, or lists of it."""
        match part:
            case "path":
                return {**request.path}
            case "query":
                lists = {name: values for name in self.lists if (values := request.repeated(name))}
                return request.query | lists
            case "headers":
                names = [field.alias or name for name, field in model.model_fields.items()]
                return {name: request.headers[name.lower()] for name in names if name.lower() in request.headers}
            case _:
                self._body(request)
                try:
                    return {**request.form}
                except UnreadableBody:
                    raise _unreadable("the body is not text") from None
                except RepeatedMember:
                    raise _unreadable("a member is given more than once") from None

    def _expect(self, request: Request, arguments: Mapping[str, Any]) -> None:
        client_id = self.surface.claimed_client(request)
        if self.expects is not None and client_id is not None:
            self.expects(client_id)
        for part, name, marker in self.loads:
            value = getattr(arguments.get(part), name, None)
            if value is None:
                continue
            named = arguments[part] if marker.with_others else value
            if not marker.of_client:
                marker.expect(named)
            elif client_id is not None:
                marker.expect(client_id, named)

    def _body(self, request: Request) -> bytes:
        try:
            body = request.body
        except UnreadableBody:
            raise _unreadable("the body cannot be decoded") from None
        if len(body) > self.surface.max_body:
            raise _unreadable(f"the body is longer than {self.surface.max_body} bytes")
        return body


def _unreadable(message: str) -> InvalidRequest:
    return InvalidRequest(Problem("body", "", missing=False, message=message))


def _problem(part: str, model: type[BaseModel], error: ValidationError) -> Problem:
    first = error.errors(include_url=False, include_context=False)[0]
    location = [str(step) for step in first["loc"]]
    name = location[0] if location else ""
    field = next((each for key, each in model.model_fields.items() if name in {key, each.alias}), None)
    said = str(first["msg"]).removeprefix(_RAISED) if first["type"] == "value_error" else str(first["msg"])
    return Problem(
        part=part,
        field=name,
        missing=first["type"] == "missing" or first["input"] in ("", None),
        message=f"{'.'.join(location)}: {said}" if location else said,
        annotation=tuple(field.metadata) if field else (),
    )


def _is_page(returned: Any) -> bool:  # noqa: ANN401
    return returned is Page or Page in get_args(returned)


def _is_list(annotation: Any) -> bool:  # noqa: ANN401
    if get_origin(annotation) in {Union, UnionType}:
        return any(_is_list(each) for each in get_args(annotation))
    return get_origin(annotation) in {list, tuple, set, frozenset}


def _without_none(hint: Any) -> type[BaseModel]:  # noqa: ANN401
    arguments = [each for each in getattr(hint, "__args__", ()) if each is not type(None)]
    return arguments[0] if arguments else hint  # type: ignore[no-any-return]
