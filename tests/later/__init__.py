"""Migrations of the kinds that a later release may add."""
