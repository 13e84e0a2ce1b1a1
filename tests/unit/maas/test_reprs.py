"""What people tell about themselves is in no representation: those end in logs and in tracebacks."""

from typing import Any

import pytest
from pydantic import BaseModel

from kickstand.onboarding.model import Onboarding, User
from maas.onboarding import UpdateEmail, UpdateGender, UpdateName, UpdatePhoneNumber, UpdateStreetAddress
from maas.orders import OrderVoucherCodes
from maas.verifications import CompleteVerification, StartVerifyEmail, StartVerifyPhoneNumber, VerificationStart
from tests.support import samples

ADDRESS = {"street_address": "Storgata 1", "street_address_2": "2b", "postal_code": "0155", "city": "Oslo"}


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (UpdateName, {"first_name": "Kari", "last_name": "Nordmann"}),
        (UpdateGender, {"gender": "female"}),
        (UpdatePhoneNumber, {"phone_number": "+4790000001"}),
        (UpdateEmail, {"email": "kari@mail.example"}),
        (UpdateStreetAddress, ADDRESS),
        (StartVerifyPhoneNumber, {"phone_number": "+4790000001"}),
        (StartVerifyEmail, {"email": "kari@mail.example"}),
        (CompleteVerification, {"state": "a-state", "code": "123456"}),
    ],
)
def test_what_is_told_is_not_shown(model: type[BaseModel], told: dict[str, Any]) -> None:
    shown = repr(model.model_validate(told))
    assert not [each for each in told.values() if each in shown]


def test_where_codes_go_is_not_shown() -> None:
    line = {"product_id": "13", "quantity": 1}
    body = {"customer_email": "ola@mail.example", "receipt_email": "kari@mail.example", "order_lines": [line]}
    assert "mail.example" not in repr(OrderVoucherCodes.model_validate({**body, "user_id": "kari"}))


def test_what_names_a_code_is_not_shown() -> None:
    assert "a-state" not in repr(VerificationStart(state="a-state", ttl=600, length=6))


def test_nobody_who_rides_is_shown() -> None:
    rider = samples.rider(phone_number="+4790000001", display_name="Kari N.")
    shown = repr(User(rider, Onboarding(rider_id=rider.id)))
    for each in (rider.email, rider.first_name, rider.last_name, rider.phone_number, rider.display_name):
        assert each is not None
        assert each not in shown
