"""Saving one StudentModule instance: what changed on it, merged with what others wrote since it was loaded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, ClassVar, Protocol

from django.db import DatabaseError, router

from kvstore.exceptions import CorruptState, UnrecordedWrite
from kvstore.keys import block_address
from kvstore.signals import CHANGED, CREATED
from kvstore.versioning import codec, rows, versions
from kvstore.versioning.context import current_origin
from kvstore.versioning.transactions import in_transaction
from kvstore.versioning.versions import Row, Values

IDENTITY_COLUMNS = ("student_id", "course_id", "module_state_key", "module_type")
OTHER_COLUMNS = ("done",)
LOADED_COLUMNS = (*IDENTITY_COLUMNS, *versions.RECORDED_COLUMNS, *OTHER_COLUMNS)


class Instance(Protocol):
    """An instance of Instance, as far as this module uses it."""

    _meta: ClassVar[Any]
    _state: Any
    pk: Any
    course_id: Any
    module_state_key: Any
    module_type: Any
    state: Any
    grade: Any
    max_grade: Any
    version: Any
    digest: Any
    loaded: dict[str, Any]
    compute_digest: Callable[[], bytes] | None

    def as_row(self) -> Row: ...
    def apply(self, row: Row) -> None: ...
    def write(self, **arguments: Any) -> None: ...


def remember(row: Instance, fields: Collection[str] | None = None) -> None:
    """Keep what these columns (all, with None) hold now as what is stored, to tell later what was changed."""
    names = LOADED_COLUMNS if fields is None else [name for name in LOADED_COLUMNS if name in fields]
    row.loaded |= {name: row.__dict__[name] for name in names if name in row.__dict__}


def save(
    row: Instance,
    *,
    force_insert: Any,
    force_update: bool,
    using: str | None,
    update_fields: Iterable[str] | None,
) -> None:
    """Do what :meth:`StudentModule.save` says."""
    model: Any = type(row)
    alias = using or router.db_for_write(model, instance=row)
    names = None if update_fields is None else _checked_names(row, update_fields)
    if force_insert or (row._state.adding and not force_update and names is None):
        _insert(row, alias, force_insert)
    else:
        _update(row, alias, names)


def complete_new(instance: Instance) -> None:
    """Complete an instance that is not stored yet. Raises UnstorableValue, UnstorableScore or UnusableKey."""
    address = block_address(instance.module_state_key, instance.course_id)
    instance.module_type = instance.module_type or address.block_type
    values = Values(instance.state, instance.grade, instance.max_grade)
    instance.state, instance.grade, instance.max_grade = versions.checked(values, str(instance))


def _checked_names(row: Instance, update_fields: Iterable[str]) -> set[str]:
    names = set(update_fields)
    known = {name for column in row._meta.concrete_fields for name in (column.name, column.attname)}
    if names - known:
        raise ValueError(f"StudentModule has no {', '.join(sorted(names - known))}; correct update_fields.")
    return names


def _insert(instance: Instance, using: str, force_insert: Any) -> None:
    complete_new(instance)
    before = instance.pk, instance._state.adding, instance.version, instance.digest

    def reset() -> None:
        instance.pk, instance._state.adding, instance.version, instance.digest = before

    def insert() -> None:
        reset()
        origin, row = current_origin(using), instance.as_row()
        made = [versions.make_first_version(row, versions.now(), origin)]
        instance.apply(row)

        def compute_digest() -> bytes:
            # A receiver of pre_save may have had the last word on what is written.
            made[:] = [versions.version_of(instance.as_row(), CREATED, origin, None)]
            return made[0].digest

        # Without force_insert Django first updates a row that has this id, past the lock and the merge.
        _write(instance, compute_digest, force_insert=force_insert or True, using=using)
        versions.announce([made[0]._replace(student_module_id=instance.pk)], using)

    try:
        in_transaction(insert, using=using)
    except BaseException:
        # The row was not stored, whatever the instance was told on the way: it can be saved again.
        reset()
        raise
    remember(instance)


def _update(instance: Instance, using: str, update_fields: set[str] | None) -> None:
    changed = _changed(instance)
    # What the caller left out of update_fields stays on the instance, to be saved another time.
    mine = {name: value for name, value in changed.items() if update_fields is None or name in update_fields}
    kept = [name for name in LOADED_COLUMNS if name not in changed or name in mine]
    where = f"StudentModule {instance.pk}"
    checked = versions.checked(Values(mine.get("state"), mine.get("grade"), mine.get("max_grade")), where)
    mine |= {name: getattr(checked, name) for name in versions.SCORE_COLUMNS if name in mine}

    model: Any = type(instance)

    def update() -> None:
        stored = rows.lock_by_id(model, instance.pk, using)
        if stored is None:
            raise DatabaseError(f"{where} was deleted meanwhile, so it cannot be saved.")
        _refuse_moving(instance, [name for name in IDENTITY_COLUMNS if name in changed], stored)
        before, previous = stored.values, stored.digest
        origin = current_origin(using)
        advanced = versions.advance(stored, _merged(instance, stored, mine), versions.now(), origin)
        written = [name for name in versions.RECORDED_COLUMNS if getattr(before, name) != getattr(stored, name)]
        for name in (*versions.VERSION_COLUMNS, "created"):
            if name in kept or name not in LOADED_COLUMNS:
                setattr(instance, name, getattr(stored, name))
        columns = [name for name in OTHER_COLUMNS if name in mine]
        if advanced is None:
            instance.write(force_update=bool(columns), using=using, update_fields=columns)
            return
        made = [advanced]

        def compute_digest() -> bytes:
            # A receiver of pre_save may have had the last word on what is written.
            for name in written:
                setattr(stored, name, getattr(instance, name))
            made[:] = [versions.version_of(stored, CHANGED, origin, previous)]
            return made[0].digest

        columns += [*written, "version", "modified", "digest"]
        _write(instance, compute_digest, force_update=True, using=using, update_fields=columns)
        versions.announce(made, using)

    in_transaction(update, using=using)
    remember(instance, kept)


def _write(instance: Instance, compute_digest: Callable[[], bytes], **arguments: Any) -> None:
    """Send the instance to the database with the digest of what is really sent."""
    instance.compute_digest = compute_digest
    try:
        instance.write(**arguments)
    finally:
        instance.compute_digest = None


def _changed(row: Instance) -> dict[str, Any]:
    """Return the columns that the program changed since the row was loaded."""
    loaded = row.loaded
    return {
        name: row.__dict__[name]
        for name in LOADED_COLUMNS
        if name in row.__dict__ and (name not in loaded or loaded[name] != row.__dict__[name])
    }


def _refuse_moving(row: Instance, names: Iterable[str], stored: Row) -> None:
    columns: dict[str, Any] = {name: row._meta.get_field(name) for name in names}
    moved = [name for name in names if columns[name].get_prep_value(getattr(row, name)) != getattr(stored, name)]
    if moved:
        raise UnrecordedWrite(
            f"StudentModule {row.pk} cannot change its {', '.join(moved)}: its history says whose it is. "
            "Write the other learner's or block's own row instead."
        )


def _merged(row: Instance, stored: Row, mine: dict[str, Any]) -> Values:
    """Return what is stored, with the program's changes in it."""
    values = stored.values
    for name in ("grade", "max_grade"):
        if name in mine:
            values = values._replace(**{name: mine[name]})
    if "state" in mine:
        merged = _merged_state(row, mine["state"], stored)
        values = values if codec.same_state(merged, stored.state) else values._replace(state=merged)
    return values


def _merged_state(row: Instance, mine: str | None, stored: Row) -> str | None:
    loaded = row.loaded.get("state")
    if stored.state == loaded or mine is None:
        return mine
    try:
        before, now = codec.loads_state(loaded), codec.loads_state(stored.state)
    except ValueError as error:
        raise CorruptState(row._meta.db_table, [stored.id], 1, str(error)) from error
    after = codec.loads_state(mine)
    kept = {name: value for name, value in now.items() if name in after or name not in before}
    changed = {
        name: value
        for name, value in after.items()
        # By their text, because 1 equals true in Python and not in a learner's answer.
        if name not in before or codec.dumps(before[name]) != codec.dumps(value)
    }
    return codec.dumps(kept | changed)
