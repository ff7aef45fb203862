"""Tests with real faults: servers that stop, hang or are restored, and processes that are killed.

They start PostgreSQL servers of their own.
"""
