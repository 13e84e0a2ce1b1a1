"""The workflows of payments in Step Functions."""

import os

from kickstand.kernel import executions


def start_workflow(payment_id: int) -> None:
    """Start the execution ``payment-<id>``; one that runs or ran stays the only one."""
    executions.start(os.environ["PAYMENT_WORKFLOW_ARN"], f"payment-{payment_id}", {"payment_id": payment_id})


def wake_workflow(token: str) -> None:
    """Let a waiting execution look at its payment again; one that has stopped waiting does so by itself."""
    executions.wake(token)
