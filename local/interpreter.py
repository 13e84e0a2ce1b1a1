"""moto's interpreter of Amazon States Language, on the platform's functions and in virtual time.

Importing this module puts the platform's pieces into the interpreter's seams; :func:`serve` names the platform they
belong to.
"""

import functools
import json
import logging
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, tzinfo
from types import SimpleNamespace
from typing import Protocol

import moto.stepfunctions.parser.asl.component.common.retry.retrier_decl as moto_retrier
import moto.stepfunctions.parser.asl.component.state.exec.state_task.lambda_eval_utils as moto_lambda
import moto.stepfunctions.parser.asl.component.state.state as moto_state
import moto.stepfunctions.parser.asl.utils.json_path as moto_json_path
import moto.stepfunctions.parser.backend.execution as moto_execution
from jsonpath_ng.ext.parser import parse as jsonpath_parse
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.timestamp import Timestamp
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackEndpoint, CallbackOutcome, HeartbeatEndpoint
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution

from local.clock import Clock
from local.errors import PlatformError
from local.functions import Functions
from local.stacks import ACCOUNT, REGION
from local.types import Json

_STOP_CHECK_SECONDS = 30.0
_task_slots = threading.BoundedSemaphore(2)  # more at a time would only take the processor from the requests


class Host(Protocol):
    """The platform that executions run on."""

    clock: Clock
    functions: Functions

    def waiting(self, execution_arn: str, *ends: threading.Event) -> AbstractContextManager[None]:
        """Counts an execution as waiting for the length of a block, until one of ``ends`` is set."""

    def finished(self, execution: Execution) -> None:
        """Takes note of an execution's end."""


class _Serving:
    host: Host


class _Pause(threading.local):
    """What the pause before a retry belongs to: the interpreter does not tell."""

    env: Environment


_retrying = _Pause()


def serve(host: Host) -> None:
    """Run executions on ``host`` from now on."""
    _Serving.host = host


def check(definition: str) -> None:
    """Read a definition.

    Raises:
        PlatformError: when the interpreter cannot.
    """
    try:
        _parse(definition)
    except Exception as error:  # the parser raises whatever its parts do
        raise PlatformError(f"the definition cannot be read: {error!r}") from error


_moto_parse = AmazonStateLanguageParser.parse
_moto_retry = RetrierDecl._eval_body  # noqa: SLF001 - the seams of the interpreter are not public
_moto_await_token = StateTaskServiceCallback._eval_wait_for_task_token  # noqa: SLF001
_moto_terminated = BaseExecutionWorkerCommunication.terminated


@functools.lru_cache(maxsize=64)
def _parse(definition: str) -> tuple[Json, ...]:
    """A definition as the interpreter's components; they keep no state, so all executions share them."""
    return tuple(_moto_parse(definition))


class _VirtualDatetime(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return _Serving.host.clock.now().astimezone(tz)


def _invoke(parameters: Mapping[str, Json], region: str, state_credentials: Json) -> dict[str, Json]:  # noqa: ARG001
    functions = _Serving.host.functions
    arn = _function_arn(parameters["FunctionName"])
    if not functions.knows(arn):
        payload = {"errorType": "Lambda.ResourceNotFoundException", "errorMessage": f"Function not found: {arn}"}
        return {"StatusCode": 404, "FunctionError": "Unhandled", "Payload": payload}
    with _task_slots:
        invocation = functions.invoke(arn, json.loads(parameters["Payload"]))
    if invocation.error:
        return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": dict(invocation.error)}
    return {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": json.loads(invocation.payload)}


def _wait_interval(_: WaitFunction, env: Environment, wait_seconds: float) -> None:
    due = threading.Event()

    def expire() -> None:
        due.set()
        env.program_state_event.set()

    with _waiting(env, due):
        timer = _Serving.host.clock.after(wait_seconds, expire)
        while env.is_running() and not due.is_set():
            env.program_state_event.wait(_STOP_CHECK_SECONDS)
            env.program_state_event.clear()
        timer.cancel()


def _seconds_until(self: Timestamp, env: Environment) -> float:
    self.string.eval(env=env)
    text = env.stack.pop()
    if not self._is_valid_timestamp_pattern(text):
        raise FailureEventException(self._create_failure_event(env, text))
    return (datetime.fromisoformat(text).astimezone(UTC) - _Serving.host.clock.now()).total_seconds()


def _await_outcome(self: CallbackEndpoint, timeout: float | None = None) -> CallbackOutcome | None:
    if timeout is None:
        self._notify_event.wait()
    else:
        _Serving.host.clock.wait(self._notify_event, timeout)
    return self.get_outcome()


def _await_heartbeat(self: HeartbeatEndpoint) -> bool:
    came = _Serving.host.clock.wait(self._next_heartbeat_event, self._heartbeat_seconds)
    self._next_heartbeat_event.clear()
    return came


def _await_token(
    self: StateTaskServiceCallback,
    env: Environment,
    timeout_seconds: int,
    callback_endpoint: CallbackEndpoint,
    heartbeat_endpoint: HeartbeatEndpoint | None,
) -> CallbackOutcome:
    ends = [callback_endpoint._notify_event]  # noqa: SLF001
    if heartbeat_endpoint is not None:
        ends.append(heartbeat_endpoint._next_heartbeat_event)  # noqa: SLF001
    with _waiting(env, *ends):
        return _moto_await_token(self, env, timeout_seconds, callback_endpoint, heartbeat_endpoint)


def _retry(self: RetrierDecl, env: Environment) -> None:
    _retrying.env = env
    _moto_retry(self, env)


def _sleep(seconds: float) -> None:
    over = threading.Event()
    with _waiting(_retrying.env, over):
        _Serving.host.clock.wait(over, seconds)


def _terminated(self: BaseExecutionWorkerCommunication) -> None:
    _moto_terminated(self)
    _Serving.host.finished(self.execution)


def _waiting(env: Environment, *ends: threading.Event) -> AbstractContextManager[None]:
    return _Serving.host.waiting(env.states.context_object.context_object_data["Execution"]["Id"], *ends)


def _function_arn(name: str) -> str:
    """A function's ARN from its name, its ARN or the ARN of a version."""
    parts = name.split(":")
    short = name if len(parts) == 1 else parts[6]
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{short}"


def _install() -> None:
    # It logs each error of a state, caught or not, with its whole component tree; the history holds them, and a failed
    # function or execution has a line of its own.
    logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)
    virtual_datetime = SimpleNamespace(datetime=_VirtualDatetime, timezone=SimpleNamespace(utc=UTC))
    seams: list[tuple[object, str, object]] = [
        (moto_state, "datetime", virtual_datetime),
        (moto_execution, "datetime", virtual_datetime),
        (moto_retrier, "time", SimpleNamespace(sleep=_sleep)),
        (moto_lambda, "_invoke_lambda_function", _invoke),
        (moto_json_path, "parse", functools.lru_cache(maxsize=1024)(jsonpath_parse)),
        (AmazonStateLanguageParser, "parse", staticmethod(_parse)),
        (WaitFunction, "_wait_interval", _wait_interval),
        (Timestamp, "_get_wait_seconds", _seconds_until),
        (CallbackEndpoint, "wait", _await_outcome),
        (HeartbeatEndpoint, "clear_and_wait", _await_heartbeat),
        (StateTaskServiceCallback, "_eval_wait_for_task_token", _await_token),
        (RetrierDecl, "_eval_body", _retry),
        (BaseExecutionWorkerCommunication, "terminated", _terminated),
    ]
    for owner, name, value in seams:
        getattr(owner, name)  # a newer interpreter without this seam is an error, not a silent change
        setattr(owner, name, value)


_install()
