"""What onboarding asks of others: a key that nobody can read for personal numbers, and carriers for codes."""

import os
from base64 import b64decode, b64encode
from typing import Final

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from kickstand.kernel import aws
from kickstand.kernel.addresses import deliverable
from kickstand.onboarding.errors import NotReachable, NotSent

_MAIL_REFUSALS: Final = frozenset({"MessageRejected", "BadRequestException"})
_SMS_REFUSALS: Final = frozenset({"InvalidParameter", "InvalidParameterException", "OptedOut", "OptedOutException"})

logger = Logger()


def encrypt(number: str, rider_id: int) -> str:
    """A personal number as it is kept; only with the same rider's id it can be read again."""
    answer = aws.client("kms").encrypt(
        KeyId=os.environ["PERSONAL_DATA_KEY"], Plaintext=number.encode(), EncryptionContext=_context(rider_id)
    )
    return b64encode(answer["CiphertextBlob"]).decode()


def decrypt(kept: str, rider_id: int) -> str:
    """The personal number that is kept like this."""
    answer = aws.client("kms").decrypt(
        KeyId=os.environ["PERSONAL_DATA_KEY"], CiphertextBlob=b64decode(kept), EncryptionContext=_context(rider_id)
    )
    return bytes(answer["Plaintext"]).decode()


def _context(rider_id: int) -> dict[str, str]:
    return {"rider_id": str(rider_id)}


def send_sms(phone_number: str, text: str) -> None:
    """Hand a text message to Amazon SNS.

    Raises:
        NotReachable: sending it again would not help.
        NotSent: it might.
    """
    kind = {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"}}
    try:
        aws.client("sns").publish(PhoneNumber=phone_number, Message=text, MessageAttributes=kind)
    except (BotoCoreError, ClientError) as error:
        raise _told(error, _SMS_REFUSALS) from None


def send_mail(address: str, subject: str, text: str) -> None:
    """Hand a mail to Amazon SES.

    Raises:
        NotReachable: sending it again would not help.
        NotSent: it might.
    """
    receiver = deliverable(address)
    if receiver is None:
        raise NotReachable("No mail can be sent to an address with such characters before its @")
    try:
        aws.client("sesv2").send_email(
            FromEmailAddress=os.environ["MAIL_FROM"],
            Destination={"ToAddresses": [receiver]},
            Content={
                "Simple": {
                    "Subject": {"Data": subject, "Charset": "UTF-8"},
                    "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
                }
            },
        )
    except (BotoCoreError, ClientError) as error:
        raise _told(error, _MAIL_REFUSALS) from None


def _told(error: BotoCoreError | ClientError, refusals: frozenset[str]) -> NotReachable | NotSent:
    """What a carrier's refusal means; its own words are left out, as they quote the receiver."""
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    logger.warning("code not sent", extra={"error": code})
    return NotReachable() if code in refusals else NotSent()
