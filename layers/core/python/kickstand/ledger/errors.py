"""What the ledger refuses."""

from kickstand.kernel.errors import MoneyRefused


class InsufficientFunds(MoneyRefused):
    """The account does not hold what is to be taken from it."""

    detail = "The wallet does not hold this amount"


class AlreadyPosted(MoneyRefused):
    """A movement of this id has been posted; whoever repeats it has nothing left to do."""

    detail = "This movement has been booked already"
