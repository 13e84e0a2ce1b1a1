"""What a failing task tells the log and the workflow's history: the name of the error, and no data."""

import logging

import pytest
from pydantic import BaseModel

from kickstand.rental import lifecycle, reservations
from workflows import rental as tasks
from workflows import reservation as reservation_tasks
from workflows._tasks import TaskFailed


class Mail(BaseModel):
    address: int


def test_the_text_of_an_error_is_kept_from_log_and_history(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = {"address": "agatha@mail.example"}
    monkeypatch.setattr(lifecycle, "situation", lambda _: Mail.model_validate(kept))
    with caplog.at_level(logging.INFO), pytest.raises(TaskFailed) as failure:
        tasks.plan({"rental_id": 7}, None)
    assert str(failure.value) == "ValidationError"
    assert failure.value.__cause__ is None
    (record,) = [each for each in caplog.records if each.message == "task failed"]
    assert kept["address"] not in str(vars(record))


def test_a_change_is_named_as_the_state_machine_catches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "wait_for_change", lambda *_: False)
    with pytest.raises(tasks.RentalChanged):
        tasks.await_change({"rental_id": 7, "version": 1, "token": "t"}, None)


@pytest.mark.parametrize(
    ("failure", "name"),
    [
        ({"Error": "TaskFailed", "Cause": '{"errorMessage": "KeyError", "errorType": "TaskFailed"}'}, "KeyError"),
        ({"Error": "States.Timeout", "Cause": ""}, "States.Timeout"),
    ],
)
def test_what_is_parked_has_the_name_of_its_error(
    monkeypatch: pytest.MonkeyPatch, failure: dict[str, str], name: str
) -> None:
    parked: list[tuple[int, str]] = []
    monkeypatch.setattr(lifecycle, "park", lambda rental_id, error: parked.append((rental_id, error)))
    monkeypatch.setattr(reservations, "park", lambda reservation_id, error: parked.append((reservation_id, error)))
    tasks.park({"rental_id": 7, "error": failure}, None)
    reservation_tasks.park_reservation({"reservation_id": 8, "error": failure}, None)
    assert parked == [(7, name), (8, name)]
