"""DynamoDB streams: their records, delivered to functions as event source mappings do."""

import json
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from local.engine import Dynamo, DynamoError
from local.functions import Functions, Invocation
from local.queues import Queues
from local.stacks import REGION
from local.state import State
from local.template import Source
from local.types import Json

_log = logging.getLogger(__name__)
_PAGE = 1000
_SOONEST_SECONDS = 0.02
_LATEST_SECONDS = 0.15
_LONGEST_PAUSE_SECONDS = 1.0
_ENDLESS_RETRIES = 1_000_000


class StreamReader(threading.Thread):
    """Delivers the records of one table's stream to one function, in order.

    A failing batch is tried again with growing pauses (up to a second: a person waits), split where the mapping says
    so, and goes to the failure destination in the end. The position is kept in the state folder after every batch.
    """

    def __init__(self, source: Source, dynamo: Dynamo, functions: Functions, queues: Queues, state: State) -> None:
        super().__init__(name=f"stream:{source.table}:{source.function_arn.rsplit(':', 1)[-1]}", daemon=True)
        self._source = source
        self._dynamo = dynamo
        self._functions = functions
        self._queues = queues
        self._state = state
        self._key = f"{source.table}/{source.function_arn}"
        self._stream_arn = ""
        self._iterators: dict[str, str] = {}
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._polls = 0
        self._empty_poll = 0

    def run(self) -> None:
        """Read until stopped."""
        pause = _SOONEST_SECONDS
        while not self._stopping.is_set():
            poll = self._polls = self._polls + 1
            try:
                found = self._poll()
            except Exception:  # noqa: BLE001 - logged; the records are read again
                _log.exception("reading the stream of %s failed", self._source.table)
                found = True
                self._iterators.clear()
                self._stopping.wait(_LATEST_SECONDS)
            self._empty_poll = 0 if found else poll
            if found:
                pause = _SOONEST_SECONDS
                continue
            if self._wake.wait(pause):
                self._wake.clear()
                self._stopping.wait(_SOONEST_SECONDS)
                pause = _SOONEST_SECONDS
            else:
                pause = min(pause * 1.5, _LATEST_SECONDS)

    def wake(self) -> None:
        """Look for records soon."""
        self._wake.set()

    def position(self) -> int:
        """A mark in time; see :meth:`idle`."""
        return self._polls

    def idle(self, since: int) -> bool:
        """Whether the last look at the stream that ended found nothing, and began after the mark ``since``."""
        return self._empty_poll > since

    def stop(self) -> None:
        """End after the batch that is being delivered."""
        self._stopping.set()
        self._wake.set()
        self.join()

    def _poll(self) -> bool:
        """Read every shard once; answers whether there were records."""
        if not self._iterators:
            self._open()
        found = False
        for shard, iterator in list(self._iterators.items()):
            answer = self._dynamo.call_streams("GetRecords", ShardIterator=iterator, Limit=_PAGE)
            records = answer.get("Records", [])
            if records:
                found = True
                if not self._process(shard, records):
                    return found
            following = answer.get("NextShardIterator")
            if following:
                self._iterators[shard] = following
            else:
                del self._iterators[shard]
        return found

    def _open(self) -> None:
        """Find the stream's shards and where to go on in each."""
        if not self._stream_arn:
            table = self._dynamo.call("DescribeTable", TableName=self._source.table)["Table"]
            self._stream_arn = table["LatestStreamArn"]
        description = self._dynamo.call_streams("DescribeStream", StreamArn=self._stream_arn)["StreamDescription"]
        for shard in description["Shards"]:
            identity = shard["ShardId"]
            where = {"StreamArn": self._stream_arn, "ShardId": identity}
            sequence = self._checkpoint(identity)
            if sequence:
                try:
                    position = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": sequence}
                    answer = self._dynamo.call_streams("GetShardIterator", **where, **position)
                except DynamoError as error:
                    _log.warning("%s: %s; reading the stream from its oldest record", self.name, error)
                else:
                    self._iterators[identity] = answer["ShardIterator"]
                    continue
            answer = self._dynamo.call_streams("GetShardIterator", **where, ShardIteratorType="TRIM_HORIZON")
            self._iterators[identity] = answer["ShardIterator"]

    def _process(self, shard: str, records: Sequence[Json]) -> bool:
        """Deliver records in batches; answers whether all are done with."""
        arn = self._source.source_arn
        prepared = [{**record, "eventSourceARN": arn, "awsRegion": REGION} for record in records]
        accepted = [record for record in prepared if self._source.accepts(record)]
        size = self._source.batch_size
        for start in range(0, len(accepted), size):
            if not self._deliver(shard, accepted[start : start + size]):
                return False
        self._keep(shard, records[-1])
        return True

    def _deliver(self, shard: str, batch: Sequence[Json]) -> bool:
        """Deliver one batch until each of its records is done with; answers False when stopped before."""
        source = self._source
        retries = source.retries if source.retries >= 0 else _ENDLESS_RETRIES
        work = deque([(batch, 0)])
        while work:
            records, attempts = work.popleft()
            invocation = self._functions.invoke(source.function_arn, {"Records": list(records)})
            done = self._done(invocation, records)
            if done:
                self._keep(shard, records[done - 1])
                records = records[done:]
                attempts = 0
            if not records:
                continue
            if self._stopping.is_set():
                return False
            if attempts >= retries or self._too_old(records[0]):
                self._give_up(shard, records, invocation, attempts + 1)
                self._keep(shard, records[-1])
            elif source.bisect and invocation.error and len(records) > 1:
                half = len(records) // 2
                work.extendleft([(records[half:], attempts), (records[:half], attempts)])
            else:
                self._stopping.wait(min(0.05 * 2**attempts, _LONGEST_PAUSE_SECONDS))
                work.appendleft((records, attempts + 1))
        return True

    def _done(self, invocation: Invocation, records: Sequence[Json]) -> int:
        """How many records from the start of the batch are done with."""
        if invocation.error:
            return 0
        if not self._source.partial_responses or not isinstance(invocation.result, Mapping):
            return len(records)
        failures = invocation.result.get("batchItemFailures") or []
        failed = {failure.get("itemIdentifier") for failure in failures}
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        if failed - set(numbers):
            return 0
        return next((index for index, number in enumerate(numbers) if number in failed), len(records))

    def _too_old(self, record: Json) -> bool:
        age = time.time() - float(record["dynamodb"]["ApproximateCreationDateTime"])
        return 0 <= self._source.record_age < age

    def _give_up(self, shard: str, records: Sequence[Json], invocation: Invocation, attempts: int) -> None:
        """Report a batch to the failure destination, as Lambda does: where it is, not what it holds."""
        _log.error("%s: %s records given up after %s attempts", self.name, len(records), attempts)
        if not self._source.on_failure_arn:
            return
        changes = [record["dynamodb"] for record in records]
        moments = [datetime.fromtimestamp(float(change["ApproximateCreationDateTime"]), UTC) for change in changes]
        message = {
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(),
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": self._source.function_arn,
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": attempts,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": invocation.error and invocation.error["errorType"],
            },
            "DDBStreamBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": changes[0]["SequenceNumber"],
                "endSequenceNumber": changes[-1]["SequenceNumber"],
                "approximateArrivalOfFirstRecord": moments[0].isoformat(),
                "approximateArrivalOfLastRecord": moments[-1].isoformat(),
                "batchSize": len(records),
                "streamArn": self._source.source_arn,
            },
        }
        self._queues.send(self._source.on_failure_arn, json.dumps(message))

    def _checkpoint(self, shard: str) -> str | None:
        rows = self._state.rows("SELECT sequence FROM checkpoints WHERE source = ? AND shard = ?", (self._key, shard))
        return str(rows[0]["sequence"]) if rows else None

    def _keep(self, shard: str, record: Json) -> None:
        self._state.run(
            "INSERT INTO checkpoints VALUES (?, ?, ?) "
            "ON CONFLICT (source, shard) DO UPDATE SET sequence = excluded.sequence",
            (self._key, shard, record["dynamodb"]["SequenceNumber"]),
        )
