"""Kickstand: one shared-mobility core behind five published APIs."""
