"""The project's settings as its own tests run them: debugging on for the key, quick hashes, no secrets."""

import os

os.environ.setdefault("DEBUG", "1")

from config.settings import *  # noqa: F403

DEBUG = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
TEST_RUNNER = "tests.runner.CountingRunner"

# What outages log is asserted where it matters, and is noise elsewhere; assertLogs works all the same.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"null": {"class": "logging.NullHandler"}},
    "loggers": {name: {"handlers": ["null"], "propagate": False} for name in ("history", "kvstore")},
}
