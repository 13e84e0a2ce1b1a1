"""Payments through a provider: riders' cards, payment intents, holds and refunds."""
