import pytest
from pydantic import TypeAdapter, ValidationError

from kickstand.kernel.emails import EmailAddress

ADDRESS = TypeAdapter[str](EmailAddress)


@pytest.mark.parametrize(
    "address",
    ["kari@rider.example", "o'neil+scooter@mail.rider.example", "a@b.no", "x@xn--bcher-kva.no", f"{'a' * 64}@b.no"],
)
def test_addresses_are_taken_as_they_are(address: str) -> None:
    assert ADDRESS.validate_python(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "kari",
        "kari@",
        "@rider.example",
        "kari@rider",
        "kari@rider..example",
        "kari@-rider.example",
        "kari@rider.example\n",
        "kari @rider.example",
        "kari@@rider.example",
        "kåri@rider.example",
        "kari@rider.example, ola@rider.example",
        f"{'a' * 65}@rider.example",
        f"kari@{'a.' * 130}example",
    ],
)
def test_anything_else_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="not an e-mail address"):
        ADDRESS.validate_python(address)


def test_the_schema_says_what_it_is() -> None:
    assert ADDRESS.json_schema() == {"type": "string", "format": "email"}
