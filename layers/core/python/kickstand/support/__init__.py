"""Damage that riders report, its repair, and where riders get help."""
