"""Runs the blocks of a page in a project, and parses those of data languages."""

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.documentation.documents import Block
from tests.documentation.projects import Project


def parse_ini(text: str) -> None:
    # As systemd: a key may occur several times, and its case matters.
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(text)


def parse_lines(text: str) -> None:
    for line in text.splitlines():
        json.loads(line)


PARSERS: dict[str, Callable[[str], Any]] = {
    "json": json.loads,
    "jsonl": parse_lines,
    "yaml": lambda text: list(yaml.safe_load_all(text)),
    "toml": tomllib.loads,
    "ini": parse_ini,
}


class Runner:
    """Runs blocks in a project on one database: ``sqlite``, ``postgresql`` or ``mysql``."""

    def __init__(self, project: Project, vendor: str = "sqlite") -> None:
        self.project = project
        self.vendor = vendor
        self.output = ""

    def run(self, blocks: Iterable[Block]) -> None:
        """Run the blocks in order. Raises AssertionError with the place of the first block that fails."""
        for block in blocks:
            if block.treatment in ("run", "parsed") and block.vendor in ("", self.vendor):
                try:
                    self.treat(block)
                except Exception as error:
                    raise AssertionError(f"{block.place} ({block.language}) fails:\n{block.code}\n{error}") from None

    def treat(self, block: Block) -> None:
        if block.kind in ("file", "append to"):
            self.write(block)
        elif block.kind == "output":
            self.compare(block)
        elif block.kind == "run in the background":
            self.project.start(block.code)
        elif block.language == "sh":
            self.output = self.project.sh(block.code)
        elif block.language in PARSERS:
            PARSERS[block.language](block.code)
        else:
            self.output = self.project.tell_session(
                language=block.language, code=block.code, place=block.place, line=block.line, alias=block.alias
            )

    def write(self, block: Block) -> None:
        path: Path = self.project.folder / block.value
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if block.kind == "append to" else ""
        path.write_text(before + block.code, encoding="utf-8")

    def compare(self, block: Block) -> None:
        """Compare the lines of the block with the output of the previous one. Further lines there are allowed."""
        pattern = ".*".join(re.escape(part.strip()) for part in re.split(r"\.\.\.|\n", block.code))
        if not re.search(pattern, self.output, re.DOTALL):
            raise AssertionError(f"the output is another one:\n{self.output}")
