"""Tests of versions: codec, SQL, locks, and saving by instance, query set and manager."""
