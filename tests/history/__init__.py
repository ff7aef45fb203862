"""Tests of the package `history`, in the same subpackages. The modules without the prefix `test_` provide set-up."""
