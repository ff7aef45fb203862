"""A server may load the project before it forks its workers: gunicorn with --preload, Celery with prefork."""

import os
import subprocess
import sys

from django.test import SimpleTestCase

LOAD = """
import threading
import config.wsgi, config.asgi
from django.db import connections

opened = [connection.alias for connection in connections.all() if connection.connection is not None]
print(opened, [thread.name for thread in threading.enumerate()])
"""


class Loading(SimpleTestCase):
    def test_loading_the_project_opens_no_connection_and_starts_no_thread(self):
        done = subprocess.run(
            [sys.executable, "-c", LOAD],
            env=os.environ | {"DEBUG": "1"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        self.assertEqual(done.stdout, "[] ['MainThread']\n")
