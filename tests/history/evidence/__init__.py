"""The export of evidence."""
