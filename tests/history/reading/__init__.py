"""Tests of reading committed entries: timelines, moments, branches, replicas."""
