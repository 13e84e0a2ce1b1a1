import pytest

from kickstand.kernel.addresses import deliverable


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("kari@mail.example", "kari@mail.example"),
        ("kari@bl\u00e5b\u00e6r.no", "kari@xn--blbr-roah.no"),
        ("kari@fa\u00df.de", "kari@xn--fa-hia.de"),
        ("k\u00e5ri@mail.example", None),
        ("kari@\u2603.example", None),
        ("k\u00e5ri@bl\u00e5b\u00e6r.no", None),
    ],
)
def test_addresses_are_written_in_ascii_where_that_can_be(address: str, written: str | None) -> None:
    assert deliverable(address) == written
