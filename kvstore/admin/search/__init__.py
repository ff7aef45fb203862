"""The search box of the lists. Read meanings, terms, exact, blocks, names, then parsing."""
