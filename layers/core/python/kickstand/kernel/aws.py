"""Clients of AWS services, made once per process when first needed."""

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import Session

_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


@cache
def client(service: str) -> Any:  # noqa: ANN401 - botocore builds its clients at run time
    """The botocore client of ``service``. Region and endpoints come from the environment, as in every AWS SDK."""
    return _session().create_client(service, config=_CONFIG)


@cache
def _session() -> Session:
    return Session()
