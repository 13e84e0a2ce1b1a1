"""Use cases about riders."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kickstand.clients import service as clients
from kickstand.clients.errors import ProductNotFound
from kickstand.clients.model import ApiClient, ProductState
from kickstand.identity.errors import ExternalIdTaken, ProductClosed, RiderNotFound
from kickstand.identity.model import ExternalUser, Rider, user_key
from kickstand.identity.store import ExternalUserItem, RiderItem
from kickstand.kernel import ids, store


@dataclass(frozen=True)
class Profile:
    """What a partner tells of a person. In a change, ``None`` means: leave as it is."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone_number: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """What is told, by its name."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Contact:
    """How a partner's user can be called and written to, as far as the partner tells."""

    name: str | None = None
    email: str | None = None


NO_CONTACT: Final = Contact()


def expect(public_id: UUID) -> None:
    """Announce that this request will ask for a rider."""
    store.expect(RiderItem.key(ids.id_of(public_id)))


def register(client: ApiClient, product_id: UUID, email: str, profile: Profile, external_id: str | None) -> Rider:
    """Take in a rider of a partner's product.

    Raises:
        ProductClosed: the product is not the partner's, or inactive.
        ExternalIdTaken: the partner has used the external id before.
    """
    try:
        product = clients.find_product(client, product_id)
    except ProductNotFound:
        raise ProductClosed from None
    if product.state is not ProductState.ACTIVE:
        raise ProductClosed
    rider_id = ids.new_id()
    rider = Rider(
        id=rider_id,
        public_id=ids.new_uuid(rider_id),
        client_id=client.id,
        product_id=product.id,
        email=email,
        first_name=profile.first_name,
        last_name=profile.last_name,
        phone_number=profile.phone_number,
        external_id=external_id,
    )
    with store.Transaction() as tx:
        tx.create(RiderItem.of(rider))
        if external_id is not None:
            tx.create(ExternalUserItem.of(_claim(rider, external_id)), otherwise=ExternalIdTaken)
    return rider


def find(client: ApiClient, public_id: UUID) -> Rider:
    """A partner's rider.

    Raises:
        RiderNotFound: when the partner has none of that id, whoever else may have.
    """
    item = store.load(RiderItem.key(ids.id_of(public_id)))
    if item is None or item.public_id != public_id or item.client_id != client.id:
        raise RiderNotFound
    return item.entity


def find_by_id(rider_id: int) -> Rider:
    """A rider by our own id, for work that nobody outside asked for.

    Raises:
        RiderNotFound: there is none.
    """
    item = store.load(RiderItem.key(rider_id))
    if item is None:
        raise RiderNotFound
    return item.entity


def update(client: ApiClient, public_id: UUID, profile: Profile) -> Rider:
    """Change what is given and nothing else.

    Raises:
        RiderNotFound: when the partner has none of that id.
    """
    rider = find(client, public_id)
    changes = profile.given
    if changes:
        actions = [getattr(RiderItem, name).set(value) for name, value in changes.items()]
        if not store.change(RiderItem.key_of(rider), actions, condition=RiderItem.client_id == client.id):
            raise RiderNotFound
    return rider.model_copy(update=changes)


def keep_profile(tx: store.Transaction, rider: Rider, profile: Profile) -> None:
    """Change what is given within a transaction; where nothing is, only make sure that the rider is still there.

    Raises, when the transaction is committed:
        RiderNotFound: the rider is not.
    """
    key, there = RiderItem.key_of(rider), RiderItem.client_id == rider.client_id
    actions = [getattr(RiderItem, name).set(value) for name, value in profile.given.items()]
    if actions:
        tx.update(key, actions, condition=there, otherwise=RiderNotFound)
    else:
        tx.require(key, there, otherwise=RiderNotFound)


# ── Riders by their partner's own id ─────────────────────────────────────────────────────────────────────────────────


def expect_external(client_id: int, external_id: str) -> None:
    """Announce that this request will ask for a partner's user by the partner's own id."""
    store.expect(ExternalUserItem.key(user_key(client_id, external_id)))


def find_external(client: ApiClient, external_id: str) -> ExternalUser | None:
    """Whom the partner calls so, or ``None`` for nobody; one read."""
    item = store.load(ExternalUserItem.key(user_key(client.id, external_id)))
    return item.entity if item else None


def external(client: ApiClient, external_id: str) -> ExternalUser:
    """Whom the partner calls so; one read.

    Raises:
        RiderNotFound: nobody.
    """
    user = find_external(client, external_id)
    if user is None:
        raise RiderNotFound
    return user


def ensure_external(client: ApiClient, external_id: str) -> ExternalUser:
    """Whom the partner calls so, taken in now where it has not been; however many ask at once, there is one."""

    def attempt() -> ExternalUser:
        user = find_external(client, external_id)
        if user is None:
            user = new_external(client, external_id)
            with store.Transaction() as tx:
                enlist(tx, user, external_id)
        return user

    return store.again(attempt)


def new_external(client: ApiClient, external_id: str) -> ExternalUser:
    """A user that the partner names for the first time, not kept yet."""
    return ExternalUser(client_id=client.id, user_key=user_key(client.id, external_id), rider_id=ids.new_id())


def enlist(tx: store.Transaction, user: ExternalUser, external_id: str, contact: Contact = NO_CONTACT) -> None:
    """Take in a new user within a transaction; refused with :class:`Contention` where somebody else was first."""
    rider = Rider(
        id=user.rider_id,
        public_id=ids.new_uuid(user.rider_id),
        client_id=user.client_id,
        external_id=external_id,
        display_name=contact.name,
        email=contact.email,
    )
    tx.create(RiderItem.of(rider))
    tx.create(ExternalUserItem.of(user))


def keep_contact(tx: store.Transaction, user: ExternalUser, contact: Contact) -> None:
    """Keep what the partner tells about a user it has named before; nothing is written where it tells nothing."""
    told = {"display_name": contact.name, "email": contact.email}
    actions = [getattr(RiderItem, name).set(value) for name, value in told.items() if value is not None]
    if actions:
        tx.update(RiderItem.key(user.rider_id), actions)


def _claim(rider: Rider, external_id: str) -> ExternalUser:
    return ExternalUser(client_id=rider.client_id, user_key=user_key(rider.client_id, external_id), rider_id=rider.id)


def count_left_unlocked(tx: store.Transaction, rider: Rider) -> None:
    """Count, within the transaction that ends a rental, that the rider has left a vehicle unlocked."""
    unchanged = RiderItem.left_unlocked == rider.left_unlocked
    counted = [RiderItem.left_unlocked.set(rider.left_unlocked + 1)]
    tx.update(RiderItem.key_of(rider), counted, condition=unchanged, otherwise=store.Contention)


def note_debt(tx: store.Transaction, rider_id: int, key: str | None, *, in_debt: bool) -> None:
    """Keep, within the transaction that changes it, whether a rider owes us money: wherever rentals begin, it is read.

    Args:
        tx: the transaction.
        rider_id: the rider.
        key: what names the rider as a partner's user in keys, if anything does.
        in_debt: whether.

    Raises, when the transaction is committed:
        RiderNotFound: there is no such rider any more.
    """
    known = RiderItem.pk.exists()
    tx.update(RiderItem.key(rider_id), [RiderItem.in_debt.set(in_debt)], condition=known, otherwise=RiderNotFound)
    if key is not None:
        known = ExternalUserItem.pk.exists()
        set_ = [ExternalUserItem.in_debt.set(in_debt)]
        tx.update(ExternalUserItem.key(key), set_, condition=known, otherwise=RiderNotFound)
