"""What stops the platform from starting."""


class PlatformError(Exception):
    """The platform cannot start; the message says what to change."""
