"""Template tags of the history's pages."""
