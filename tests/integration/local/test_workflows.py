import json
from types import ModuleType

import boto3
import pytest
from mypy_boto3_stepfunctions import SFNClient

from local.server import Platform


@pytest.fixture
def machine(platform: Platform, reactions: ModuleType) -> str:
    return next(iter(platform.template.state_machines))


@pytest.fixture
def sfn() -> SFNClient:
    return boto3.client("stepfunctions")


def status(sfn: SFNClient, arn: str) -> str:
    return sfn.describe_execution(executionArn=arn)["status"]


def test_a_workflow_waits_in_virtual_time_and_for_its_token(
    platform: Platform, machine: str, sfn: SFNClient, reactions: ModuleType
) -> None:
    arn = sfn.start_execution(stateMachineArn=machine, name="patient", input="{}")["executionArn"]
    platform.settle()
    assert reactions.steps == ["first"]
    platform.clock.advance(7100)
    platform.settle()
    assert reactions.steps == ["first"]
    platform.clock.advance(200)
    platform.settle()
    assert reactions.steps == ["first", "confirm"]
    sfn.send_task_success(taskToken=reactions.tokens[0], output='{"ok": true}')
    platform.settle()
    done = sfn.describe_execution(executionArn=arn)
    assert done["status"] == "SUCCEEDED"
    assert json.loads(done["output"])["confirmed"] == {"ok": True}
    assert platform.outbox.entries()["mails"][-1]["subject"] == "done"


def test_a_token_that_nobody_sends_times_out(
    platform: Platform, machine: str, sfn: SFNClient, reactions: ModuleType
) -> None:
    arn = sfn.start_execution(stateMachineArn=machine, name="forgotten", input="{}")["executionArn"]
    platform.settle()
    platform.clock.advance(7300)
    platform.settle()
    platform.clock.advance(7300)
    platform.settle()
    assert reactions.steps == ["first", "confirm", "done"]
    assert json.loads(sfn.describe_execution(executionArn=arn)["output"])["confirmed"] == "late"
    with pytest.raises(sfn.exceptions.TaskTimedOut):
        sfn.send_task_success(taskToken=reactions.tokens[0], output="{}")


def test_a_retry_waits_in_virtual_time(platform: Platform, machine: str, sfn: SFNClient, reactions: ModuleType) -> None:
    sfn.start_execution(stateMachineArn=machine, name="flaky", input='{"flaky": true}')
    platform.settle()
    assert reactions.steps == ["first"]
    platform.clock.advance(3700)
    platform.settle()
    assert reactions.steps == ["first", "first"]


def test_an_error_that_stays_ends_visibly(
    platform: Platform, machine: str, sfn: SFNClient, reactions: ModuleType
) -> None:
    arn = sfn.start_execution(stateMachineArn=machine, name="broken", input='{"broken": true}')["executionArn"]
    platform.settle()
    ended = sfn.describe_execution(executionArn=arn)
    assert (ended["status"], ended["error"]) == ("FAILED", "Parked")
    assert sfn.get_execution_history(executionArn=arn)["events"]
    listed = sfn.list_executions(stateMachineArn=machine, statusFilter="FAILED")["executions"]
    assert "broken" in [item["name"] for item in listed]


def test_a_name_is_used_once(platform: Platform, machine: str, sfn: SFNClient, reactions: ModuleType) -> None:
    first = sfn.start_execution(stateMachineArn=machine, name="once", input="{}")
    assert (
        sfn.start_execution(stateMachineArn=machine, name="once", input="{}")["executionArn"] == first["executionArn"]
    )
    with pytest.raises(sfn.exceptions.ExecutionAlreadyExists):
        sfn.start_execution(stateMachineArn=machine, name="once", input='{"a": 1}')
    sfn.stop_execution(executionArn=first["executionArn"])
    platform.settle()
    assert status(sfn, first["executionArn"]) == "ABORTED"
    with pytest.raises(sfn.exceptions.ExecutionAlreadyExists):
        sfn.start_execution(stateMachineArn=machine, name="once", input="{}")
    platform.settle()
    assert reactions.steps == ["first"]


def test_requests_that_make_no_sense_are_refused(platform: Platform, machine: str, sfn: SFNClient) -> None:
    with pytest.raises(sfn.exceptions.StateMachineDoesNotExist):
        sfn.start_execution(stateMachineArn=machine + "x", name="a", input="{}")
    with pytest.raises(sfn.exceptions.InvalidExecutionInput):
        sfn.start_execution(stateMachineArn=machine, name="a", input="{")
    with pytest.raises(sfn.exceptions.ExecutionDoesNotExist):
        sfn.describe_execution(executionArn=machine.replace("stateMachine", "execution") + ":nothing")
