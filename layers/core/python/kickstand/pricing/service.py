"""Use cases about tariffs and plans. What a ride costs is decided in :mod:`kickstand.pricing.rules`."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from kickstand.clients.model import ApiClient
from kickstand.kernel import clock, ids, store
from kickstand.kernel.errors import Contention
from kickstand.kernel.events import Event
from kickstand.pricing import rules
from kickstand.pricing.errors import PlanClosed, PlanNotFound
from kickstand.pricing.model import Allowance, Fare, PlanState, PricingPlan, Tariff, Terms
from kickstand.pricing.store import PlanItem, PlanUseItem, TariffItem, TariffVersionItem, plans_of, versions_of


def publish_tariff(network_id: int, model_id: int, terms: Terms) -> Tariff:
    """Make ``terms`` the network's tariff for a vehicle model from now on.

    Rides that have begun keep the tariff they began with. Publishing what already counts changes nothing.

    Raises:
        Contention: somebody else published a tariff for the same vehicles at this moment.
    """
    previous = current(network_id, model_id)
    if previous is not None and _terms(previous) == _terms(terms):
        return previous
    now = clock.now()
    tariff = Tariff(
        id=ids.new_id(),
        network_id=network_id,
        model_id=model_id,
        version=1 if previous is None else previous.version + 1,
        published_at=now,
        **_terms(terms),
    )
    unchanged = TariffItem.pk.does_not_exist() if previous is None else TariffItem.version == previous.version
    with store.Transaction() as tx:
        tx.put(
            TariffItem.of(tariff, event=Event.new("TariffPublished", now)),
            condition=unchanged,
            otherwise=Contention,
        )
        tx.create(TariffVersionItem.of(tariff))
    return tariff


def current(network_id: int, model_id: int) -> Tariff | None:
    """The tariff at which a network offers a vehicle model now; ``None`` where none has been published."""
    item = store.load(TariffItem.key(network_id, model_id))
    return item.entity if item else None


def history(network_id: int, model_id: int) -> list[Tariff]:
    """Every tariff that ever counted, oldest first."""
    return versions_of(network_id, model_id)


def _terms(tariff: Terms) -> dict[str, Any]:
    return {name: getattr(tariff, name) for name in Terms.model_fields}


# ── Plans ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def put_plan(plan: PricingPlan) -> None:
    """Keep a partner's plan, in place of what was kept under its id. What has begun keeps the plan it began with."""
    with store.Transaction() as tx:
        tx.put(PlanItem.of(plan))


def list_plans(client_id: int) -> list[PricingPlan]:
    """All plans of a partner, whatever their state, by id; one query."""
    return plans_of(client_id)


def expect_plan(client_id: int, plan_id: int, user_key: str) -> None:
    """Announce that this request will ask for a partner's plan and a rider's allowance.

    Args:
        client_id: the partner.
        plan_id: its plan.
        user_key: what names the rider in keys, unique among the riders of all partners.
    """
    store.expect(PlanItem.key(client_id, plan_id), PlanUseItem.key(user_key, plan_id))


def plan(client: ApiClient, plan_id: int) -> PricingPlan:
    """A partner's plan at which rides and reservations can begin.

    Raises:
        PlanNotFound: the partner has none of that id, whoever else may have.
        PlanClosed: it is not active any more.
    """
    item = store.load(PlanItem.key(client.id, plan_id))
    if item is None:
        raise PlanNotFound
    if item.state is not PlanState.ACTIVE:
        raise PlanClosed
    return item.entity


def allowance(plan: PricingPlan, user_key: str, now: datetime, timezone: str) -> Allowance:
    """What a ride that starts now may use of a plan.

    Args:
        plan: the plan.
        user_key: the rider, as for :func:`expect_plan`.
        now: when the ride starts.
        timezone: IANA name of the network's timezone, whose days count.
    """
    item = store.load(PlanUseItem.key(user_key, plan.id))
    return rules.allowance(plan, item.entity if item else None, now.astimezone(ZoneInfo(timezone)).date())


def commit_allowance(tx: store.Transaction, plan: PricingPlan, user_key: str, allowance: Allowance) -> None:
    """Let a ride begin only if its allowance is still what it was when it was read.

    Without this, a ride that begins in the moment in which another one ends could use the same free minutes again.
    """
    unchanged = PlanUseItem.unchanged(allowance)
    if unchanged is not None:
        tx.require(PlanUseItem.key(user_key, plan.id), unchanged, otherwise=Contention)


def record_use(tx: store.Transaction, plan: PricingPlan, user_key: str, allowance: Allowance, fare: Fare) -> None:
    """Keep what a ride has used of a plan, within the transaction that ends it; cancelled rides use nothing.

    It asks no condition: a rider has one rental at a time, whose allowance was committed, so nobody else writes here,
    and no bookkeeping can keep a rental from ending.
    """
    use = rules.use_after(plan, user_key, allowance, fare)
    if use is not None:
        tx.put(PlanUseItem.of(use))
