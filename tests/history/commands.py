"""Runs the commands of history as a program calls them, and as the command line does."""

import io
from typing import Any, NamedTuple

from django.core.management import CommandError, call_command, load_command_class


class Outcome(NamedTuple):
    """How a command ended."""

    output: str
    """standard output"""
    code: int
    """the exit code that the command line would have"""
    message: str
    """of the CommandError; empty where the command returned"""


def run_command(name: str, *arguments: str, **options: Any) -> Outcome:
    """Call a command. A command that ends the process raises SystemExit here, and so fails the test."""
    output = io.StringIO()
    try:
        call_command(name, *arguments, stdout=output, stderr=io.StringIO(), **options)
    except CommandError as error:
        return Outcome(output.getvalue(), error.returncode, str(error))
    return Outcome(output.getvalue(), 0, "")


def exit_code(name: str, *arguments: str) -> int:
    """Run a command as ``manage.py`` does, and return the exit code. Closes all connections, as ``manage.py`` does."""
    command = load_command_class("history", name)
    # The command line gives no streams, so the command writes to the streams of its constructor.
    command.stdout._out = command.stderr._out = io.StringIO()
    try:
        command.run_from_argv(["manage.py", name, *arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0
