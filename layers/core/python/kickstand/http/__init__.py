"""Request plumbing that all surfaces share: what an operation is, and how one runs."""
