"""What stops the platform from starting, or from doing what its own routes are asked for."""


class PlatformError(Exception):
    """The platform cannot start; the message says what to change."""


class ControlError(ValueError):
    """A request to the platform's own routes that it cannot follow; the message says why."""
