"""Use cases about penalties: points against a partner's user, kept one by one and as their sum beside the user."""

from typing import Final

from kickstand.clients.model import ApiClient
from kickstand.identity import service as identity
from kickstand.identity.errors import PenaltyNotFound, PenaltyResolved, RiderNotFound
from kickstand.identity.model import Penalty, PenaltyState, PenaltyType
from kickstand.identity.store import ExternalUserItem, PenaltyItem, latest_penalties
from kickstand.kernel import clock, ids, store

_MOST_LISTED: Final = 1_000


def add(
    client: ApiClient,
    external_id: str,
    points: int,
    type_: PenaltyType = PenaltyType.MANUAL,
    *,
    rental_id: int | None = None,
    comment: str | None = None,
) -> Penalty:
    """Give a partner's user a penalty.

    Raises:
        RiderNotFound: the partner has no such user.
    """
    identity.external(client, external_id)
    penalty = Penalty(
        id=ids.new_id(),
        client_id=client.id,
        external_id=external_id,
        type=type_,
        points=points,
        rental_id=rental_id,
        comment=comment,
        created_at=clock.now(),
    )
    with store.Transaction() as tx:
        add_penalty(tx, penalty)
    return penalty


def add_penalty(tx: store.Transaction, penalty: Penalty) -> None:
    """Give a penalty within a transaction; refused with :class:`Contention` where there is one of its id.

    Raises, when the transaction is committed:
        RiderNotFound: the partner has no such user.
    """
    tx.create(PenaltyItem.of(penalty))
    tx.update(
        ExternalUserItem.key(penalty.user_key),
        [ExternalUserItem.penalty_points.add(penalty.points)],
        condition=ExternalUserItem.pk.exists(),
        otherwise=RiderNotFound,
    )


def list_penalties(client: ApiClient, external_id: str, state: PenaltyState | None = None) -> list[Penalty]:
    """The penalties of a partner's user, newest first; the latest 1,000 of one who has more.

    Args:
        client: the partner.
        external_id: its own id of the user.
        state: which ones; without it, all.

    Raises:
        RiderNotFound: the partner has no such user.
    """
    user = identity.external(client, external_id)
    return latest_penalties(user.user_key, state, _MOST_LISTED)


def resolve(client: ApiClient, external_id: str, penalty_id: int) -> Penalty:
    """Let the points of a penalty count no longer.

    Raises:
        RiderNotFound: the partner has no such user.
        PenaltyNotFound: the user has no such penalty.
        PenaltyResolved: it has been resolved before, or at the same moment by somebody else.
    """
    user = identity.external(client, external_id)
    item = store.load(PenaltyItem.key(user.user_key, penalty_id))
    if item is None:
        raise PenaltyNotFound
    penalty = item.entity
    now = clock.now()
    with store.Transaction() as tx:
        tx.update(
            PenaltyItem.key_of(penalty),
            [PenaltyItem.state.set(PenaltyState.RESOLVED), PenaltyItem.resolved_at.set(now)],
            condition=PenaltyItem.state == PenaltyState.ACTIVE,
            otherwise=PenaltyResolved,
        )
        tx.update(
            ExternalUserItem.key(user.user_key),
            [ExternalUserItem.penalty_points.add(-penalty.points)],
            condition=ExternalUserItem.pk.exists(),
            otherwise=RiderNotFound,
        )
    return penalty.model_copy(update={"state": PenaltyState.RESOLVED, "resolved_at": now})
