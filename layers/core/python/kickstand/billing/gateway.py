"""Documents in S3: written once, read by riders through links that expire."""

import os
from typing import Final
from urllib.parse import quote

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest

from kickstand.kernel import aws

LINK_LIFETIME_S: Final = 3600

_PDF: Final = "application/pdf"


def put(key: str, document: bytes, filename: str) -> None:
    """Keep a PDF under ``key``; the bucket encrypts it. Browsers will show it under ``filename`` (ASCII)."""
    aws.client("s3").put_object(
        Bucket=os.environ["DOCUMENTS_BUCKET"],
        Key=key,
        Body=document,
        ContentType=_PDF,
        ContentDisposition=f'inline; filename="{filename}"',
    )


def link(key: str) -> str:
    """An address from which anybody who has it can read the document under ``key`` for one hour.

    On Lambda it also ends when the credentials of the function do, which live for hours.
    """
    # Only the signature is needed: a client would load the whole model of S3 for it, in functions that read rentals.
    request = AWSRequest(method="GET", url=_address(os.environ["DOCUMENTS_BUCKET"], key))
    credentials = aws.credentials().get_frozen_credentials()
    S3SigV4QueryAuth(credentials, "s3", os.environ["AWS_REGION"], expires=LINK_LIFETIME_S).add_auth(request)
    return str(request.url)


def _address(bucket: str, key: str) -> str:
    path = quote(key, safe="/~")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        return f"{endpoint.rstrip('/')}/{bucket}/{path}"
    region = os.environ["AWS_REGION"]
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{bucket}.s3.{region}.{suffix}/{path}"
