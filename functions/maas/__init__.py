"""Urban Sharing's MaaS API: vehicles, dock groups, trips, reservations and users for mobility providers."""
