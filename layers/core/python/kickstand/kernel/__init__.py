"""What every context stands on: identifiers, money, time, errors, events and the store's plumbing."""
