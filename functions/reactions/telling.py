"""Everybody who is told what has happened, in one function for each table.

A stream's shard serves two functions well. One of them commands vehicles and workflows, and waits for nobody; all who
are only told share the other one.
"""

from typing import Final

from kickstand.kernel.consumers import chained
from maas import events as maas
from reactions.fleet import project_listings
from reactions.insights import count_reservations, count_rides
from reactions.messaging import notify_riders
from reactions.payers import collect_by_new_cards, collect_from_wallets, mail_of_debts, mail_of_payments
from reactions.rides import charge_reservations, secure_rentals

tell_of_rentals: Final = chained(
    notify_riders, count_rides, count_reservations, charge_reservations, secure_rentals, maas.tell_of_riding
)
"""Riders by mail, figures, what riders pay us, and clients by webhook."""

tell_of_payments: Final = chained(mail_of_payments, collect_by_new_cards, collect_from_wallets, maas.tell_of_payments)
"""Riders by mail and clients by webhook, of payments in trouble; new cards and deposits pay what is owed."""

tell_of_debts: Final = chained(mail_of_debts, maas.tell_of_debts)
"""Riders by mail and clients by webhook, of what cannot be charged."""

tell_of_fleet: Final = chained(project_listings, maas.tell_of_lost_vehicles)
"""Lists of vehicles and clusters, and clients by webhook."""
