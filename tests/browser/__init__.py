"""Tests of the admin in Chromium. They need a browser and run on SQLite only."""
