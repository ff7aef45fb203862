"""Tests of recovery after `default` was restored from a backup."""
