"""Lists the columns of a model after its docstring."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Field, Model
from sphinx.application import Sphinx


def add_columns(app: Sphinx, what: str, name: str, documented: object, options: object, lines: list[str]) -> None:
    if isinstance(documented, type) and issubclass(documented, Model):
        fields = documented._meta.concrete_fields
        lines += ["", ".. list-table::", "   :header-rows: 1", "", *row("column", "type", "null")]
        for field in fields:
            lines += row(f"``{field.column}``", f"``{type_of(field)}``", "yes" if field.null else "no")
        lines.append("")


def row(first: str, *others: str) -> Iterator[str]:
    yield f"   * - {first}"
    yield from (f"     - {other}" for other in others)


def type_of(field: Field) -> str:
    length = f"({field.max_length})" if field.max_length else ""
    return f"{type(field).__name__}{length}"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", add_columns)
    return {"parallel_read_safe": True}
