"""Rentals: from the first unlock to the last receipt."""
