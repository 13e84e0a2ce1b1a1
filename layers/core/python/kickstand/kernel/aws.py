"""Clients of AWS services, made once per process when first needed."""

from threading import Lock
from typing import Any, Final

from botocore.config import Config
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.session import Session

_CONFIG: Final = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})

_clients: Final[dict[str, Any]] = {}
_known_credentials: Final[list[Credentials | RefreshableCredentials]] = []
_making: Final = Lock()


def client(service: str) -> Any:  # noqa: ANN401 - botocore builds its clients at run time
    """The botocore client of ``service``. Region and endpoints come from the environment, as in every AWS SDK."""
    known = _clients.get(service)
    if known is not None:
        return known
    with _making:  # a session makes one client at a time
        if service not in _clients:
            _clients[service] = Session().create_client(service, config=_CONFIG)
        return _clients[service]


def credentials() -> Credentials | RefreshableCredentials:
    """The credentials of this process, for what is signed without a client; they refresh themselves.

    Raises:
        RuntimeError: the environment has none.
    """
    if not _known_credentials:
        found = Session().get_credentials()
        if found is None:
            raise RuntimeError("no AWS credentials in the environment")
        _known_credentials.append(found)
    return _known_credentials[0]


def disconnect() -> None:
    """Let the next use of every service find its endpoint and credentials anew, when the environment has changed."""
    _clients.clear()
    _known_credentials.clear()
