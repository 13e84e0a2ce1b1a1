"""Accounts, and the movements between them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kickstand.kernel.money import Currency


class AccountKind(StrEnum):
    """What an account is for.

    An account's balance is what its holder may claim from us. Riders' accounts keep theirs; the house's accounts are
    written to by everybody at once, so theirs is the sum of their entries and nothing else.
    """

    WALLET = "wallet"
    """What a rider has paid in or been given; never below zero."""
    DEBT = "debt"
    """What a rider owes, as a negative balance; never above zero."""
    PROVIDER = "provider"
    """Money at the payment provider; negative, as the provider owes it to us."""
    REVENUE = "revenue"
    """What has been earned, VAT included."""
    VOUCHERS = "vouchers"
    """Gift codes that have been paid and not redeemed."""
    PROMOTION = "promotion"
    """What we have given away."""


OF_RIDERS = frozenset({AccountKind.WALLET, AccountKind.DEBT})
"""Accounts whose holder is a rider; the others belong to a network."""


class Account(BaseModel):
    """An account in one currency.

    Attributes:
        holder_id: the rider for what is a rider's, the network for the house's.
    """

    model_config = ConfigDict(frozen=True)

    kind: AccountKind
    holder_id: int
    currency: Currency

    @classmethod
    def wallet(cls, rider_id: int, currency: str) -> Self:
        """A rider's wallet."""
        return cls(kind=AccountKind.WALLET, holder_id=rider_id, currency=currency)

    @classmethod
    def debt(cls, rider_id: int, currency: str) -> Self:
        """What a rider owes."""
        return cls(kind=AccountKind.DEBT, holder_id=rider_id, currency=currency)

    @classmethod
    def provider(cls, network_id: int, currency: str) -> Self:
        """A network's money at the payment provider."""
        return cls(kind=AccountKind.PROVIDER, holder_id=network_id, currency=currency)

    @classmethod
    def revenue(cls, network_id: int, currency: str) -> Self:
        """What a network has earned."""
        return cls(kind=AccountKind.REVENUE, holder_id=network_id, currency=currency)

    @property
    def keeps_balance(self) -> bool:
        """Whether its balance is kept and guarded by a condition."""
        return self.kind in OF_RIDERS


class Reason(StrEnum):
    """Why money moves."""

    RIDE = "ride"
    RESERVATION = "reservation"
    ORDER = "order"
    DEPOSIT = "deposit"
    RENEWAL = "renewal"
    SETTLEMENT = "settlement"
    VOUCHER = "voucher"
    REFUND = "refund"
    CORRECTION = "correction"


class Movement(BaseModel):
    """An amount that goes from one account to another.

    Attributes:
        id: names it for good, made of what causes it, such as ``order-123``; posting it again is refused.
        amount: in minor units of both accounts' currency.
        document: what it is about, such as the number of an order or an invoice.
    """

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(min_length=1, max_length=100)]
    source: Account
    target: Account
    amount: Annotated[int, Field(gt=0, lt=2**53)]
    reason: Reason
    document: int
    at: datetime

    @model_validator(mode="after")
    def _stays_in_its_currency(self) -> Self:
        if self.source.currency != self.target.currency:
            raise ValueError("money does not change its currency on the way")
        if self.source == self.target:
            raise ValueError("money moves from one account to another")
        return self


class Entry(BaseModel):
    """One side of a movement; the two of them add up to zero.

    Attributes:
        other: the account on the other side.
        amount: in minor units; negative where it is taken away.
    """

    model_config = ConfigDict(frozen=True)

    movement_id: str
    account: Account
    other: Account
    amount: int
    reason: Reason
    document: int
    at: datetime


class Balance(BaseModel):
    """What the holder of an account may claim, in minor units."""

    model_config = ConfigDict(frozen=True)

    account: Account
    amount: int


class Fault(StrEnum):
    """What can be wrong in the books."""

    BALANCE = "balance"
    """The kept balance is not the sum of the entries."""
    ONE_SIDED = "one_sided"
    """A movement has not taken what it has given."""


class Discrepancy(BaseModel):
    """What does not agree in an account.

    Attributes:
        movement_id: whose other side is missing, or not its opposite.
        amount: by how much, in minor units.
    """

    model_config = ConfigDict(frozen=True)

    account: Account
    fault: Fault
    movement_id: str | None = None
    amount: int
