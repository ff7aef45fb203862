"""Tests of the admin's lists of rows and entries: search, filters, paging, export, query plans."""
