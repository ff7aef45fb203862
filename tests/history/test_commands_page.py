"""docs/reference/commands.md describes every command and every option, and no other."""

import re
from pathlib import Path

from django.core.management import BaseCommand, find_commands, load_command_class
from django.test import SimpleTestCase

import history.management
from tests.documentation.documents import DOCS

PAGE = DOCS / "reference" / "commands.md"
SECTION = re.compile(r"^## (?P<name>\w+)\n(?P<text>.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
FIRST_CELL = re.compile(r"^\| (?P<cell>`[^|]+`) \|", re.MULTILINE)
NAME = re.compile(r"`(?P<name>[\w-]+)")


def names_of(command: BaseCommand) -> set[str]:
    """Return the options and the arguments of a command."""
    actions = command.create_parser("manage.py", "command")._actions
    return {name for action in actions for name in action.option_strings or [action.dest]}


def described_in(section: str) -> set[str]:
    """Return the options and arguments in the first column of the tables of a section."""
    return {name for cell in FIRST_CELL.findall(section) for name in NAME.findall(cell)}


class CommandsPage(SimpleTestCase):
    def setUp(self) -> None:
        self.sections = dict(SECTION.findall(PAGE.read_text(encoding="utf-8")))

    def test_every_command_has_a_section(self) -> None:
        (folder,) = history.management.__path__
        self.assertEqual(set(self.sections), set(find_commands(str(Path(folder)))))

    def test_every_option_is_described(self) -> None:
        common = names_of(BaseCommand())
        for name, section in self.sections.items():
            with self.subTest(name):
                options = names_of(load_command_class("history", name)) - common
                self.assertEqual(described_in(section), options)

    def test_every_option_is_in_the_synopsis(self) -> None:
        common = names_of(BaseCommand())
        for name, section in self.sections.items():
            synopsis = section.partition("```text\n")[2].partition("```")[0]
            for option in names_of(load_command_class("history", name)) - common - {"--as-of"}:
                with self.subTest(name, option=option):
                    self.assertIn(option.upper() if option.isalpha() else option, synopsis)
