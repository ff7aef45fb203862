"""PostgreSQL servers for the tests of faults, and processes that connect to them."""
