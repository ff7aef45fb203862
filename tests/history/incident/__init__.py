"""Tests of history.incident: selection, merge, repair, and the command restore_history."""
