"""What all tasks of state machines share: how they begin, what they log, and how they fail."""

import json
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger

from kickstand.kernel import store
from kickstand.kernel.errors import described

logger = Logger()

Task = Callable[[dict[str, Any], Any], dict[str, Any]]


class TaskFailed(Exception):
    """A task failed; its message is the name of the error and nothing else, for the execution's history keeps it."""


def task(about: str, *, passes: tuple[type[Exception], ...] = ()) -> Callable[[Callable[..., dict[str, Any]]], Task]:
    """Make a function of a state's input the handler of a task.

    Args:
        about: the member of the input that names what the workflow is about, for the log.
        passes: exceptions that the state machine knows by name.
    """

    def declare(function: Callable[[dict[str, Any]], dict[str, Any]]) -> Task:
        @wraps(function)
        def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:  # noqa: ANN401 - the Lambda context
            started = time.perf_counter()
            where = {"task": function.__name__, about: event.get(about)}
            store.begin()
            try:
                result = function(event)
            except passes:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the workflow tries again
                failure = described(error)
                logger.error("task failed", extra={**where, **failure})  # noqa: TRY400 - without the text
                raise TaskFailed(failure["error"]) from None
            logger.info("task", extra={**where, "ms": round((time.perf_counter() - started) * 1000, 1)})
            return result

        return handler

    return declare


def name_of(failure: dict[str, str]) -> str:
    """The name of the error that a state machine has caught."""
    if failure["Error"] != TaskFailed.__name__:
        return failure["Error"]
    return str(json.loads(failure["Cause"])["errorMessage"])
