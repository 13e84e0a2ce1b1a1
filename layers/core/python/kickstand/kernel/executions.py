"""Executions of state machines: each is started once, and one that waits for a task token can be woken."""

import json
from collections.abc import Mapping
from typing import Any, Final

from kickstand.kernel import aws

_NOT_WAITING: Final = ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")


def start(workflow: str, name: str, given: Mapping[str, Any]) -> None:
    """Start the execution ``name`` of the state machine with this ARN; one that runs or ran stays the only one."""
    states = aws.client("stepfunctions")
    try:
        states.start_execution(stateMachineArn=workflow, name=name, input=json.dumps(given))
    except states.exceptions.ExecutionAlreadyExists:
        return


def wake(token: str) -> None:
    """Let an execution go on that waits with a task token; one that has stopped waiting goes on by itself."""
    states = aws.client("stepfunctions")
    try:
        states.send_task_success(taskToken=token, output="{}")
    except states.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in _NOT_WAITING:
            raise
