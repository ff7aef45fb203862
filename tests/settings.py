"""The project's settings for its tests: a key from debug mode, fast password hashes."""

import os

os.environ.setdefault("DEBUG", "1")

from config.settings import *  # noqa: F403

DEBUG = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
TEST_RUNNER = "tests.runner.CountingRunner"

# Tests assert the log of outages where it matters. assertLogs works without these handlers.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"null": {"class": "logging.NullHandler"}},
    "loggers": {name: {"handlers": ["null"], "propagate": False} for name in ("history", "kvstore")},
}
