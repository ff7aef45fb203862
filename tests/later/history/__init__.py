"""The app `history` with migrations that a later release may add."""
