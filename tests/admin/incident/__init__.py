"""Tests of the admin page that repairs incidents."""
