"""The sample blocks. They know XBlock and their own templates, nothing of the host."""
