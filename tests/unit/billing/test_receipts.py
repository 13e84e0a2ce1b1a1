import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from kickstand.billing import documents, rules
from kickstand.billing.model import Charge, ChargeState, Receipt
from kickstand.fleet.model import Issuer, Network
from kickstand.kernel import ids
from kickstand.pricing.model import Fare, FareLine, LineKind
from kickstand.rental.model import Rental
from tests.support import samples


def charge_of(rental: Rental) -> Charge:
    assert rental.fare
    assert rental.ended_at
    return rules.charge(rental, rental.fare, rental.ended_at + timedelta(seconds=4))


def receipt_of(rental: Rental, network: Network | None = None) -> Receipt:
    assert rental.ended_at
    return rules.receipt(charge_of(rental), rental, rental.ended_at, network or samples.network())


def text_of(receipt: Receipt) -> str:
    # pypdf leaves half of a two-byte code beside letters of the East Asian font.
    (page,) = PdfReader(io.BytesIO(documents.render(receipt))).pages
    return page.extract_text().replace("\u00a0", " ").replace("\0", "")


def row(text: str, label: str) -> str:
    """What stands beside ``label``."""
    return next(line.removeprefix(label).strip() for line in text.splitlines() if line.startswith(label))


def test_a_receipt_shows_lines_vat_and_total_of_the_ride() -> None:
    text = text_of(receipt_of(samples.ended_rental()))
    assert row(text, "Start of the ride") == "1 1.00 19 % 1.00 0.19 1.19"
    assert row(text, "Riding time, per minute begun") == "12 0.15 19 % 1.80 0.34 2.14"
    assert row(text, "Total incl. VAT") == "EUR 3.33"
    assert row(text, "VAT 19 %") == "2.80 0.53 3.33"


def test_a_receipt_names_issuer_number_and_date_in_local_time() -> None:
    receipt = receipt_of(samples.ended_rental())
    text = text_of(receipt)
    for expected in (
        "Ægir Łukasz Mobilitet AS",
        "Grønlandsleiret 12",
        "0190 Oslo",
        "VAT number NO 923 456 789 MVA",
        "receipts@kickstand.example",
        f"No. {receipt.number}",
        "Date 14 June 2025, 20:33 CEST",
    ):
        assert expected in text


def test_a_receipt_says_which_vehicle_went_when_and_roughly_where() -> None:
    text = text_of(receipt_of(samples.ended_rental()))
    for expected in ("XR4Y", "20:22", "20:33", "59.914° N, 10.752° E", "59.920° N, 10.740° E", "12 min", "2.8 km"):
        assert expected in text


def test_a_receipt_keeps_the_rider_out() -> None:
    rental, kari = samples.ended_rental(), samples.rider()
    document = documents.render(receipt_of(rental))
    text = text_of(receipt_of(rental))
    for personal in (kari.email, kari.first_name, kari.last_name, str(kari.public_id), str(rental.public_id)):
        assert personal
        assert personal not in text
        assert personal.encode() not in document


def test_a_ride_in_winter_is_told_in_winter_time() -> None:
    start = datetime(2025, 12, 31, 22, 58, tzinfo=UTC)
    rental = samples.ended_rental(started_at=start, ended_at=start + timedelta(minutes=12))
    text = text_of(receipt_of(rental))
    assert "23:58" in text
    assert "1 January 2026, 00:10 CET" in text
    assert receipt_of(rental).number.startswith("2026-")


@pytest.mark.parametrize(
    ("rental", "line", "note"),
    [
        (samples.ended_rental(minutes=1), "Short ride, not charged", "Short rides are free of charge."),
        (
            samples.ended_rental(fare=Fare(currency="EUR")),
            "Total incl. VAT",
            "There is nothing to pay.",
        ),
        (
            samples.ended_rental(
                fare=Fare(
                    currency="EUR",
                    lines=(FareLine(kind=LineKind.START, unit_net=100), FareLine(kind=LineKind.WAIVER, unit_net=-100)),
                )
            ),
            "Ride not charged",
            "This ride has ended with no charge.",
        ),
    ],
)
def test_a_free_ride_says_so(rental: Rental, line: str, note: str) -> None:
    text = text_of(receipt_of(rental))
    assert line in text
    assert note in text
    assert "There is nothing to pay." in text
    assert row(text, "Total incl. VAT") == "EUR 0.00"


def test_a_fine_stands_outside_the_scope_of_vat() -> None:
    text = text_of(receipt_of(samples.ended_rental(fine=2_500)))
    assert row(text, "Fee: vehicle left unlocked") == "1 25.00 none 25.00 0.00 25.00"
    assert row(text, "Outside the scope of VAT") == "25.00 0.00 25.00"
    assert row(text, "Total incl. VAT") == "EUR 28.33"


def test_a_currency_without_decimals_has_none() -> None:
    rental = samples.ended_rental(
        terms=samples.tariff(currency="JPY", start_price=1_000, price_per_minute=50, vat_percent=10)
    )
    text = text_of(receipt_of(rental, samples.network(currency="JPY", timezone="Asia/Tokyo")))
    assert row(text, "Start of the ride") == "1 1,000 10 % 1,000 100 1,100"
    assert row(text, "Total incl. VAT") == "JPY 1,760"
    assert "15 June 2025, 03:33 JST" in text


@pytest.mark.parametrize("name", ["株式会社キックスタンド 東京", "서울 모빌리티", "Ωμέγα Ñandú Żółw Ёлка"])
def test_names_in_many_scripts_are_written(name: str) -> None:
    issuer = Issuer(name=name, address=("東京都千代田区", "1-1"), vat_number="T123", email="a@kickstand.example")
    text = text_of(receipt_of(samples.ended_rental(), samples.network(issuer=issuer)))
    assert name.replace(" ", "") in text.replace(" ", "")
    assert "VAT number T123" in text


def test_letters_put_together_from_parts_are_written_as_one() -> None:
    issuer = Issuer(name="A\u030agot AS", address=(), vat_number="1", email="a@kickstand.example")
    assert "Ågot AS" in text_of(receipt_of(samples.ended_rental(), samples.network(issuer=issuer)))


def test_the_same_receipt_makes_the_same_bytes_in_little_space() -> None:
    receipt = receipt_of(samples.ended_rental(fine=2_500))
    first, second = documents.render(receipt), documents.render(receipt)
    assert first == second
    assert first.startswith(b"%PDF-")
    assert len(first) < 32_000


def test_documents_know_themselves() -> None:
    receipt = receipt_of(samples.ended_rental())
    metadata: Any = PdfReader(io.BytesIO(documents.render(receipt))).metadata
    assert metadata.title == f"Receipt {receipt.number}"
    assert metadata.author == "Ægir Łukasz Mobilitet AS"
    assert metadata.creation_date == receipt.issued_at


@given(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1))
def test_receipts_of_different_rentals_have_different_numbers(one: int, other: int) -> None:
    numbers = {rules.receipt_number(each, 2025) for each in (one, other)}
    assert len(numbers) == len({one, other})


def test_numbers_follow_time() -> None:
    numbers = [rules.receipt_number(each, 2025) for each in (5, ids.new_id())]
    assert numbers == sorted(numbers)


lines = st.builds(
    FareLine,
    kind=st.sampled_from([LineKind.START, LineKind.MINUTES]),
    quantity=st.integers(1, 1_000),
    unit_net=st.integers(0, 10_000),
    vat_percent=st.integers(1, 30),
    vat=st.integers(0, 10_000),
) | st.builds(FareLine, kind=st.just(LineKind.LEFT_UNLOCKED), unit_net=st.integers(0, 10_000))


@given(st.lists(lines, max_size=6))
def test_vat_sums_leave_nothing_out(lines: list[FareLine]) -> None:
    fare = Fare(currency="EUR", lines=tuple(lines))
    sums = rules.vat_sums(fare.lines)
    assert sum(each.net for each in sums) == fare.net
    assert sum(each.vat for each in sums) == fare.vat
    assert sum(each.gross for each in sums) == fare.total
    assert len({each.percent for each in sums}) == len(sums)


def test_a_charge_says_whether_anything_is_due() -> None:
    assert charge_of(samples.ended_rental()).state is ChargeState.DUE
    assert charge_of(samples.ended_rental(minutes=1)).state is ChargeState.NOTHING_DUE


def test_documents_are_kept_by_network_and_month() -> None:
    charge = charge_of(samples.ended_rental())
    assert rules.document_key(charge) == f"receipts/7/2025/06/{charge.rental_public_id}.pdf"
