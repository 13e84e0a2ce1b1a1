"""Riders: the people who ride, as partners' users or our own."""
