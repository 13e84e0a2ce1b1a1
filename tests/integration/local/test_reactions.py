import json
import os
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol, TypeAlias

import boto3
import pytest
import urllib3
from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

from local.server import Platform
from local.types import Json

Parked: TypeAlias = Callable[[], list[str]]


class Put(Protocol):
    def __call__(self, thing: str, **body: Json) -> None: ...


@pytest.fixture
def put(platform: Platform, http: urllib3.PoolManager) -> Put:
    def send(thing: str, **body: Json) -> None:
        assert http.request("PUT", f"{platform.url}/things/v1/things/{thing}", json=body).status == 201

    return send


@pytest.fixture
def parked(platform: Platform) -> Parked:
    """Takes what lies in the queue of failures."""
    failures = next(arn for arn in platform.queues.queues if arn.endswith("Failures"))
    platform.queues.purge(failures)

    def take() -> list[str]:
        return [message.body for message in platform.queues.receive(failures, 10)]

    return take


def test_changes_reach_their_function_within_a_fifth_of_a_second(put: Put, reactions: ModuleType) -> None:
    time.sleep(0.5)  # the reader rests
    put("quick")
    put("other", kind="something else")
    deadline = time.monotonic() + 0.2
    while not reactions.seen and time.monotonic() < deadline:
        time.sleep(0.002)
    assert reactions.seen == ["quick"]


def test_a_bad_record_is_split_off_and_parked(
    put: Put, platform: Platform, reactions: ModuleType, parked: Parked
) -> None:
    for thing in ("a", "b"):
        put(thing)
    put("c", mood="bad")
    put("d")
    platform.settle()
    assert set(reactions.seen) == {"a", "b", "d"}
    (message,) = parked()
    info = json.loads(message)
    assert info["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert info["requestContext"]["approximateInvokeCount"] == 3
    assert info["DDBStreamBatchInfo"]["batchSize"] == 1


def test_a_partial_response_repeats_from_the_failed_record(
    put: Put, platform: Platform, reactions: ModuleType, parked: Parked
) -> None:
    put("before")
    put("stubborn", mood="stubborn")
    platform.settle()
    assert reactions.seen == ["before"]
    assert len(parked()) == 1


def test_messages_of_a_queue_reach_their_function_and_failing_ones_the_dead_letters(
    platform: Platform, reactions: ModuleType, parked: Parked
) -> None:
    sqs = boto3.client("sqs")
    url = os.environ["JOBS_QUEUE"]
    sqs.send_message(QueueUrl=url, MessageBody="good")
    sent = sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "bad"}, {"Id": "2", "MessageBody": "better"}]
    )
    assert [entry["Id"] for entry in sent["Successful"]] == ["1", "2"]
    platform.settle()
    assert set(reactions.jobs) == {"good", "better"}
    deadline = time.monotonic() + 5
    left = parked()
    while not left and time.monotonic() < deadline:
        platform.clock.advance(1)
        time.sleep(0.05)
        left = parked()
    assert left == ["bad"]


def test_a_client_receives_and_deletes_messages(platform: Platform, parked: Parked) -> None:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="kickstand-Failures")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"]
    assert message["Body"] == "hello"
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert sqs.get_queue_attributes(QueueUrl=url)["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "0"
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="other")


def test_events_go_to_the_outbox_and_to_the_targets_of_matching_rules(
    platform: Platform, reactions: ModuleType
) -> None:
    events = boto3.client("events")
    entry: PutEventsRequestEntryTypeDef = {
        "Source": "tests",
        "DetailType": "Happened",
        "Detail": '{"a": 1}',
        "EventBusName": "things",
    }
    answer = events.put_events(Entries=[entry, {**entry, "Source": "others"}, {**entry, "Detail": "no"}])
    assert answer["FailedEntryCount"] == 1
    platform.settle()
    (event,) = reactions.ticks
    assert (event["detail-type"], event["detail"]) == ("Happened", {"a": 1})
    assert [kept["source"] for kept in platform.outbox.entries()["events"]][-2:] == ["tests", "others"]


def test_a_schedule_fires_when_its_time_has_come(
    platform: Platform, http: urllib3.PoolManager, reactions: ModuleType
) -> None:
    http.request("POST", f"{platform.url}/_local/clock", json={"advance_seconds": 3700})
    platform.settle()
    (event,) = reactions.ticks
    assert event["source"] == "aws.scheduler"


def test_a_vehicle_answers_as_it_is_told(platform: Platform, http: urllib3.PoolManager, reactions: ModuleType) -> None:
    iot = boto3.client("iot-data", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    control = f"{platform.url}/_local/vehicles"

    def command(identity: str, action: str) -> None:
        payload = {"command_id": identity, "vehicle_id": 7, "action": action, "sent_at": "2026-01-01T00:00:00Z"}
        iot.publish(topic="vehicles/7/commands", payload=json.dumps(payload))
        platform.settle()

    command("c1", "unlock")
    http.request("POST", f"{control}/7", json={"unlock": "reject", "lock": "silent", "delay_ms": 0})
    command("c2", "unlock")
    command("c3", "lock")
    http.request("POST", f"{control}/7", json={"move_to": [10.75, 59.91], "battery_percent": 40})
    messages = [json.loads(job) for job in reactions.jobs]
    assert [(message.get("command_id"), message.get("outcome")) for message in messages] == [
        ("c1", "done"),
        ("c2", "rejected"),
        (None, None),
    ]
    assert messages[2] | {"at": ""} == {
        "type": "telemetry",
        "vehicle_id": 7,
        "at": "",
        "longitude": 10.75,
        "latitude": 59.91,
        "battery_percent": 40,
        "locked": True,
        "speed_kmh": 0.0,
    }


@pytest.fixture
def tell(platform: Platform, http: urllib3.PoolManager) -> Callable[..., Json]:
    """Controls a vehicle; answers how it behaves then."""
    platform.vehicles.locate_station = {400: (10.7, 59.9), 401: (10.8, 59.95)}.get

    def send(vehicle: int, **body: Json) -> Json:
        answer = http.request("POST", f"{platform.url}/_local/vehicles/{vehicle}", json=body)
        assert answer.status == 200, answer.data
        platform.settle()
        return answer.json()

    return send


@pytest.fixture
def command(platform: Platform) -> Callable[[int, str, str], None]:
    """Commands a vehicle."""
    iot = boto3.client("iot-data", endpoint_url=os.environ["AWS_ENDPOINT_URL"])

    def send(vehicle: int, identity: str, action: str) -> None:
        payload = {"command_id": identity, "vehicle_id": vehicle, "action": action, "sent_at": "2026-01-01T00:00:00Z"}
        iot.publish(topic=f"vehicles/{vehicle}/commands", payload=json.dumps(payload))
        platform.settle()

    return send


def test_a_station_tells_which_vehicle_it_holds(tell: Callable[..., Json], reactions: ModuleType) -> None:
    held = tell(20, dock={"cluster_id": 400, "number": 3})
    assert held["dock"] == {"cluster_id": 400, "number": 3}
    assert held["reported"]["longitude"] == 10.7
    assert "dock" not in tell(20, undock=True)
    messages = [json.loads(job) | {"at": ""} for job in reactions.jobs]
    told = {"cluster_id": 400, "number": 3, "vehicle_id": 20, "at": ""}
    assert messages == [{"type": "docking", **told}, {"type": "undocking", **told}]


def test_an_unlocked_vehicle_leaves_its_dock(
    tell: Callable[..., Json], command: Callable[[int, str, str], None], reactions: ModuleType
) -> None:
    tell(21, dock={"cluster_id": 401, "number": 7}, unlock="reject")
    command(21, "c1", "unlock")
    tell(21, unlock="silent")
    command(21, "c2", "unlock")
    assert tell(21, unlock="acknowledge")["dock"]["number"] == 7
    command(21, "c3", "unlock")
    command(21, "c4", "unlock")
    messages = [json.loads(job) for job in reactions.jobs]
    assert [each.get("command_id", each["type"]) for each in messages] == ["docking", "c1", "c3", "undocking", "c4"]


def test_a_vehicle_says_how_far_it_has_come_with_its_latest_command(
    tell: Callable[..., Json], command: Callable[[int, str, str], None], reactions: ModuleType
) -> None:
    tell(22, lock="silent")
    command(22, "c1", "lock")
    command(22, "c2", "ring")
    tell(22, progress="jammed")
    jammed = json.loads(reactions.jobs[-1])
    assert jammed | {"at": ""} == {
        "type": "progress",
        "vehicle_id": 22,
        "command_id": "c1",
        "progress": "jammed",
        "at": "",
    }


@pytest.mark.parametrize(
    ("vehicle", "body"),
    [
        ("23", {"dock": {"cluster_id": 400}}),
        ("23", {"dock": {"cluster_id": 400, "number": 0}}),
        ("23", {"dock": {"cluster_id": 400, "number": True}}),
        ("23", {"dock": {"cluster_id": 999, "number": 1}}),
        ("23", {"dock": 400}),
        ("23", {"undock": True}),
        ("24", {"dock": {"cluster_id": 400, "number": 2}}),
        ("24", {"undock": False}),
        ("24", {"progress": "jammed"}),
        ("25", {"progress": "stuck"}),
        ("25", {"progress": []}),
        ("all", {"undock": True}),
    ],
)
def test_what_cannot_happen_at_a_station_is_refused(
    platform: Platform,
    http: urllib3.PoolManager,
    tell: Callable[..., Json],
    command: Callable[[int, str, str], None],
    vehicle: str,
    body: Json,
) -> None:
    if "dock" not in tell(24):
        tell(24, dock={"cluster_id": 400, "number": 1})
        command(25, "c1", "unlock")
    assert http.request("POST", f"{platform.url}/_local/vehicles/{vehicle}", json=body).status == 400


@pytest.mark.parametrize(
    ("vehicle", "body"),
    [
        ("x", {}),
        ("7", {"unlock": "maybe"}),
        ("7", {"delay_ms": -1}),
        ("7", {"delay_ms": 1e300}),
        ("7", {"delay_ms": True}),
        ("7", {"speed_kmh": 1e9}),
        ("7", {"battery_percent": True}),
        ("7", {"move_to": [1]}),
        ("7", {"move_to": [200, 0]}),
        ("7", {"battery_percent": 101}),
        ("8", {"battery_percent": 10}),
        ("all", {"move_to": [1, 2]}),
    ],
)
def test_what_the_simulator_cannot_do_is_refused(
    platform: Platform, http: urllib3.PoolManager, vehicle: str, body: Json
) -> None:
    assert http.request("POST", f"{platform.url}/_local/vehicles/{vehicle}", json=body).status == 400


@pytest.mark.parametrize(
    "body",
    [{}, {"advance_seconds": -1}, {"advance_seconds": "1"}, {"advance_seconds": True}, {"advance_seconds": 1e300}, []],
)
def test_time_moves_forward_by_seconds_only(platform: Platform, http: urllib3.PoolManager, body: Json) -> None:
    assert http.request("POST", f"{platform.url}/_local/clock", json=body).status == 400


def test_objects_are_kept_and_presigned_links_work_until_they_expire(
    platform: Platform, http: urllib3.PoolManager
) -> None:
    s3 = boto3.client("s3")
    bucket = os.environ["DOCUMENTS_BUCKET"]
    s3.put_object(Bucket=bucket, Key="a/b c.pdf", Body=b"%PDF", ContentType="application/pdf")
    stored = s3.get_object(Bucket=bucket, Key="a/b c.pdf")
    assert (stored["Body"].read(), stored["ContentType"]) == (b"%PDF", "application/pdf")
    assert s3.head_object(Bucket=bucket, Key="a/b c.pdf")["ContentLength"] == 4
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix="a/")["Contents"]] == ["a/b c.pdf"]

    def link(seconds: int) -> str:
        return s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a/b c.pdf"}, ExpiresIn=seconds)

    answer = http.request("GET", link(60))
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (200, b"%PDF", "application/pdf")
    short = link(1)
    assert http.request("GET", short.replace("Signature=", "Signature=0")).status == 403
    assert http.request("GET", short.partition("?")[0]).status == 403
    time.sleep(2.1)
    assert b"expired" in http.request("GET", short).data
    s3.delete_object(Bucket=bucket, Key="a/b c.pdf")
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key="a/b c.pdf")


def test_mails_and_text_messages_are_kept(platform: Platform, http: urllib3.PoolManager) -> None:
    ses = boto3.client("sesv2")
    content: Any = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "there"}}}}
    ses.send_email(FromEmailAddress="a@x.example", Destination={"ToAddresses": ["b@x.example"]}, Content=content)
    boto3.client("sns").publish(PhoneNumber="+4712345678", Message="hello")
    outbox = http.request("GET", f"{platform.url}/_local/outbox").json()
    mail = outbox["mails"][-1]
    assert (mail["to"], mail["subject"], mail["text"]) == (["b@x.example"], "Hi", "there")
    assert (outbox["sms"][-1]["to"], outbox["sms"][-1]["text"]) == ("+4712345678", "hello")
