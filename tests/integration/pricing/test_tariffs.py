from typing import Any

import pytest

from kickstand.kernel import store
from kickstand.kernel.errors import Contention
from kickstand.pricing import service
from kickstand.pricing.model import Tariff, Terms
from kickstand.pricing.store import TariffItem, TariffVersionItem

pytestmark = pytest.mark.usefixtures("aws")

OSLO, SCOOTER = 7, 3


def terms(**changes: Any) -> Terms:
    values = {"currency": "NOK", "start_price": 800, "price_per_minute": 240, "vat_percent": 25}
    return Terms.model_validate(values | changes)


@pytest.fixture(autouse=True)
def fresh_request() -> None:
    store.begin()


def test_what_is_published_counts() -> None:
    published = service.publish_tariff(OSLO, SCOOTER, terms())
    store.begin()
    assert service.current(OSLO, SCOOTER) == published
    assert published.version == 1
    assert service.current(OSLO, SCOOTER + 1) is None
    assert service.current(OSLO + 1, SCOOTER) is None


def test_old_versions_stay_as_they_were() -> None:
    first = service.publish_tariff(OSLO, SCOOTER, terms())
    store.begin()
    second = service.publish_tariff(OSLO, SCOOTER, terms(start_price=900))
    store.begin()
    assert service.current(OSLO, SCOOTER) == second
    assert service.history(OSLO, SCOOTER) == [first, second]
    assert second.version == first.version + 1


def test_publishing_what_counts_changes_nothing() -> None:
    first = service.publish_tariff(OSLO, SCOOTER, terms())
    store.begin()
    assert service.publish_tariff(OSLO, SCOOTER, terms()) == first
    assert service.history(OSLO, SCOOTER) == [first]


def test_of_two_publications_at_once_one_wins_and_the_other_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    service.publish_tariff(OSLO, SCOOTER, terms())
    store.begin()
    stale = service.current(OSLO, SCOOTER)
    winner = service.publish_tariff(OSLO, SCOOTER, terms(start_price=900))
    monkeypatch.setattr(service, "current", lambda *_: stale)
    with pytest.raises(Contention):
        service.publish_tariff(OSLO, SCOOTER, terms(start_price=700))
    monkeypatch.undo()
    store.begin()
    assert service.current(OSLO, SCOOTER) == winner
    assert [each.start_price for each in service.history(OSLO, SCOOTER)] == [800, 900]


def test_the_current_item_carries_the_event_of_its_publication() -> None:
    service.publish_tariff(OSLO, SCOOTER, terms())
    item = TariffItem.get("TARIFF#7#3", "CURRENT")
    assert item.event.name == "TariffPublished"
    assert item.kind == "tariff"


@pytest.mark.parametrize("item", [TariffItem, TariffVersionItem])
def test_items_hold_every_field_of_a_tariff(item: type[TariffItem | TariffVersionItem]) -> None:
    assert set(item.get_attributes()) >= set(Tariff.model_fields)
