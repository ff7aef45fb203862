"""The documents of the checkout, and the code blocks of a document."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
AT_THE_ROOT = [
    CHECKOUT / name
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "bench/README.md")
    if (CHECKOUT / name).exists()
]
DOCUMENTS = [*AT_THE_ROOT, *sorted(DOCS.rglob("*.md"))]
NOT_RUN = {CHECKOUT / "CHANGELOG.md", CHECKOUT / "bench" / "README.md"}
PAGES = [page for page in DOCUMENTS if page not in NOT_RUN and DOCS / "decisions" not in page.parents]
"""the documents of which each code block runs or is marked"""

OPENING = re.compile(r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>\S*)(?P<rest>.*)$")
MARKER = re.compile(r"^\s*<!-- (?P<kind>[a-z ]+?)(?:: ?(?P<value>.*?))? -->\s*$")
KINDS = ("not run", "run by", "run on", "file", "append to", "output", "run in the background")

TREATMENTS = {
    "run": "run",
    "elsewhere": "run by other tests",
    "parsed": "parsed",
    "shown": "shown",
    "marked": "marked as not run",
}
RUN = {"python", "sh", "sql"}
PARSED = {"json", "jsonl", "yaml", "toml", "ini"}
SHOWN = {"text", "nginx", "promql", "html", "css", "http", "diff", "dockerfile", "cnf", "{eval-rst}"}
"""languages that this test neither runs nor parses"""


@dataclass(frozen=True)
class Block:
    """A code block of a page, with the marker on the line before it. ``line`` is the line of its first code."""

    page: Path
    line: int
    language: str
    code: str
    kind: str = ""
    value: str = ""
    section: str = ""
    """the heading of the second level above the block"""

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(CHECKOUT)}:{self.line}"

    @property
    def vendor(self) -> str:
        """The database that the block needs, or an empty string."""
        return self.value.partition(",")[0].strip() if self.kind == "run on" else ""

    @property
    def alias(self) -> str:
        """The database of an SQL block."""
        return self.value.partition(",")[2].strip() or "student_module_history"

    @property
    def treatment(self) -> str:
        """Return what the test does with the block: run, elsewhere, parsed, marked or shown."""
        if self.kind in ("not run", "run by"):
            return "marked" if self.kind == "not run" else "elsewhere"
        if self.language in RUN or self.kind:
            return "run"
        return "parsed" if self.language in PARSED else "shown"

    @property
    def problem(self) -> str:
        """Return why the block cannot be treated, or an empty string."""
        if self.kind and self.kind not in KINDS:
            return f"unknown marker {self.kind!r}"
        if self.kind in ("not run", "run by", "run on", "file", "append to") and not self.value:
            return f"the marker {self.kind!r} needs a value"
        if self.kind == "run by" and not (CHECKOUT / self.value).is_file():
            return f"no such test: {self.value}"
        if self.kind == "run on" and self.vendor not in ("postgresql", "mysql"):
            return "a block runs on postgresql or on mysql"
        if self.language == "sql" and self.kind not in ("not run", "run by", "run on"):
            return "an SQL block needs the marker 'run on' or 'not run'"
        if self.language not in RUN | PARSED | SHOWN:
            return f"the language {self.language!r} is neither run, parsed nor shown"
        return ""


def blocks(page: Path, text: str | None = None) -> list[Block]:
    """Return the code blocks of a page in order. Raises ValueError for a block without an end."""
    lines = (page.read_text(encoding="utf-8") if text is None else text).splitlines()
    return list(_blocks(page, lines))


def counts(pages: Iterable[Path]) -> Counter[str]:
    """Return the number of blocks by treatment."""
    return Counter(block.treatment for page in pages for block in blocks(page))


def _blocks(page: Path, lines: list[str]) -> Iterator[Block]:
    number, section = 0, ""
    while number < len(lines):
        opening = OPENING.match(lines[number])
        if opening is None:
            section = lines[number][3:] if lines[number].startswith("## ") else section
            number += 1
            continue
        end = _end(lines, number + 1, opening["fence"])
        if end is None:
            raise ValueError(f"{page}:{number + 1}: the block has no end")
        marker = MARKER.match(lines[number - 1]) if number else None
        found = (marker["kind"], (marker["value"] or "").strip()) if marker else ("", "")
        code = dedent("\n".join(lines[number + 1 : end]) + "\n")
        yield Block(page, number + 2, opening["language"], code, *found, section)
        number = end + 1


def _end(lines: list[str], start: int, fence: str) -> int | None:
    return next((number for number in range(start, len(lines)) if lines[number].strip() == fence), None)
