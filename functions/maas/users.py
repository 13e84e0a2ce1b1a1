"""Users: the people who ride, by their client's own ids."""

from kickstand.identity import service as identity
from maas._schemas import UserId, Wire
from maas._surface import USER_MISMATCH, Caller, maas


class User(Wire):
    """A user."""

    id: str


class UserPath(Wire):
    """Which user."""

    user_id: UserId


@maas.operation("PUT", "/users/{userId}", tag="Users", access="IdentityRequests", errors=(USER_MISMATCH,))
def create_user(caller: Caller, path: UserPath) -> User:
    """Create a user, if the client has none of that id.

    Sending it again changes nothing. Users need not be created before they ride: whatever names one that does not exist
    yet creates it.
    """
    caller.acts_for(path.user_id)
    identity.ensure_external(caller.client, path.user_id)
    return User(id=path.user_id)
