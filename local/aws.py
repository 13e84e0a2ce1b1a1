"""The endpoint of AWS clients: S3, SQS, Step Functions, EventBridge, IoT, KMS, SES, SNS; moto for the rest."""

import base64
import hashlib
import json
import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default as mail_policy
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote
from wsgiref.types import StartResponse, WSGIEnvironment

from local import light_moto
from local.bus import Bus
from local.keys import KeyRefused, Keys
from local.objects import Objects
from local.outbox import Outbox
from local.queues import Message, Queues
from local.types import Document, Json
from local.vehicles import Vehicles
from local.workflows import WorkflowError, Workflows
from local.wsgi import Request, Response, application, json_response

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

_log = logging.getLogger(__name__)
_CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
_LONGEST_WAIT_SECONDS = 20.0


class ServiceError(Exception):
    """A request that a service refuses."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Services:
    """The services behind the endpoint."""

    objects: Objects
    queues: Queues
    workflows: Workflows
    bus: Bus
    vehicles: Vehicles
    outbox: Outbox
    keys: Keys
    secrets: Mapping[str, str]


class AwsEndpoint:
    """A WSGI application that routes requests of AWS SDKs by the service in their credentials."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._targets: dict[str, Callable[[str, dict[str, Json]], Json]] = {
            "AmazonSQS": QueueApi(services.queues).call,
            "AWSStepFunctions": WorkflowApi(services.workflows).call,
            "AWSEvents": self._events,
            "TrentService": self._keys,
            "secretsmanager": self._secrets,
        }
        self._own = application(self._answer)
        self._moto: WSGIApplication | None = None
        self._moto_lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        service = _service(environ)
        target = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[0]
        if target in self._targets or service in {"s3", "ses", "iotdata", "sns", None}:
            return self._own(environ, start_response)
        # One request at a time: moto's transactions are not atomic between threads.
        with self._moto_lock:
            return list(self._fallback()(environ, start_response))

    def _answer(self, request: Request) -> Response:
        service = _service(request.environ)
        try:
            if service == "ses":
                return self._mail(request)
            if service == "iotdata":
                return self._publish(request)
            if service == "sns":
                return self._text(request)
            target, _, operation = request.headers.get("x-amz-target", "").partition(".")
            if not operation:
                return self._services.objects.serve(request)
            answer = self._targets[target](operation, json.loads(request.body or b"{}"))
        except (ServiceError, WorkflowError) as error:
            headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-ErrorType": error.code}
            return json_response(400, {"__type": error.code, "message": str(error)}, headers)
        return json_response(200, answer, {"Content-Type": "application/x-amz-json-1.0"})

    def _events(self, operation: str, request: dict[str, Json]) -> Json:
        if operation != "PutEvents":
            raise ServiceError("UnknownOperationException", f"{operation} is not served")
        entries = [self._services.bus.put(entry) for entry in request["Entries"]]
        return {"Entries": entries, "FailedEntryCount": sum("ErrorCode" in entry for entry in entries)}

    def _keys(self, operation: str, request: dict[str, Json]) -> Json:
        """KMS: the ids of keys are taken as they come."""
        key, context = request.get("KeyId", ""), request.get("EncryptionContext", {})
        match operation:
            case "Encrypt":
                sealed = self._services.keys.encrypt(key, base64.b64decode(request["Plaintext"]), context)
                return {"CiphertextBlob": base64.b64encode(sealed).decode(), "KeyId": key}
            case "Decrypt":
                try:
                    plain = self._services.keys.decrypt(key, base64.b64decode(request["CiphertextBlob"]), context)
                except KeyRefused as error:
                    raise ServiceError("InvalidCiphertextException", str(error)) from error
                return {"Plaintext": base64.b64encode(plain).decode(), "KeyId": key}
            case _:
                raise ServiceError("UnsupportedOperationException", f"{operation} is not served")

    def _secrets(self, operation: str, request: dict[str, Json]) -> Json:
        if operation != "GetSecretValue":
            raise ServiceError("InvalidRequestException", f"{operation} is not served")
        arn = request["SecretId"]
        if arn not in self._services.secrets:
            raise ServiceError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        return {"ARN": arn, "Name": arn.rpartition(":")[2], "SecretString": self._services.secrets[arn]}

    def _publish(self, request: Request) -> Response:
        _, _, topic = request.raw_path.partition("/topics/")
        self._services.vehicles.publish(unquote(topic), request.body)
        return json_response(200, {})

    def _mail(self, request: Request) -> Response:
        if request.path != "/v2/email/outbound-emails":
            raise ServiceError("NotFoundException", f"{request.path} is not served")
        document = json.loads(request.body)
        entry = {"from": document.get("FromEmailAddress"), **_recipients(document), **_content(document["Content"])}
        self._services.outbox.add("mails", entry)
        return json_response(200, {"MessageId": hashlib.sha256(request.body).hexdigest()[:32]})

    def _text(self, request: Request) -> Response:
        """SNS: a message to a phone number is an SMS, one to anything else a push message."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("Action") != "Publish":
            raise ServiceError("InvalidAction", f"{form.get('Action')} is not served")
        receiver = form.get("PhoneNumber") or form.get("TargetArn") or form.get("TopicArn")
        self._services.outbox.add(
            "sms" if "PhoneNumber" in form else "pushes", {"to": receiver, "text": form["Message"]}
        )
        identity = hashlib.sha256(request.body).hexdigest()[:32]
        document = (
            f"<PublishResponse><PublishResult><MessageId>{identity}</MessageId></PublishResult></PublishResponse>"
        )
        return Response(200, {"Content-Type": "text/xml"}, document.encode())

    def _fallback(self) -> "WSGIApplication":
        if self._moto is None:
            from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

            light_moto.share_copies()
            self._moto = DomainDispatcherApplication(create_backend_app)
        return self._moto


class QueueApi:
    """SQS's JSON protocol."""

    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    def call(self, operation: str, request: dict[str, Json]) -> Json:
        """Answer an operation.

        Raises:
            ServiceError: when the queue or the operation does not exist.
        """
        if operation == "ListQueues":
            return {"QueueUrls": [queue.url for queue in self._queues.queues.values()]}
        queue = self._queues.by_url(request.get("QueueUrl") or request.get("QueueName") or "")
        if queue is None:
            raise ServiceError("QueueDoesNotExist", "The specified queue does not exist.")
        operations: dict[str, Callable[[str, Document], Json]] = {
            "GetQueueUrl": lambda arn, _: {"QueueUrl": self._queues.queues[arn].url},
            "GetQueueAttributes": self._attributes,
            "SendMessage": self._send,
            "SendMessageBatch": self._send_batch,
            "ReceiveMessage": self._receive,
            "DeleteMessage": self._delete,
            "DeleteMessageBatch": self._delete_batch,
            "ChangeMessageVisibility": self._change_visibility,
            "PurgeQueue": lambda arn, _: self._queues.purge(arn),
        }
        if operation not in operations:
            raise ServiceError("UnsupportedOperation", f"{operation} is not served")
        return operations[operation](queue.arn, request) or {}

    def _attributes(self, arn: str, _: Document) -> dict[str, Json]:
        visible, hidden = self._queues.depth(arn)
        depths = {"ApproximateNumberOfMessages": visible, "ApproximateNumberOfMessagesNotVisible": hidden}
        return {"Attributes": {**{name: str(number) for name, number in depths.items()}, "QueueArn": arn}}

    def _send(self, arn: str, entry: Document) -> dict[str, str]:
        attributes = entry.get("MessageAttributes")
        identity = self._queues.send(arn, entry["MessageBody"], delay=entry.get("DelaySeconds"), attributes=attributes)
        return {"MessageId": identity, "MD5OfMessageBody": _md5(entry["MessageBody"])}

    def _send_batch(self, arn: str, request: Document) -> dict[str, Json]:
        return {"Successful": [{"Id": entry["Id"], **self._send(arn, entry)} for entry in request["Entries"]]}

    def _receive(self, arn: str, request: Document) -> dict[str, Json]:
        messages = self._queues.receive(
            arn,
            request.get("MaxNumberOfMessages", 1),
            visibility=request.get("VisibilityTimeout"),
            wait=min(request.get("WaitTimeSeconds", 0), _LONGEST_WAIT_SECONDS),
        )
        return {"Messages": [_received(message) for message in messages]} if messages else {}

    def _delete(self, arn: str, request: Document) -> None:
        self._queues.delete(arn, request["ReceiptHandle"])

    def _delete_batch(self, arn: str, request: Document) -> dict[str, Json]:
        for entry in request["Entries"]:
            self._delete(arn, entry)
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]]}

    def _change_visibility(self, arn: str, request: Document) -> None:
        self._queues.change_visibility(arn, request["ReceiptHandle"], request["VisibilityTimeout"])


class WorkflowApi:
    """Step Functions' JSON protocol, as far as executions go."""

    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows

    def call(self, operation: str, request: dict[str, Json]) -> Json:
        """Answer an operation.

        Raises:
            WorkflowError: when Step Functions would refuse it.
            ServiceError: when the operation is not served.
        """
        workflows = self._workflows
        match operation:
            case "StartExecution":
                name = request.get("name") or hashlib.sha256(json.dumps(request).encode()).hexdigest()[:32]
                arn, started = workflows.start(request["stateMachineArn"], name, request.get("input", "{}"))
                return {"executionArn": arn, "startDate": started}
            case "StopExecution":
                workflows.stop_execution(request["executionArn"], request.get("error"), request.get("cause"))
                return {"stopDate": workflows.clock.now().timestamp()}
            case "DescribeExecution":
                return workflows.describe(request["executionArn"])
            case "ListExecutions":
                return {"executions": workflows.executions(request["stateMachineArn"], request.get("statusFilter"))}
            case "GetExecutionHistory":
                return {"events": json.loads(json.dumps(workflows.history(request["executionArn"]), default=_plain))}
            case "SendTaskSuccess":
                workflows.complete_task(request["taskToken"], output=request["output"])
            case "SendTaskFailure":
                error, cause = request.get("error"), request.get("cause")
                workflows.complete_task(request["taskToken"], output=None, error=error, cause=cause)
            case "SendTaskHeartbeat":
                workflows.heartbeat(request["taskToken"])
            case _:
                raise ServiceError("UnknownOperationException", f"{operation} is not served")
        return {}


def _service(environ: WSGIEnvironment) -> str | None:
    """The service that a request is signed for; None when it carries no such signature."""
    match = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    return match.group(1) if match else None


def _received(message: Message) -> dict[str, Json]:
    return {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "Body": message.body,
        "MD5OfBody": _md5(message.body),
        "Attributes": message.system_attributes,
        **({"MessageAttributes": message.attributes} if message.attributes else {}),
    }


def _recipients(document: Document) -> dict[str, list[str]]:
    destination = document.get("Destination", {})
    names = {"to": "ToAddresses", "cc": "CcAddresses", "bcc": "BccAddresses"}
    return {name: destination[key] for name, key in names.items() if destination.get(key)}


def _content(content: Document) -> dict[str, Json]:
    """Subject, text, HTML and names of attachments of a mail."""
    if simple := content.get("Simple"):
        body = simple.get("Body", {})
        parts = {name: body[key]["Data"] for name, key in (("text", "Text"), ("html", "Html")) if key in body}
        attachments = [attachment["FileName"] for attachment in simple.get("Attachments", [])]
        return {"subject": simple["Subject"]["Data"], **parts, "attachments": attachments}
    if raw := content.get("Raw"):
        mail = message_from_bytes(base64.b64decode(raw["Data"]), policy=mail_policy)
        bodies = {name: mail.get_body((kind,)) for name, kind in (("text", "plain"), ("html", "html"))}
        parts = {name: part.get_content() for name, part in bodies.items() if part}
        attachments = [attachment.get_filename() for attachment in mail.iter_attachments()]
        return {"subject": str(mail["Subject"]), **parts, "attachments": attachments}
    template = content.get("Template", {})
    return {"template": template.get("TemplateName"), "data": template.get("TemplateData")}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _plain(value: Json) -> Json:
    return value.timestamp() if hasattr(value, "timestamp") else str(value)
