import pytest
from hypothesis import given
from hypothesis import strategies as st

from kickstand.kernel.currencies import decimals, formatted, number


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (333, "EUR", "3.33"),
        (5, "EUR", "0.05"),
        (-5, "EUR", "-0.05"),
        (0, "EUR", "0.00"),
        (123_456_789, "NOK", "1,234,567.89"),
        (1_500, "JPY", "1,500"),
        (-1, "ISK", "-1"),
        (1_234, "KWD", "1.234"),
        (12_345, "CLF", "1.2345"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(amount: int, currency: str, text: str) -> None:
    assert number(amount, currency) == text
    assert formatted(amount, currency) == f"{currency}\u00a0{text}"


@given(st.integers(-(10**15), 10**15), st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_nothing_is_lost(amount: int, currency: str) -> None:
    text = number(amount, currency).replace(",", "")
    assert int(text.replace(".", "")) == amount
    assert len(text.partition(".")[2]) == decimals(currency)
