"""The migrations of kvstore, and after them one more."""

from kvstore import migrations

__path__ = [*migrations.__path__, *__path__]
