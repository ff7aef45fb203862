"""Tests with several processes or threads that write to the same rows. Each uses connections of its own."""
