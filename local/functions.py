"""Lambda functions, invoked in this process under the contracts of the real service."""

import importlib
import json
import logging
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local.errors import PlatformError
from local.template import Function
from local.types import Json

_log = logging.getLogger(__name__)
_RESPONSE_LIMIT = 6_291_556
_ASYNC_ATTEMPTS = 3
_ASYNC_WORKERS = 8
_ASYNC_PAUSE_SECONDS = 0.2


class LambdaContext:
    """What the second argument of a handler offers."""

    function_version = "$LATEST"
    identity = None
    client_context = None

    def __init__(self, function: Function) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self.function_name = function.name
        self.invoked_function_arn = function.arn
        self.memory_limit_in_mb = str(function.memory)
        self.log_group_name = f"/aws/lambda/{function.name}"
        self.log_stream_name = "local"
        self._deadline = time.monotonic() + function.timeout

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout."""
        return max(0, round((self._deadline - time.monotonic()) * 1000))


@dataclass(frozen=True)
class Invocation:
    """The outcome of an invocation: the handler's result, or the error as Lambda reports it."""

    function: Function
    request_id: str
    result: Json
    payload: str
    error: Mapping[str, Json] | None
    duration_ms: float


class Functions:
    """The functions of the template, by ARN."""

    def __init__(self, functions: Mapping[str, Function], roots: Iterable[Path]) -> None:
        """Import every handler; ``roots`` are the folders they are imported from.

        Raises:
            PlatformError: when a handler cannot be imported.
        """
        for root in roots:
            if str(root) not in sys.path:
                sys.path.insert(0, str(root))
        self._functions = {arn: (function, _import(function)) for arn, function in functions.items()}
        self._executor = ThreadPoolExecutor(_ASYNC_WORKERS, thread_name_prefix="async")
        self._lock = threading.Lock()
        self._in_flight = 0
        self._stopping = threading.Event()
        self.after_invocation: Callable[[], None] = lambda: None
        """Called after every invocation: whatever it wrote may have reactions."""

    def invoke(self, arn: str, event: Json) -> Invocation:
        """Run a function and wait for its outcome.

        Raises:
            KeyError: when there is no such function.
        """
        function, handler = self._functions[arn]
        context = LambdaContext(function)
        self._count(1)
        started = time.perf_counter()
        try:
            result, payload, error = _run(handler, event, context)
        finally:
            self._count(-1)
            self.after_invocation()
        duration = time.perf_counter() - started
        if duration > function.timeout:
            result, payload = None, ""
            error = {
                "errorType": "Sandbox.Timedout",
                "errorMessage": f"Task timed out after {function.timeout} seconds",
            }
        if error:
            _log.error("%s: %s: %s", function.name, error["errorType"], error["errorMessage"])
        return Invocation(function, context.aws_request_id, result, payload, error, duration * 1000)

    def invoke_async(self, arn: str, event: Json, on_failure: Callable[[str, Invocation], None]) -> None:
        """Run a function in the background, up to three times; then hand the event to its dead-letter queue.

        Args:
            arn: the function.
            event: its event.
            on_failure: receives the dead-letter queue's ARN and the last outcome, when the function names such a queue.
        """
        self._count(1)

        def attempt() -> None:
            try:
                for number in range(_ASYNC_ATTEMPTS - 1):
                    invocation = self.invoke(arn, event)
                    if not invocation.error or self._stopping.wait(_ASYNC_PAUSE_SECONDS * 2**number):
                        return
                invocation = self.invoke(arn, event)
                if invocation.error and invocation.function.dead_letter_arn:
                    on_failure(invocation.function.dead_letter_arn, invocation)
            finally:
                self._count(-1)

        self._executor.submit(attempt)

    def knows(self, arn: str) -> bool:
        """Whether there is a function with this ARN."""
        return arn in self._functions

    def idle(self) -> bool:
        """Whether nothing runs or is about to."""
        return self._in_flight == 0

    def stop(self) -> None:
        """Finish what runs in the background."""
        self._stopping.set()
        self._executor.shutdown()

    def _count(self, difference: int) -> None:
        with self._lock:
            self._in_flight += difference


def _import(function: Function) -> Callable[[Json, LambdaContext], Json]:
    module, _, name = function.handler.rpartition(".")
    try:
        handler: Callable[[Json, LambdaContext], Json] = getattr(importlib.import_module(module), name)
    except Exception as error:
        raise PlatformError(
            f"the handler {function.handler} of {function.name} cannot be imported: {error!r}"
        ) from error
    return handler


def _run(
    handler: Callable[[Json, LambdaContext], Json], event: Json, context: LambdaContext
) -> tuple[Json, str, Mapping[str, Json] | None]:
    event = json.loads(json.dumps(event))
    try:
        result = handler(event, context)
    except Exception as error:  # noqa: BLE001 - Lambda reports whatever a handler raises
        _log.debug("%s failed", context.function_name, exc_info=True)
        return (
            None,
            "",
            {
                "errorMessage": str(error),
                "errorType": type(error).__name__,
                "requestId": context.aws_request_id,
                "stackTrace": traceback.format_tb(error.__traceback__),
            },
        )
    try:
        payload = json.dumps(result)
    except (TypeError, ValueError) as error:
        return None, "", {"errorMessage": f"Unable to marshal response: {error}", "errorType": "Runtime.MarshalError"}
    if len(payload) > _RESPONSE_LIMIT:
        message = f"Response payload size exceeded maximum allowed payload size ({_RESPONSE_LIMIT} bytes)."
        return None, "", {"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}
    return result, payload, None
