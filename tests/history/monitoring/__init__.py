"""Tests of the pages for monitoring programs, of the delivery task, and of their documentation."""
