"""Use cases about codes by which users prove that a phone number or an address is theirs."""

import secrets
from typing import Final

from kickstand.clients.model import ApiClient
from kickstand.identity import service as identity
from kickstand.identity.service import Profile
from kickstand.kernel import clock, store
from kickstand.onboarding import gateway, rules
from kickstand.onboarding.errors import CodeRefused
from kickstand.onboarding.model import Channel, Started, User, Verification
from kickstand.onboarding.service import keep, load
from kickstand.onboarding.store import VerificationItem, count_failure, put_verification

_STATE_BYTES: Final = 32


def start(client: ApiClient, external_id: str, channel: Channel, value: str) -> Started:
    """Send a code to a phone number or to an address, whether or not it is the one that the user has told.

    Only the latest code of a channel counts. Whoever never gets it, or loses this answer, asks for another.

    Raises:
        RiderNotFound: the partner has no such user.
        TooManyCodes: the user has been sent one just now, or too many within an hour.
        NotReachable: nothing can ever be sent there.
        NotSent: the carrier does not take it now.
    """
    state, code = (
        secrets.token_urlsafe(_STATE_BYTES),
        f"{secrets.randbelow(10**rules.CODE_LENGTH):0{rules.CODE_LENGTH}}",
    )

    def attempt() -> None:
        user = load(client, external_id, lambda rider_id: VerificationItem.key(rider_id, channel))
        now = clock.now()
        new = Verification(
            rider_id=user.rider.id,
            channel=channel,
            value=value,
            state_digest=rules.state_digest(state),
            code_digest=rules.code_digest(state, user.rider.id, channel, value, code),
            valid_until=now + rules.VALID_FOR,
            starts=(),
        )
        with store.Transaction() as tx:
            identity.keep_profile(tx, user.rider, Profile())
            put_verification(tx, rules.started(_latest(user, channel), new, now))

    store.again(attempt)
    _send(channel, value, client.name, code)
    return Started(state, int(rules.VALID_FOR.total_seconds()), rules.CODE_LENGTH)


def complete(client: ApiClient, external_id: str, channel: Channel, state: str, code: str) -> User:
    """Take a code: the value that it was sent to is the user's from now on, and proved to be.

    Each wrong code counts before anybody learns that it was wrong, so no more of them can be tried at once than one
    after the other.

    Raises:
        RiderNotFound: the partner has no such user.
        CodeRefused: the code is wrong, expired or used, and which.
    """

    def attempt() -> User:
        before = load(client, external_id, lambda rider_id: VerificationItem.key(rider_id, channel))
        now = clock.now()
        verification = rules.check_open(_latest(before, channel), state, now)
        value = rules.proved_by(verification, state, rules.entered(code))
        if value is None:
            failed = rules.failed(verification)
            count_failure(failed)
            raise CodeRefused(f"The code is wrong; {rules.MOST_FAILURES - failed.failures} more can be tried")
        with store.Transaction() as tx:
            put_verification(tx, rules.used(verification))
            return keep(tx, before, rules.with_proof(before, channel, value, now))

    return store.again(attempt)


def _latest(user: User, channel: Channel) -> Verification | None:
    item = store.load(VerificationItem.key(user.rider.id, channel))
    return item.entity if item else None


def _send(channel: Channel, value: str, sender: str, code: str) -> None:
    minutes = int(rules.VALID_FOR.total_seconds()) // 60
    text = f"{code} is your code for {sender}. It is valid for {minutes} minutes. Give it to nobody."
    if channel is Channel.PHONE_NUMBER:
        gateway.send_sms(value, text)
    else:
        gateway.send_mail(
            value, f"Your code for {sender}", f"{text}\n\nIf you have not asked for it, ignore this mail.\n"
        )
