"""The part of S3 that the functions use, on files of the state folder; presigned links work and expire."""

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote
from xml.sax.saxutils import escape

from local.stacks import REGION
from local.wsgi import Request, Response

_DATE = "%Y%m%dT%H%M%SZ"
_CHUNK = re.compile(rb"([0-9a-fA-F]+)(?:;[^\r\n]*)?\r\n")
_KEPT_HEADERS = ("content-type", "content-disposition", "content-encoding", "cache-control")
_LIST_LIMIT = 1000


class Objects:
    """Buckets of the template. Objects are files named by a digest of their key, each with a description beside it."""

    def __init__(self, buckets: list[str], folder: Path, secret: str) -> None:
        self._folder = folder
        self._secret = secret
        self._buckets = set(buckets)
        for bucket in buckets:
            (folder / bucket).mkdir(parents=True, exist_ok=True)

    def serve(self, request: Request) -> Response:
        """Answer a request of the REST API in path style."""
        if "authorization" not in request.headers and (refusal := self._refusal(request)):
            return refusal
        bucket, _, key = request.path.removeprefix("/").partition("/")
        if bucket not in self._buckets:
            return _error(404, "NoSuchBucket", "The specified bucket does not exist")
        on_objects = {"PUT": self._put, "GET": self._get, "HEAD": self._get, "DELETE": self._delete}
        answer = on_objects.get(request.method) if key else {"GET": self._list}.get(request.method)
        if answer is None:
            return _error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        return answer(bucket, key, request)

    def _put(self, bucket: str, key: str, request: Request) -> Response:
        headers = request.headers
        chunked = "aws-chunked" in headers.get("content-encoding", "")
        body = _unchunk(request.body) if chunked else request.body
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
        if chunked:
            encoding = kept.pop("content-encoding").replace("aws-chunked", "").strip(", ")
            kept |= {"content-encoding": encoding} if encoding else {}
        kept |= {name: value for name, value in headers.items() if name.startswith("x-amz-meta-")}
        content, description = self._paths(bucket, key)
        content.write_bytes(body)
        modified = format_datetime(datetime.now(UTC), usegmt=True)
        description.write_text(json.dumps({"key": key, "etag": etag, "modified": modified, "headers": kept}))
        return Response(200, {"ETag": f'"{etag}"'})

    def _get(self, bucket: str, key: str, request: Request) -> Response:
        content, description = self._paths(bucket, key)
        if not description.exists():
            return _error(404, "NoSuchKey", "The specified key does not exist.")
        described = json.loads(description.read_text())
        headers = {"content-type": "binary/octet-stream", **described["headers"]}
        headers |= {"ETag": f'"{described["etag"]}"', "Last-Modified": described["modified"]}
        for name, value in request.query.items():
            if name.startswith("response-"):
                headers[name.removeprefix("response-")] = value
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(304, headers)
        body = content.read_bytes()
        if request.method == "HEAD":
            return Response(200, headers | {"Content-Length": str(len(body))})
        return Response(200, headers, body)

    def _delete(self, bucket: str, key: str, _: Request) -> Response:
        for path in self._paths(bucket, key):
            path.unlink(missing_ok=True)
        return Response(204)

    def _list(self, bucket: str, _: str, request: Request) -> Response:
        prefix = request.query.get("prefix", "")
        descriptions = [json.loads(path.read_text()) for path in (self._folder / bucket).glob("*.json")]
        found = sorted((item for item in descriptions if item["key"].startswith(prefix)), key=lambda item: item["key"])
        contents = "".join(
            f"<Contents><Key>{escape(item['key'])}</Key><ETag>&quot;{item['etag']}&quot;</ETag></Contents>"
            for item in found[:_LIST_LIMIT]
        )
        return _xml(
            200,
            f"<ListBucketResult><Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(found)}</KeyCount>"
            f"<IsTruncated>{str(len(found) > _LIST_LIMIT).lower()}</IsTruncated>{contents}</ListBucketResult>",
        )

    def _paths(self, bucket: str, key: str) -> tuple[Path, Path]:
        digest = hashlib.sha256(key.encode()).hexdigest()
        folder = self._folder / bucket
        return folder / f"{digest}.object", folder / f"{digest}.json"

    def _refusal(self, request: Request) -> Response | None:
        """Why a presigned link is not good; None when it is. Links live in real time, as the SDK that signs them."""
        query = request.query
        needed = ("X-Amz-Signature", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders")
        if any(name not in query for name in needed):
            return _error(403, "AccessDenied", "Access Denied")
        try:
            signed_at = datetime.strptime(query["X-Amz-Date"], _DATE).replace(tzinfo=UTC)
            lifetime = timedelta(seconds=int(query["X-Amz-Expires"]))
        except ValueError:
            return _error(403, "AuthorizationQueryParametersError", "X-Amz-Date or X-Amz-Expires cannot be read")
        if not hmac.compare_digest(self._signature(request), query["X-Amz-Signature"]):
            message = "The request signature we calculated does not match the signature you provided."
            return _error(403, "SignatureDoesNotMatch", message)
        if datetime.now(UTC) > signed_at + lifetime:
            return _error(403, "AccessDenied", "Request has expired")
        return None

    def _signature(self, request: Request) -> str:
        """The signature that a presigned link for this request would carry (Signature Version 4, in the query)."""
        pairs = parse_qsl(request.query_string, keep_blank_values=True)
        canonical_query = "&".join(
            f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
            for name, value in sorted(pairs)
            if name != "X-Amz-Signature"
        )
        signed = request.query["X-Amz-SignedHeaders"].split(";")
        headers = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in signed)
        path = quote(request.path, safe="/-_.~")
        parts = (request.method, path, canonical_query, headers, ";".join(signed), "UNSIGNED-PAYLOAD")
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        scope = request.query["X-Amz-Credential"].partition("/")[2]
        moment = request.query["X-Amz-Date"]
        key = f"AWS4{self._secret}".encode()
        for part in (moment[:8], REGION, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
        return hmac.digest(key, text.encode(), "sha256").hex()


def _unchunk(body: bytes) -> bytes:
    """The content of an ``aws-chunked`` body, without its trailers."""
    content, position = bytearray(), 0
    while chunk := _CHUNK.match(body, position):
        size = int(chunk.group(1), 16)
        if not size:
            break
        content += body[chunk.end() : chunk.end() + size]
        position = chunk.end() + size + 2
    return bytes(content)


def _error(status: int, code: str, message: str) -> Response:
    return _xml(status, f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>")


def _xml(status: int, document: str) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{document}'.encode()
    return Response(status, {"Content-Type": "application/xml"}, body)
