"""Saving one StudentModule instance: what changed on it, merged with what others wrote since it was loaded."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, router

from kvstore import codec, versions
from kvstore.exceptions import CorruptState, UnrecordedWrite
from kvstore.rows import row_of
from kvstore.signals import CHANGED, CREATED
from kvstore.transactions import in_transaction
from kvstore.versions import Values

if TYPE_CHECKING:
    from kvstore.models import StudentModule

IDENTITY_COLUMNS = ("student_id", "course_id", "module_state_key", "module_type")
OTHER_COLUMNS = ("done",)
LOADED_COLUMNS = (*IDENTITY_COLUMNS, *versions.RECORDED_COLUMNS, *OTHER_COLUMNS)


def remember(row: StudentModule, fields: Collection[str] | None = None) -> None:
    """Keep what these columns (all, with None) hold now as what is stored, to tell later what was changed."""
    names = LOADED_COLUMNS if fields is None else [name for name in LOADED_COLUMNS if name in fields]
    row.loaded |= {name: row.__dict__[name] for name in names if name in row.__dict__}


def save(
    row: StudentModule,
    *,
    force_insert: Any,
    force_update: bool,
    using: str | None,
    update_fields: Iterable[str] | None,
) -> None:
    """Do what :meth:`StudentModule.save` says."""
    alias = using or router.db_for_write(type(row), instance=row)
    names = None if update_fields is None else _checked_names(row, update_fields)
    if force_insert or (row._state.adding and not force_update and names is None):
        _insert(row, alias, force_insert)
    else:
        _update(row, alias, names)


def _checked_names(row: StudentModule, update_fields: Iterable[str]) -> set[str]:
    names = set(update_fields)
    known = {name for column in row._meta.concrete_fields for name in (column.name, column.attname)}
    if names - known:
        raise ValueError(f"StudentModule has no {', '.join(sorted(names - known))}; correct update_fields.")
    return names


def _insert(row: StudentModule, using: str, force_insert: Any) -> None:
    versions.check_new(row)
    before = row.pk, row._state.adding, row.version

    def insert() -> None:
        row.pk, row._state.adding, row.version = before
        versions.begin(row, versions.now())
        # Without force_insert Django first updates a row that has this id, past the lock and the merge.
        row.write(force_insert=force_insert or True, using=using)
        versions.announce([versions.version_of(row_of(row), CREATED)], using)

    try:
        in_transaction(insert, using=using)
    except BaseException:
        # Not stored, whatever the instance was told on the way: it can be saved again.
        row.pk, row._state.adding, row.version = before
        raise
    remember(row)


def _update(row: StudentModule, using: str, update_fields: set[str] | None) -> None:
    changed = _changed(row)
    # What the caller left out of update_fields stays on the instance, to be saved another time.
    mine = {name: value for name, value in changed.items() if update_fields is None or name in update_fields}
    kept = [name for name in LOADED_COLUMNS if name not in changed or name in mine]
    where = f"StudentModule {row.pk}"
    versions.checked(Values(mine.get("state"), mine.get("grade"), mine.get("max_grade")), where)

    def update() -> None:
        stored = versions.plain_rows(type(row), using).filter(pk=row.pk).select_for_update().first()
        if stored is None:
            raise DatabaseError(f"{where} was deleted meanwhile, so it cannot be saved.")
        _refuse_moving(row, [name for name in IDENTITY_COLUMNS if name in changed], stored)
        before = stored.values
        advanced = versions.advance(stored, _merged(row, stored, mine), versions.now())
        written = [name for name in versions.RECORDED_COLUMNS if getattr(before, name) != getattr(stored, name)]
        for name in (*versions.RECORDED_COLUMNS, "version", "created", "modified"):
            if name in kept or name not in LOADED_COLUMNS:
                setattr(row, name, getattr(stored, name))
        columns = [name for name in OTHER_COLUMNS if name in mine]
        columns += [*written, "version", "modified"] if advanced else []
        row.write(force_update=bool(columns), using=using, update_fields=columns)
        if advanced:
            # A receiver of pre_save may have had the last word on what was written.
            for name in written:
                setattr(stored, name, getattr(row, name))
            versions.announce([versions.version_of(stored, CHANGED)], using)

    in_transaction(update, using=using)
    remember(row, kept)


def _changed(row: StudentModule) -> dict[str, Any]:
    """Return the columns that the program changed since the row was loaded."""
    loaded = row.loaded
    return {
        name: row.__dict__[name]
        for name in LOADED_COLUMNS
        if name in row.__dict__ and (name not in loaded or loaded[name] != row.__dict__[name])
    }


def _refuse_moving(row: StudentModule, names: Iterable[str], stored: StudentModule) -> None:
    moved = [name for name in names if getattr(row, name) != getattr(stored, name)]
    if moved:
        raise UnrecordedWrite(
            f"StudentModule {row.pk} cannot change its {', '.join(moved)}: its history says whose it is. "
            "Write the other learner's or block's own row instead."
        )


def _merged(row: StudentModule, stored: StudentModule, mine: dict[str, Any]) -> Values:
    """Return what is stored, with the program's changes in it."""
    values = stored.values
    for name in ("grade", "max_grade"):
        if name in mine:
            values = values._replace(**{name: mine[name]})
    if "state" in mine:
        merged = _merged_state(row.loaded.get("state"), mine["state"], stored)
        values = values if codec.same_state(merged, stored.state) else values._replace(state=merged)
    return values


def _merged_state(loaded: str | None, mine: str | None, stored: StudentModule) -> str | None:
    if stored.state == loaded or mine is None:
        return mine
    try:
        before, now = codec.loads_state(loaded), codec.loads_state(stored.state)
    except ValueError as error:
        raise CorruptState(stored._meta.db_table, [stored.pk], 1, str(error)) from error
    after = codec.loads_state(mine)
    kept = {name: value for name, value in now.items() if name in after or name not in before}
    changed = {
        name: value
        for name, value in after.items()
        # By their text, because 1 equals true in Python and not in a learner's answer.
        if name not in before or codec.dumps(before[name]) != codec.dumps(value)
    }
    return codec.dumps(kept | changed)
