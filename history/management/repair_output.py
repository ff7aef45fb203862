"""The results of a repair as lines of text; the text may contain unprintable characters."""

from collections.abc import Iterator, Mapping

from django.utils.translation import gettext as _

from history.incident.results import Repair, RepairedRow

SHOWN_FIELDS = 5
"""names of fields on the line of a row"""
COUNTED_FIELDS = 20
"""names of fields in the sums"""

COLUMNS = "{:>10}  {:<17}  {:>10}  {:<14}  {:<20}  {}"
SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def table_head() -> str:
    names = (_("row"), _("result"), _("learner"), _("version"), _("grade"), _("block and fields"))
    return COLUMNS.format(*names)


def table_line(row: RepairedRow) -> str:
    """Return the line of a row."""
    versions = f"{row.present_version} -> {row.new_version or '?'}" if row.is_written else str(row.present_version)
    before, after = _grade(row.grade_before), _grade(row.grade_after)
    grade = before if before == after else f"{before} -> {after}"
    fields = [f"{SIGNS[kind]}{name}" for name, kind in row.fields] or [f"!{name}" for name in row.conflicts]
    shown = " ".join(fields[:SHOWN_FIELDS]) + (" …" if len(fields) > SHOWN_FIELDS else "")
    return COLUMNS.format(row.row_id, row.result, row.learner_id, versions, grade, f"{row.block}  {shown}".rstrip())


def summary(progress: Repair) -> Iterator[str]:
    """Yield the sums, and the changes of the sample."""
    counts = {"entries": progress.entries, "rows": sum(progress.results.values())}
    counts |= {"learners": len(progress.learners), "blocks": len(progress.blocks)}
    yield _("%(entries)d selected entries of %(learners)d learners and %(blocks)d blocks, in %(rows)d rows") % counts
    yield _("results: %(counts)s") % {"counts": _counts(progress.results)}
    if progress.grades:
        yield _("grades: %(counts)s") % {"counts": _counts(progress.grades)}
    fields = progress.fields.most_common(COUNTED_FIELDS)
    if fields:
        yield _("fields: %(counts)s") % {
            "counts": ", ".join(f"{SIGNS[kind]}{name} {count}" for (name, kind), count in fields)
        }
    if progress.emptied:
        yield _("%(count)d rows were created by the selected changes and keep no field of them") % {
            "count": progress.emptied
        }
    for row in progress.sample:
        for change in row.changes:
            values = f"{change.old_text} -> {change.new_text}".removeprefix(" -> ").removesuffix(" -> ")
            yield f"  {row.row_id}: {SIGNS[change.kind]} {change.path_text}: {values}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _grade(grade: tuple[float | None, float | None]) -> str:
    value, most = ("-" if one is None else f"{one:.6g}" for one in grade)
    return value if most == "-" else f"{value}/{most}"
