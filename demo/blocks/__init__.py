"""The sample blocks. They use only XBlock and their templates."""
