"""The development and demo project. Not shipped."""
