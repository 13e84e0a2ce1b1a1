"""Paying, beside the bare writes of the same engine: what we add to what the provider takes."""

import os
from typing import Any
from uuid import uuid4

import pytest

from kickstand.kernel import ids, items, store
from local.server import Tables
from tests.support.api import access_token, maas
from tests.support.bank import connected
from tests.support.bench import Table, milliseconds
from tests.support.city import City
from tests.support.shop import Shop

pytestmark = pytest.mark.bench

TIMES = 60


def test_paying(engine: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = connected(monkeypatch)
    shop = Shop(City(), user=f"user-{ids.new_id()}")
    api = maas(access_token(shop.city.client.id))
    bank.give_card(shop.rider_id)
    table = Table("Paying an order, the provider answering at once", "what", "ms", "times the bare writes")
    bare = milliseconds(transaction(7), TIMES) + milliseconds(transaction(2), TIMES)
    table.row("bare: a transaction of 2 items, then one of 7", bare, 1.0)
    for means, fill in (("card", 0), ("wallet", 10_000)):
        waiting: list[int] = []

        def order(fill: int = fill, waiting: list[int] = waiting) -> None:
            if fill:
                shop.enlist(shop.user)
                top_up(shop, fill)
            waiting.append(shop.deposit(10_000).id if not fill else shop.gifts().id)

        def pay(means: str = means, waiting: list[int] = waiting) -> None:
            body = {
                "documentId": str(waiting[-1]),
                "documentType": "order",
                "params": {"selectedPaymentMethod": means},
                "userId": shop.user,
            }
            reply = api.call("pay", body=body, headers={"locale": "nb"})
            assert reply.json["state"] == "SUCCEEDED"

        taken = milliseconds(pay, TIMES, before=order)
        table.row(f"{'a deposit' if not fill else 'two gift codes'}, paid by {means}", taken, taken / bare)
    table.show("authentication, reads, both transactions and the answer included; Stripe itself takes 300 ms and more")


def top_up(shop: Shop, amount: int) -> None:
    """Put what two gift codes cost into the wallet."""
    order = shop.deposit(2 * amount)
    shop.completed(order)
    store.begin()


def transaction(size: int) -> Any:
    items.connect()
    client: Any = items.connection().client
    name = os.environ["PAYMENTS_TABLE"]

    def write() -> None:
        key = uuid4().hex
        puts = [
            {
                "Put": {
                    "TableName": name,
                    "Item": {"pk": {"S": f"{key}{part}"}, "sk": {"S": "BENCH"}, "note": {"S": "x" * 600}},
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            }
            for part in range(size)
        ]
        client.transact_write_items(TransactItems=puts)

    return write
