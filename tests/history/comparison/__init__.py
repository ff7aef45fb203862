"""Tests of the comparison of two versions: differences, flags, chart."""
