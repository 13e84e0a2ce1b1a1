"""What can be wrong with what a user tells, accepts or proves."""

from kickstand.kernel.errors import DomainError


class OnboardingRefused(DomainError):
    """Anything that is refused on a user's way to the first ride."""

    detail = "This is refused"


class VersionNotCurrent(OnboardingRefused):
    """Another version of the document is in force than the one that has been accepted."""

    detail = "Another version of the document is in force"


class TooManyConsents(OnboardingRefused):
    """The user has more consents than anybody shows."""

    detail = "Too many legal consents"


class NotReachable(OnboardingRefused):
    """Nothing can ever be sent to this phone number or address."""

    detail = "No code can be sent there"


class NotSent(OnboardingRefused):
    """Whoever carries codes does not take this one now."""

    detail = "The code could not be sent, try again in half a minute"


class TooManyCodes(OnboardingRefused):
    """The user has been sent a code just now, or too many of them."""

    detail = "Too many codes have been sent"


class CodeRefused(OnboardingRefused):
    """The code is wrong, expired, used, or none that was sent."""

    detail = "The code is not valid"


class NothingToVerify(OnboardingRefused):
    """The user has not submitted what is to be verified."""

    detail = "There is nothing to verify yet"


class NotVerifiable(OnboardingRefused):
    """What the user has submitted does not stand the check."""

    detail = "This cannot be verified"
