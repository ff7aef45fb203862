"""Tests of recording: from a write to a stored entry, pending entries, delivery, erasure, health."""
