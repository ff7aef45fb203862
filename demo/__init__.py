"""A small XBlock host on the store: sample blocks, a runtime and a learner page. Not shipped."""
