"""What the demo calls things: ids, codes and secrets, the same on every machine and known to everyone."""

from hashlib import blake2b
from typing import Final
from uuid import UUID

from kickstand.kernel import ids

OSLO: Final = 1
PARIS: Final = 2

FIRST: Final = 1
"""The number of the demo's first partner, rider, vehicle and rental."""

TOKEN: Final = "kst_1_demo-of-a-partner-in-both-cities"  # noqa: S105 - for this machine only, like all below
DIRECT_TOKEN: Final = "kst_3_demo-of-a-partner-whose-riders-pay"  # noqa: S105
PARIS_TOKEN: Final = "kst_2_demo-of-a-partner-in-paris"  # noqa: S105
SECRET: Final = "demo-secret-of-a-client-in-both-cities"  # noqa: S105
DIRECT_SECRET: Final = "demo-secret-of-a-client-whose-users-pay"  # noqa: S105
PARIS_SECRET: Final = "demo-secret-of-a-client-in-paris"  # noqa: S105
WEBHOOK_SECRET: Final = "demo-secret-with-which-webhooks-are-signed"  # noqa: S105

USER: Final = "demo-user"
FRIEND: Final = "demo-friend"
"""Whom the first partner knows by an id of its own."""

PAYER: Final = "demo-payer"
"""Whom the partner knows whose riders pay the operator."""

CODE: Final = "DEMO"
_CODE_DIGITS: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE_LENGTH: Final = 4


def uuid(number: int, kind: str = "") -> UUID:
    """The UUID of what carries a number; things of one kind with one number share it."""
    digest = blake2b(f"demo {kind} {number}".encode(), digest_size=9).digest()
    return ids.uuid_of(number, int.from_bytes(digest, "big") >> 3)


def code(number: int) -> str:
    """What is printed on a vehicle."""
    if number == FIRST:
        return CODE
    # An odd factor maps the numbers one to one on all codes of four digits to the base 32.
    scrambled = number * 48_271 % len(_CODE_DIGITS) ** _CODE_LENGTH
    digits = ""
    for _ in range(_CODE_LENGTH):
        scrambled, digit = divmod(scrambled, len(_CODE_DIGITS))
        digits += _CODE_DIGITS[digit]
    return digits
