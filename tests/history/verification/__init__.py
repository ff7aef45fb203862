"""Tests of verification: comparing both databases, seals, tampering, exports."""
