"""Tests of the package `kvstore`, in the same subpackages. `test_budget` counts the statements of each operation."""
