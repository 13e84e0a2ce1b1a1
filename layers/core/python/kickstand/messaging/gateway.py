"""Mail through Amazon SES."""

import os

from botocore.exceptions import ClientError

from kickstand.kernel import aws
from kickstand.kernel.addresses import deliverable
from kickstand.messaging.model import Mail

_REFUSALS = {"MessageRejected", "BadRequestException"}


class MailRefused(Exception):
    """The mail service will never take this mail. Its own words are left out: they quote the address."""


def send(mail: Mail, recipient: str, reply_to: str) -> None:
    """Hand a mail to the mail service.

    Raises:
        MailRefused: sending it again would not help.
    """
    address = deliverable(recipient)
    if address is None:
        raise MailRefused("NotASCII")
    try:
        aws.client("sesv2").send_email(
            FromEmailAddress=os.environ["MAIL_FROM"],
            Destination={"ToAddresses": [address]},
            ReplyToAddresses=[reply_to],
            Content={
                "Simple": {
                    "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
                    "Body": {"Text": {"Data": mail.text, "Charset": "UTF-8"}},
                }
            },
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _REFUSALS:
            raise MailRefused(code) from None
        raise
