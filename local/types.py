"""Names for what passes between the parts of the platform."""

from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""A JSON value."""

Document: TypeAlias = Mapping[str, Any]
"""A JSON object that is only read."""
