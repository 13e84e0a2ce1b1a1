"""Use cases about partners and their products."""

from collections.abc import Iterable
from uuid import UUID

from kickstand.clients import tokens
from kickstand.clients.errors import NotAuthenticated, ProductNameEmpty, ProductNotFound
from kickstand.clients.model import ApiClient, Credential, OnboardingPolicy, Product, ProductState, Token
from kickstand.clients.store import ClientItem, ProductItem, products_of
from kickstand.kernel import clock, ids, store


def register_client(name: str, email: str, network_ids: Iterable[int], *, charges_riders: bool = False) -> ApiClient:
    """Take in a new partner, without any token yet.

    Args:
        name: what it is called.
        email: where it is written to.
        network_ids: the city operations that it may see.
        charges_riders: whether its riders pay us.
    """
    client_id = ids.new_id()
    client = ApiClient(
        id=client_id,
        public_id=ids.new_uuid(client_id),
        name=name,
        email=email,
        network_ids=frozenset(network_ids),
        charges_riders=charges_riders,
    )
    with store.Transaction() as tx:
        tx.create(ClientItem.of(client))
    return client


def issue_token(client_id: int) -> str:
    """A further token for a partner, valid for three years. It is shown once; only its digest is kept."""
    client = _client(client_id)
    secret, token = tokens.mint(client_id, clock.now())
    _replace_tokens(client, (*client.tokens, token))
    return secret


def revoke_token(client_id: int, secret: str) -> None:
    """Make a token worthless from now on."""
    client = _client(client_id)
    _replace_tokens(client, tuple(token for token in client.tokens if token.digest != tokens.digest(secret)))


def issue_credential(client_id: int) -> tuple[str, str]:
    """A further secret that a partner can trade for access tokens: the client's id for that, and the secret.

    The secret is shown once; only its digest is kept. It is valid until it is revoked.
    """
    client = _client(client_id)
    secret, credential = tokens.mint_credential(ids.new_id(), clock.now())
    _replace_credentials(client, (*client.credentials, credential))
    return str(client.public_id), secret


def revoke_credential(client_id: int, secret: str) -> None:
    """Make a secret worthless from now on, with all access tokens that were given for it."""
    client = _client(client_id)
    digest = tokens.digest(secret)
    _replace_credentials(client, tuple(each for each in client.credentials if each.digest != digest))


def set_onboarding(client_id: int, policy: OnboardingPolicy) -> None:
    """Let a partner ask something else of its users from now on.

    Raises:
        NotAuthenticated: there is no such partner.
    """
    if not store.change(
        ClientItem.key(client_id), [ClientItem.onboarding.set(policy)], condition=ClientItem.pk.exists()
    ):
        raise NotAuthenticated


def authenticate(secret: str | None) -> ApiClient:
    """The partner whose valid token this is; one read.

    Raises:
        NotAuthenticated: in every other case, without saying which.
    """
    client_id = tokens.client_id(secret) if secret else None
    if secret is None or client_id is None:
        raise NotAuthenticated
    item = store.load(ClientItem.key(client_id))
    if item is None or not tokens.admits(item.entity, secret, clock.now()):
        raise NotAuthenticated
    return item.entity


def find(client_id: int) -> ApiClient:
    """A partner by our own id, for work that nobody outside asked for.

    Raises:
        NotAuthenticated: there is none.
    """
    return _client(client_id)


def register_product(client: ApiClient, name: str) -> Product:
    """Add a product to a partner.

    Raises:
        ProductNameEmpty: for a name without any visible character.
    """
    product_id = ids.new_id()
    product = Product(id=product_id, public_id=ids.new_uuid(product_id), client_id=client.id, name=_checked(name))
    with store.Transaction() as tx:
        tx.create(ProductItem.of(product))
    return product


def list_products(client: ApiClient) -> list[Product]:
    """All products of a partner, inactive ones too, oldest first."""
    return products_of(client.id)


def find_product(client: ApiClient, public_id: UUID) -> Product:
    """A partner's product.

    Raises:
        ProductNotFound: when it has none of that id, whoever else may have.
    """
    item = store.load(ProductItem.key(client.id, ids.id_of(public_id)))
    if item is None or item.public_id != public_id:
        raise ProductNotFound
    return item.entity


def rename_product(client: ApiClient, public_id: UUID, name: str) -> Product:
    """Give a product another name.

    Raises:
        ProductNotFound: when the partner has none of that id.
        ProductNameEmpty: for a name without any visible character.
    """
    checked = _checked(name)
    product = find_product(client, public_id).model_copy(update={"name": checked})
    _change(product, ProductItem.name.set(product.name))
    return product


def deactivate_product(client: ApiClient, public_id: UUID) -> Product:
    """Close a product to new riders; it stays listed. Closing a closed one changes nothing.

    Raises:
        ProductNotFound: when the partner has none of that id.
    """
    product = find_product(client, public_id).model_copy(update={"state": ProductState.INACTIVE})
    _change(product, ProductItem.state.set(product.state))
    return product


def _checked(name: str) -> str:
    if not name.strip():
        raise ProductNameEmpty
    return name.strip()


def _change(product: Product, *actions: store.Action) -> None:
    if not store.change(ProductItem.key_of(product), actions, condition=ProductItem.pk.exists()):
        raise ProductNotFound


def _client(client_id: int) -> ApiClient:
    item = store.load(ClientItem.key(client_id))
    if item is None:
        raise NotAuthenticated
    return item.entity


def _replace_tokens(client: ApiClient, replaced: tuple[Token, ...]) -> None:
    unchanged = ClientItem.tokens == list(client.tokens)
    if not store.change(ClientItem.key_of(client), [ClientItem.tokens.set(list(replaced))], condition=unchanged):
        raise store.Contention


def _replace_credentials(client: ApiClient, replaced: tuple[Credential, ...]) -> None:
    unchanged = (
        ClientItem.credentials == list(client.credentials)
        if client.credentials
        else ClientItem.credentials.does_not_exist() | (ClientItem.credentials == [])
    )
    if not store.change(ClientItem.key_of(client), [ClientItem.credentials.set(list(replaced))], condition=unchanged):
        raise store.Contention
