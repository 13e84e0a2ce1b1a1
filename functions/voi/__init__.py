"""Voi's partner API: products, users, rentals, prices, vehicles and zones for mobility partners."""
