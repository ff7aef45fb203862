"""Migrations of the kinds that a later version may bring."""
