"""Tests of the client and of the write path: scores, deletion, failed writes, corrupt rows."""
