"""State machines: their executions, and a journal of them that survives a restart.

After a restart, executions that had not ended begin again under their name and with their input; a workflow computes
its deadlines from stored facts, so that this repeats nothing.
"""

import json
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from moto.stepfunctions.parser.api import StateMachineType
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackNotifyConsumerError,
    CallbackOutcome,
    CallbackOutcomeFailure,
    CallbackOutcomeSuccess,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.backend.execution import Execution
from moto.stepfunctions.parser.backend.state_machine import StateMachineRevision
from moto.stepfunctions.parser.utils import TMP_THREADS

from local import interpreter
from local.clock import Clock
from local.errors import PlatformError
from local.functions import Functions
from local.stacks import ACCOUNT, REGION
from local.state import State
from local.template import StateMachine
from local.types import Json

_log = logging.getLogger(__name__)
_HISTORIES = 200


class WorkflowError(Exception):
    """A request about executions that Step Functions refuses; ``code`` is its name of the error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Workflows:
    """The state machines of the template, by ARN, and their executions."""

    def __init__(
        self, machines: Mapping[str, StateMachine], state: State, clock: Clock, functions: Functions, endpoint: str
    ) -> None:
        """Read every definition; tasks that call AWS services reach them at ``endpoint``.

        Raises:
            PlatformError: for a definition that the interpreter cannot read.
        """
        self.machines = machines
        self.clock = clock
        self.functions = functions
        self._state = state
        self._lock = threading.Lock()
        self._running: dict[str, Execution] = {}
        self._waiting: dict[str, list[tuple[threading.Event, ...]]] = {}
        self._ended: deque[Execution] = deque(maxlen=_HISTORIES)
        os.environ["MOTO_PORT"] = endpoint.rsplit(":", 1)[-1]
        for machine in machines.values():
            try:
                interpreter.check(machine.definition)
            except PlatformError as error:
                raise PlatformError(f"{machine.name}: {error}") from error
        interpreter.serve(self)

    def resume(self) -> None:
        """Begin the executions again that had not ended when the platform did."""
        for row in self._state.rows("SELECT * FROM executions WHERE status = 'RUNNING' ORDER BY started_at"):
            if row["machine"] in self.machines:
                self._begin(row["machine"], row["name"], row["input"])

    def start(self, machine_arn: str, name: str, document: str) -> tuple[str, float]:
        """Start an execution; answers its ARN and when it started, in seconds since the epoch.

        A name that runs with the same input answers the running execution.

        Raises:
            WorkflowError: when the machine does not exist, the input is no JSON, or the name was used before.
        """
        machine = self.machines.get(machine_arn)
        if machine is None:
            raise WorkflowError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{machine_arn}'")
        try:
            json.loads(document)
        except ValueError as error:
            raise WorkflowError("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'") from error
        arn = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine.name}:{name}"
        now = self.clock.now().timestamp()
        created = self._state.run(
            "INSERT INTO executions (arn, machine, name, input, status, started_at) VALUES (?, ?, ?, ?, 'RUNNING', ?) "
            "ON CONFLICT DO NOTHING",
            (arn, machine_arn, name, document, now),
        )
        if not created:
            known = self.describe(arn)
            if known["status"] == "RUNNING" and known["input"] == document:
                return arn, known["startDate"]
            raise WorkflowError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
        self._begin(machine_arn, name, document)
        return arn, now

    def stop_execution(self, arn: str, error: str | None, cause: str | None) -> None:
        """End a running execution.

        Raises:
            WorkflowError: when it does not exist.
        """
        self.describe(arn)
        with self._lock:
            execution = self._running.get(arn)
        if execution:
            execution.stop(stop_date=self.clock.now(), error=error, cause=cause)

    def complete_task(
        self, token: str, *, output: str | None, error: str | None = None, cause: str | None = None
    ) -> None:
        """Hand an outcome to the task that waits for ``token``: ``output`` for success, otherwise a failure.

        Raises:
            WorkflowError: when no task waits for it.
        """
        outcome: CallbackOutcome
        if output is None:
            outcome = CallbackOutcomeFailure(token, error, cause)
        else:
            outcome = CallbackOutcomeSuccess(token, output)
        if not self._notify(lambda environment: environment.callback_pool_manager.notify(token, outcome)):
            raise WorkflowError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")

    def heartbeat(self, token: str) -> None:
        """Tell that a task is still being worked on.

        Raises:
            WorkflowError: when no task waits for it.
        """
        if not self._notify(lambda environment: environment.callback_pool_manager.heartbeat(token)):
            raise WorkflowError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")

    def describe(self, arn: str) -> dict[str, Json]:
        """An execution as ``DescribeExecution`` answers it; times in seconds since the epoch.

        Raises:
            WorkflowError: when it does not exist.
        """
        rows = self._state.rows("SELECT * FROM executions WHERE arn = ?", (arn,))
        if not rows:
            raise WorkflowError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        row = rows[0]
        known = {
            "executionArn": arn,
            "stateMachineArn": row["machine"],
            "name": row["name"],
            "status": row["status"],
            "startDate": row["started_at"],
            "stopDate": row["stopped_at"],
            "input": row["input"],
            "output": row["output"],
            "error": row["error"],
            "cause": row["cause"],
        }
        return {key: value for key, value in known.items() if value is not None}

    def executions(self, machine_arn: str, status: str | None = None) -> list[dict[str, Json]]:
        """The executions of a machine, newest first, optionally those with one status."""
        rows = self._state.rows(
            "SELECT arn FROM executions WHERE machine = ? AND status = coalesce(?, status) ORDER BY started_at DESC",
            (machine_arn, status),
        )
        return [self.describe(row["arn"]) for row in rows]

    def history(self, arn: str) -> list[Json]:
        """The events of an execution that runs or ended lately in this process."""
        with self._lock:
            execution = self._running.get(arn) or next((old for old in self._ended if old.exec_arn == arn), None)
        return list(execution.to_history_output()["events"]) if execution else []

    def idle(self) -> bool:
        """Whether every running execution waits for a time, a token or a retry."""
        with self._lock:
            return all(self._waits(arn) for arn in self._running)

    def stop(self) -> None:
        """Abandon the running executions; the journal still holds them as running."""
        with self._lock:
            abandoned, self._running = self._running, {}
        for execution in abandoned.values():
            worker = execution.exec_worker
            if worker and worker.env:
                worker.env.set_stop(stop_date=self.clock.now(), cause=None, error=None)
                for endpoint in worker.env.callback_pool_manager._pool.values():  # noqa: SLF001
                    endpoint.interrupt_all()

    def _begin(self, machine_arn: str, name: str, document: str) -> None:
        TMP_THREADS.clear()  # moto keeps every thread it ever started
        machine = self.machines[machine_arn]
        execution = Execution(
            name=name,
            sm_type=StateMachineType.STANDARD,
            role_arn=machine.role_arn,
            exec_arn=f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine.name}:{name}",
            account_id=ACCOUNT,
            region_name=REGION,
            state_machine=StateMachineRevision(
                machine.name, machine.arn, machine.definition, machine.role_arn, {}, None
            ),
            start_date=self.clock.now(),
            cloud_watch_logging_session=None,
            input_data=document,
            trace_header=None,
            activity_store={},
        )
        with self._lock:
            self._running[execution.exec_arn] = execution
        execution.start()

    def _notify(self, deliver: Callable[[Environment], bool]) -> bool:
        with self._lock:
            running = list(self._running.values())
        for execution in running:
            worker = execution.exec_worker
            environment = worker.env if worker else None
            if environment is None:
                continue
            try:
                if deliver(environment):
                    return True
            except CallbackNotifyConsumerError:
                return False
        return False

    def finished(self, execution: Execution) -> None:
        """Write the end of an execution into the journal."""
        with self._lock:
            if self._running.get(execution.exec_arn) is not execution:
                return  # abandoned when the platform stopped; the journal holds it as running
            del self._running[execution.exec_arn]
            self._ended.append(execution)
        output = json.dumps(execution.output) if execution.status == "SUCCEEDED" else None
        if execution.error:
            _log.error("%s: %s: %s", execution.name, execution.error, execution.cause)
        self._state.run(
            "UPDATE executions SET status = ?, stopped_at = ?, output = ?, error = ?, cause = ? WHERE arn = ?",
            (
                execution.status,
                self.clock.now().timestamp(),
                output,
                execution.error,
                execution.cause,
                execution.exec_arn,
            ),
        )

    @contextmanager
    def waiting(self, execution_arn: str, *ends: threading.Event) -> Iterator[None]:
        """Count an execution as waiting for the length of a block, until one of ``ends`` is set.

        From then on it goes on, even if its thread has not been given the time to notice.
        """
        with self._lock:
            self._waiting.setdefault(execution_arn, []).append(ends)
        try:
            yield
        finally:
            with self._lock:
                self._waiting[execution_arn].remove(ends)
                if not self._waiting[execution_arn]:
                    del self._waiting[execution_arn]

    def _waits(self, arn: str) -> bool:
        waits = self._waiting.get(arn, [])
        return bool(waits) and not any(end.is_set() for ends in waits for end in ends)
