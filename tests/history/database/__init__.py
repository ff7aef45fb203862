"""Tests of time-bounded access to the history database: deadlines, locks, circuit breaker, roles."""
