"""The contenders: implementations that write one field of one or more blocks of a learner."""
