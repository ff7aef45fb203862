"""The migrations of history, and after them more."""

from history import migrations

__path__ = [*migrations.__path__, *__path__]
