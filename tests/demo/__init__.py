"""Tests of the demo project and of published XBlocks that run on it."""
