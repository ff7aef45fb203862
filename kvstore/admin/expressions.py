"""SQL comparisons that keep the planner on the index of a list's order."""

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.models import F, Func, Lookup, Value


class RowExpression(Func):
    """Columns or values as one row value."""

    function = ""
    # Django requires an output field; it is unused.
    output_field = models.TextField()


class RowComparison(Lookup):
    """Comparison of columns with values as rows: ``(a, b) < (1, 2)``.

    PostgreSQL and SQLite follow an index for a row comparison. MySQL follows it only if the comparison is spelled out
    with AND and OR, and if it is a lookup: Django compares other expressions with 1.
    """

    def __init__(self, fields: Sequence[Any], values: Sequence[Any], operator: str) -> None:
        typed = [Value(value, output_field=field) for field, value in zip(fields, values, strict=True)]
        super().__init__(RowExpression(*(F(field.attname) for field in fields)), RowExpression(*typed))
        self.operator = operator

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        left, left_parameters = compiler.compile(self.lhs)
        right, right_parameters = compiler.compile(self.rhs)
        return f"{left} {self.operator} {right}", (*left_parameters, *right_parameters)

    def as_mysql(self, compiler: Any, connection: Any) -> Any:
        columns, values = (
            [compiler.compile(part) for part in side.get_source_expressions()] for side in (self.lhs, self.rhs)
        )
        cases, parameters = [], []
        for last in range(len(columns)):
            # "Or equal" belongs to the case that compares all columns.
            operator = self.operator if last == len(columns) - 1 else self.operator[0]
            pairs = list(zip(columns, ["="] * last + [operator], values, strict=False))
            cases.append(" AND ".join(f"{left[0]} {sign} {right[0]}" for left, sign, right in pairs))
            parameters += [parameter for left, _, right in pairs for parameter in (*left[1], *right[1])]
        return "(" + " OR ".join(f"({case})" for case in cases) + ")", parameters
