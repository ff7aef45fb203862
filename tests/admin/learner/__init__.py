"""Tests of the page of a learner, and of the links to it."""
