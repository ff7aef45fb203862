"""Reads a seal from a file line by line. Refuses an incomplete or edited file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from history.exceptions import UnusableSeal
from history.verification.seals import SEAL_FORMAT, Seal, SealedHead

MAX_LINE = 1000
"""bytes; longer than every line of a seal"""
MAX_NUMBER = 2**63 - 1
DIGEST = re.compile(r"[0-9a-f]{66}")
TIME = re.compile(r"[0-9T:.+-]{20,40}")

COPY = "Use a copy of the file as manage.py seal_history printed it."


class SealFile:
    """A seal in a file. The constructor raises UnusableSeal for any other file."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self.seal = self._read()

    def heads(self, *, after: int = 0) -> Iterator[SealedHead]:
        with self._open() as file:
            file.readline(MAX_LINE)
            for number, line in _numbered(file):
                if line.startswith(b"{"):
                    return
                head = self._head(number, line)
                if head.row_id > after:
                    yield head

    def _read(self) -> Seal:
        """Return the sums over all heads, after comparing them with the last line."""
        with self._open() as file:
            seal = self._start(file.readline(MAX_LINE))
            for number, line in _numbered(file):
                if line.startswith(b"{"):
                    self._check_end(number, line, seal, file)
                    return seal
                head = self._head(number, line)
                if seal.last is not None and not _in_order(seal.last, head):
                    raise self._unusable(number, f"the entry of row {head.row_id} is not in order")
                seal.add(head)
        raise UnusableSeal(f"{self._path} is cut off: its last line, which begins with {{, is missing. {COPY}")

    def _open(self) -> BinaryIO:
        try:
            file = self._path.open("rb")
        except OSError as error:
            raise UnusableSeal(f"The seal cannot be read: {error}. Pass a file that seal_history printed.") from error
        if not file.seekable():
            file.close()
            raise UnusableSeal(f"{self._path} can be read only once. Write the seal into a regular file.")
        return file

    def _start(self, line: bytes) -> Seal:
        values = self._parse(1, line)
        if not isinstance(values, dict) or "format" not in values:
            raise UnusableSeal(f"{self._path} is not a seal: its first line has no format. {COPY}")
        if values["format"] != SEAL_FORMAT:
            raise UnusableSeal(
                f"{self._path} has the format {values['format']!r:.20}; this release reads the format {SEAL_FORMAT}. "
                "Verify it with the release that made it, or with a later release."
            )
        if not isinstance(values.get("time"), str) or not TIME.fullmatch(values["time"]):
            raise self._unusable(1, f"{values.get('time')!r:.60} is not a time in ISO 8601")
        return Seal(values["time"])

    def _head(self, number: int, line: bytes) -> SealedHead:
        values = self._parse(number, line)
        if not isinstance(values, list) or len(values) != 4 or not all(map(_is_number, values[:3])):
            raise self._unusable(number, "it is not a list of a row id, a version, a number of entries and a digest")
        row_id, version, entries, digest = values
        if entries > version:
            raise self._unusable(number, f"it has {entries} entries up to version {version}")
        if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            raise self._unusable(number, f"the digest {digest!r:.80} is not 66 hexadecimal digits")
        return SealedHead(row_id, version, entries, bytes.fromhex(digest))

    def _check_end(self, number: int, line: bytes, seal: Seal, file: BinaryIO) -> None:
        if self._parse(number, line) != seal.last_line():
            raise UnusableSeal(
                f"{self._path} was edited: its lines have the seal {seal.last_line()['seal']}, with {seal.rows} rows "
                f"and {seal.entries} entries, and its last line has other values. {COPY}"
            )
        if file.read(1):
            raise self._unusable(number + 1, "it follows the last line")

    def _parse(self, number: int, line: bytes) -> Any:
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._unusable(number, "it is not JSON, or the file is cut off there") from error

    def _unusable(self, number: int, reason: str) -> UnusableSeal:
        return UnusableSeal(f"{self._path}, line {number}: {reason}. {COPY}")


def _numbered(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    return enumerate(iter(lambda: file.readline(MAX_LINE), b""), 2)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 < value <= MAX_NUMBER


def _in_order(before: SealedHead, head: SealedHead) -> bool:
    return (before.row_id, before.version, before.digest) < (head.row_id, head.version, head.digest)
