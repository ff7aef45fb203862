"""Tests of the admin's pages of one block: timeline, versions, comparison, restore."""
