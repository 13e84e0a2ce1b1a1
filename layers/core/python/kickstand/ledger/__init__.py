"""The double-entry ledger: who may claim how much from us."""
