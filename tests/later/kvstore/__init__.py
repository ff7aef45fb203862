"""The app `kvstore` with migrations that a later release may add."""
