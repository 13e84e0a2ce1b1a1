"""Amounts as people read them. ISO 4217 says how many decimals a currency has."""

from typing import Final

# fmt: off
_WITHOUT_DECIMALS: Final = frozenset((
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV",
    "XAF", "XOF", "XPF",
))
_WITH_THREE_DECIMALS: Final = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
_WITH_FOUR_DECIMALS: Final = frozenset(("CLF", "UYW"))
# fmt: on


def decimals(currency: str) -> int:
    """How many decimals the minor unit of ``currency`` stands for."""
    if currency in _WITHOUT_DECIMALS:
        return 0
    if currency in _WITH_THREE_DECIMALS:
        return 3
    return 4 if currency in _WITH_FOUR_DECIMALS else 2


def number(amount: int, currency: str) -> str:
    """Minor units as a number of the currency's unit, such as ``-1,234.50``."""
    places = decimals(currency)
    whole, part = divmod(abs(amount), 10**places)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole:,}.{part:0{places}d}" if places else f"{sign}{whole:,}"


def formatted(amount: int, currency: str) -> str:
    """Minor units with their currency, such as ``EUR 3.33``; the pair never breaks across lines."""
    return f"{currency}\N{NO-BREAK SPACE}{number(amount, currency)}"
