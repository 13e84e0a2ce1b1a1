"""Generators, packaging and checks of the project: ``python -m tools.<name>``."""
