"""The contenders: each writes one field of any number of a learner's blocks, in its own way."""
