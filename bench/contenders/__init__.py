"""Who is measured: each writes one field of any number of a learner's blocks, by means of its own."""
