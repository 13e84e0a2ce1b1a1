"""The example events in ``events/``: what API Gateway, a stream, a queue and the workflow hand to functions.

They talk about the local platform's demo, whose ids are the same on every machine.
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from kickstand.geo.model import Verdict
from kickstand.http.operation import Operation
from kickstand.kernel.events import Event
from kickstand.kernel.items import Item
from kickstand.kernel.place import Position
from kickstand.pricing.model import Tariff
from kickstand.rental.model import Rental, RentalState, Reservation, Segment, SegmentKind
from kickstand.rental.store import RentalItem, ReservationItem
from local import demo
from tools.registry import surface

_WHEN: Final = datetime(2026, 1, 5, 8, tzinfo=UTC)
_UNIVERSITETSGATA: Final = {"longitude": 10.7346, "latitude": 59.9152}

Document = dict[str, Any]


def render() -> Iterator[tuple[str, str]]:
    """The name and the text of every file."""
    for name, event in events().items():
        yield f"{name}.json", json.dumps(event, indent=2, ensure_ascii=False) + "\n"


def events() -> dict[str, Document]:
    """The events by name: the function's module and name, joined by a hyphen."""
    described = demo.describe()["surfaces"]["voi"]
    ids: Mapping[str, str] = described["ids"]
    token = {"x-auth-token": described["headers"]["X-Auth-Token"]}
    client: Mapping[str, str] = demo.describe()["surfaces"]["maas"]["client"]
    grant = {"grant_type": "client_credentials", "client_id": client["id"], "client_secret": client["secret"]}
    user = {
        "email": "ola@rider.example",
        "firstName": "Ola",
        "lastName": "Nordmann",
        "productId": ids["productId"],
    }
    lane = {"client_id": 1, "endpoint_id": 1, "subject": "trip-1"}
    start = {"userId": ids["userId"], "vehicleId": ids["vehicleId"], "userStartLocation": _UNIVERSITETSGATA}
    return {
        "start-rental": _request("voi", "start_rental", token, body=start),
        "end-rental": _request(
            "voi", "end_rental", token, path={"rentalId": ids["rentalId"]}, body={"userEndLocation": _UNIVERSITETSGATA}
        ),
        "list-vehicles": _request("voi", "list_vehicles_by_zone", token, query={"zoneID": ids["zoneID"]}),
        "register-user": _request("voi", "register_user", token, body=user),
        "issue-token": _request("maas", "issue_token", {}, form=grant),
        "stream-of-rentals": _stream(RentalItem.of(_rental(UUID(ids["rentalId"]), UUID(ids["vehicleId"])))),
        "stream-of-reservations": _stream(ReservationItem.of(_reservation(UUID(client["id"])))),
        "queue-of-vehicle-messages": _queue(
            {
                "type": "telemetry",
                "vehicle_id": 1,
                "at": _WHEN.isoformat(),
                **_UNIVERSITETSGATA,
                "battery_percent": 71,
                "locked": True,
                "speed_kmh": 0,
            }
        ),
        "queue-of-station-messages": _queue(
            {"type": "docking", "cluster_id": 551, "vehicle_id": 301, "number": 7, "at": _WHEN.isoformat()}
        ),
        "queue-of-webhooks": _queue({"kind": "wake", **lane}),
        "workflow-plan": {"rental_id": 1},
        "workflow-expire": {"reservation_id": 2},
        "workflow-retry": {**lane, "owner": "0123456789abcdef"},
    }


def _request(
    api: str,
    operation_id: str,
    headers: Mapping[str, str],
    *,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    body: Document | None = None,
    form: Mapping[str, str] | None = None,
) -> Document:
    """A request in API Gateway's payload format 2.0."""
    operation: Operation = surface(api).operations[operation_id]
    route = f"{operation.method} {operation.path}"
    raw_path = f"/{api}" + operation.path.format(**(path or {}))
    event: Document = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": raw_path,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in (query or {}).items()),
        "headers": {"host": "api.kickstand.example", **headers},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": api,
            "domainName": "api.kickstand.example",
            "http": {"method": operation.method, "path": raw_path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "requestId": f"example-{operation_id}",
            "routeKey": route,
            "stage": "$default",
            "timeEpoch": int(_WHEN.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    if path:
        event["pathParameters"] = dict(path)
    if query:
        event["queryStringParameters"] = dict(query)
    if body is not None:
        event["headers"]["content-type"] = "application/json"
        event["body"] = json.dumps(body)
    if form is not None:
        event["headers"]["content-type"] = "application/x-www-form-urlencoded"
        event["body"], event["isBase64Encoded"] = b64encode(urlencode(form).encode()).decode(), True
    return event


def _rental(public_id: UUID, vehicle: UUID) -> Rental:
    """The start of the demo's first rental, as its table's stream told it then."""
    position = Position(**_UNIVERSITETSGATA)
    tariff = Tariff(
        id=1,
        network_id=demo.OSLO,
        model_id=1,
        version=1,
        published_at=_WHEN - timedelta(days=1),
        currency="NOK",
        start_price=800,
        price_per_minute=200,
        vat_percent=25,
    )
    return Rental(
        id=1,
        public_id=public_id,
        rider_id=1,
        client_id=1,
        product_id=1,
        vehicle_id=1,
        vehicle_public_id=vehicle,
        vehicle_code=demo.CODE,
        network_id=demo.OSLO,
        state=RentalState.STARTING,
        tariff=tariff,
        started_at=_WHEN,
        vehicle_start=position,
        start_verdict=Verdict(geofence_version=1, ride_start_allowed=True),
        segments=(Segment(kind=SegmentKind.RIDE, started_at=_WHEN),),
        version=1,
        event=Event(id=1, name="RentalStarted", at=_WHEN),
    )


def _reservation(client: UUID) -> Reservation:
    """The making of the demo's first reservation, as its table's stream told it then."""
    return Reservation(
        id=1,
        client_id=1,
        client_public_id=client,
        holder_id=2,
        external_rider_id=demo.USER,
        network_id=demo.OSLO,
        vehicle_id=1,
        created_at=_WHEN,
        updated_at=_WHEN,
        expires_at=_WHEN + timedelta(minutes=15),
        event=Event(id=2, name="ReservationMade", at=_WHEN),
    )


def _stream(item: Item[Any]) -> Document:
    image = item.to_dynamodb_dict()
    return {
        "Records": [
            {
                "eventID": "1",
                "eventName": "INSERT",
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": "eu-north-1",
                "dynamodb": {
                    "ApproximateCreationDateTime": _WHEN.timestamp(),
                    "Keys": {name: image[name] for name in ("pk", "sk")},
                    "NewImage": image,
                    "SequenceNumber": "1",
                    "SizeBytes": 1000,
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                },
                "eventSourceARN": "arn:aws:dynamodb:eu-north-1:000000000000:table/RentalTable/stream/example",
            }
        ]
    }


def _queue(message: Document) -> Document:
    return {
        "Records": [
            {
                "messageId": "00000000-0000-4000-8000-000000000001",
                "receiptHandle": "example",
                "body": json.dumps(message),
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(_WHEN.timestamp() * 1000))},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-north-1:000000000000:vehicle-messages",
                "awsRegion": "eu-north-1",
            }
        ]
    }
