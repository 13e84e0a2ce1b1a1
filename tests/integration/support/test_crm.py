"""Settings of the customer relations system, and what apps get of them."""

import hashlib
import hmac

import pytest
from botocore.session import Session

from kickstand.fleet.errors import NetworkNotFound
from kickstand.kernel import store
from kickstand.support import crm
from kickstand.support.errors import CrmNotConfigured
from kickstand.support.model import CrmSettings, Platform
from tests.support.capacity import measured
from tests.support.city import City

SETTINGS = CrmSettings(
    network_id=1, provider="intercom", app_id="abc123", secrets={Platform.IOS: "for-ios", Platform.WEB: "for-web"}
)


@pytest.fixture
def city(aws: Session) -> City:
    city = City()
    crm.configure(SETTINGS)
    store.begin()
    return city


def test_each_platform_has_a_secret_of_its_own(city: City) -> None:
    for platform, secret in SETTINGS.secrets.items():
        store.begin()
        access = crm.access(1, "U-7", platform)
        expected = hmac.new(secret.encode(), b"U-7", hashlib.sha256).hexdigest()
        assert access == ("intercom", "abc123", expected)


def test_it_takes_one_reading(city: City) -> None:
    with measured() as usage:
        crm.access(1, "U-7", Platform.IOS)
    assert usage.calls == ["BatchGetItem"]


def test_what_is_not_configured_is_refused(city: City) -> None:
    with pytest.raises(CrmNotConfigured):
        crm.access(1, "U-7", Platform.ANDROID)
    with pytest.raises(NetworkNotFound):
        crm.access(404, "U-7", Platform.IOS)
    crm.withdraw(1)
    store.begin()
    with pytest.raises(CrmNotConfigured):
        crm.access(1, "U-7", Platform.IOS)


def test_only_networks_have_settings(city: City) -> None:
    with pytest.raises(NetworkNotFound):
        crm.configure(SETTINGS.model_copy(update={"network_id": 404}))


def test_secrets_are_not_printed() -> None:
    assert "for-ios" not in repr(SETTINGS)
    assert "for-ios" not in str(SETTINGS)
