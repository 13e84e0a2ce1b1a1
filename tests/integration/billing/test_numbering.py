"""Numbers without gaps, whoever gives them, however often, and wherever it breaks."""

import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Barrier

import pytest

from kickstand.billing import gateway, invoices, rules
from kickstand.billing.model import Invoice, InvoiceKind
from kickstand.billing.store import InvoiceItem, SeriesItem
from kickstand.fleet.model import Network
from kickstand.fleet.store import NetworkItem
from kickstand.kernel import clock, store
from kickstand.kernel.errors import Contention
from tests.support import invoices as samples_of_invoices
from tests.support import samples
from tests.support.capacity import measured
from tests.support.world import Crash, Dying

pytestmark = pytest.mark.usefixtures("engine")

NUMBERERS = 12
_networks = count(1)


@pytest.fixture
def network() -> Network:
    """One of its own, whose series begins with this test."""
    own = samples.network(id=next(_networks))
    NetworkItem.of(own).save()
    return own


def written(network: Network, times: int = 1, at: datetime | None = None) -> list[Invoice]:
    created: dict[int, Invoice] = {}
    while len(created) < times:  # ids that are drawn within a millisecond can be the same
        invoice = samples_of_invoices.paid(at, network)
        created[invoice.id] = invoice
    for each in created.values():
        store.begin()
        with store.Transaction() as tx:
            invoices.create(tx, each)
    return list(created.values())


def number(drafts: Sequence[Invoice]) -> None:
    store.begin()
    invoices.number(drafts)


def stored(drafts: Sequence[Invoice]) -> list[Invoice]:
    store.begin()
    return [invoices.find(each.rider_id, each.id) for each in drafts]


def numbers(drafts: Sequence[Invoice]) -> list[str | None]:
    return [each.number for each in stored(drafts)]


def expected(network: Network, first: int, last: int, year: int | None = None) -> list[str]:
    return [f"{network.id}-{year or clock.now().year}-{n:06d}" for n in range(first, last + 1)]


def test_numbers_follow_the_order_in_which_invoices_came(network: Network) -> None:
    drafts = written(network, 100)
    number(drafts[:30])
    number(drafts[30:])
    assert numbers(drafts) == expected(network, 1, 100)


def test_what_has_a_number_keeps_it(network: Network) -> None:
    drafts = written(network, 5)
    number(drafts[1:3])
    number([*drafts, *drafts])
    number(drafts[::-1])
    assert numbers(drafts) == [expected(network, 1, 5)[n] for n in (2, 0, 1, 3, 4)]


def test_a_network_a_kind_and_a_year_have_a_series_each(network: Network) -> None:
    other = samples.network(id=next(_networks))
    year = clock.now().year
    ours, theirs, last = written(network, 2), written(other), written(network, at=clock.now() - timedelta(days=366))
    with store.Transaction() as tx:
        note = invoices.credit(tx, ours[0], 100, network, at=clock.now())
    number([*last, *ours, note, *theirs])
    assert numbers(ours) == expected(network, 1, 2)
    assert numbers(theirs) == expected(other, 1, 1)
    assert numbers([note]) == [f"{network.id}-C{year}-000001"]
    assert numbers(last) == expected(network, 1, 1, last[0].year)


def test_the_year_changes_where_the_network_is(network: Network) -> None:
    new_year = datetime(2025, 12, 31, 23, 0, tzinfo=UTC)
    old = written(network, 3, new_year - timedelta(microseconds=1))
    new = written(network, 2, new_year)
    number([*old[:1], *new, *old[1:]])  # what is late still belongs to its year
    assert numbers(old) == expected(network, 1, 3, 2025)
    assert numbers(new) == expected(network, 1, 2, 2026)


def test_many_who_number_leave_no_gap(network: Network) -> None:
    drafts = written(network, 120)
    start = Barrier(NUMBERERS)

    def run(seed: int) -> None:
        own = list(drafts)
        random.Random(seed).shuffle(own)
        start.wait()
        for first in range(0, len(own), 9):
            for _ in range(20):
                try:
                    number(own[first : first + 9])
                except Contention:
                    continue  # the stream brings them again
                break

    with ThreadPoolExecutor(NUMBERERS) as pool:
        list(pool.map(run, range(NUMBERERS)))
    assert sorted(map(str, numbers(drafts))) == expected(network, 1, 120)


def test_whoever_dies_at_any_write_leaves_no_gap(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: Counter[str] = Counter()
    monkeypatch.setattr(gateway, "put", lambda key, _content, _name: kept.update([key]))

    def live(drafts: list[Invoice]) -> None:
        number(drafts)
        for each in stored(drafts):
            invoices.issue_document(each)

    monkeypatch.setattr(invoices, "BATCH", 3)
    drafts = written(network, 5)
    with Dying() as whole:
        live(drafts)
    assert whole.writes == 2 + 5, "two transactions, and a note of each document"
    for at in range(1, whole.writes + 1):
        drafts = written(network, 5)
        with Dying(at) as dying:
            with pytest.raises(Crash):
                live(drafts)
            live(drafts)
        assert dying.writes == whole.writes
        assert numbers(drafts) == expected(network, at * 5 + 1, at * 5 + 5)
        assert all(each.document == rules.invoice_key(each) for each in stored(drafts))
    assert set(kept.values()) == {1}


def test_a_number_is_given_although_the_invoice_is_paid_meanwhile(network: Network) -> None:
    owed = samples_of_invoices.owed(network=network)
    with store.Transaction() as tx:
        invoices.create(tx, owed)
    with store.Transaction() as tx:
        claimed = invoices.claim(tx, owed, 901)
    number([owed])
    with store.Transaction() as tx:
        invoices.pay(tx, claimed, owed.total, at=clock.now())  # read before it had its number
    (after,) = stored([owed])
    assert (after.number, after.paid) == (expected(network, 1, 1)[0], owed.total)


def test_what_has_no_item_gets_no_number(network: Network) -> None:
    lost = samples_of_invoices.paid(network=network)
    (there,) = written(network)
    number([lost, there])
    assert numbers([there]) == expected(network, 1, 1)
    item = store.load(InvoiceItem.key(lost.id))
    assert item is None


def test_what_invoices_cost(network: Network) -> None:
    with measured() as usage:
        drafts = written(network)
    assert usage.calls == ["TransactWriteItems"]
    assert usage.write_units <= 2 * 2
    drafts += written(network, 39)
    with measured() as usage:
        number(drafts)
    assert usage.calls == ["BatchGetItem", "TransactWriteItems"]
    with measured() as usage:
        number(drafts)
    assert usage.calls == ["BatchGetItem"]
    series = store.load(SeriesItem.key(network.id, InvoiceKind.INVOICE, clock.now().year))
    assert series
    assert series.last == 40
