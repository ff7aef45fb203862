"""Saves one StudentModule instance: merges its changes with those of concurrent writes, and makes the version."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, ClassVar, Protocol

from django.db import DatabaseError

from kvstore.exceptions import CorruptState, UnrecordedWrite
from kvstore.signals import CHANGED, CREATED
from kvstore.versioning import codec, rows, versions
from kvstore.versioning.context import current_origin
from kvstore.versioning.transactions import in_transaction
from kvstore.versioning.versions import IDENTITY, Row, Values

FIXED_COLUMNS = (*IDENTITY, "module_type")
UNVERSIONED_COLUMNS = ("done",)
LOADED_COLUMNS = (*FIXED_COLUMNS, *versions.RECORDED_COLUMNS, *UNVERSIONED_COLUMNS)


class Instance(Protocol):
    """What this module uses of StudentModule, which imports this module."""

    _meta: ClassVar[Any]
    _state: Any
    pk: Any
    version: Any
    digest: Any
    loaded: dict[str, Any]
    compute_digest: Callable[[], bytes] | None

    def complete(self) -> None: ...
    def as_row(self) -> Row: ...
    def apply(self, row: Row) -> None: ...
    def write(self, **arguments: Any) -> None: ...


def snapshot(instance: Instance, columns: Collection[str] = LOADED_COLUMNS) -> None:
    """Snapshot stored values (default: all columns) to detect changes later."""
    values = instance.__dict__
    instance.loaded |= {name: values[name] for name in columns if name in values}


def insert(instance: Instance, using: str, force_insert: Any) -> None:
    """Insert a new instance as version 1. See :meth:`StudentModule.save`."""
    instance.complete()
    before = instance.pk, instance._state.adding, instance.version, instance.digest

    def reset() -> None:
        instance.pk, instance._state.adding, instance.version, instance.digest = before

    def body() -> None:
        reset()
        origin, row = current_origin(using), instance.as_row()
        made = [versions.make_first_version(row, versions.now(), origin)]
        instance.apply(row)

        def compute_digest() -> bytes:
            # A pre_save receiver may have changed these values.
            made[:] = [versions.version_of(instance.as_row(), CREATED, origin, None)]
            return made[0].digest

        # Without force_insert, Django would first try to update a row with this id, without lock and merge.
        _write(instance, compute_digest, force_insert=force_insert or True, using=using)
        versions.announce([made[0]._replace(student_module_id=instance.pk)], using)

    try:
        in_transaction(body, using=using)
    except BaseException:
        # The insert failed: reset the instance so it can be saved again.
        reset()
        raise
    snapshot(instance)


def update(instance: Instance, using: str, names: Collection[str] | None) -> None:
    """Update the row of an instance, with at most these fields. See :meth:`StudentModule.save`."""
    changed = _changed(instance)
    # Changes that update_fields leaves out stay on the instance until a later save.
    mine = {name: value for name, value in changed.items() if names is None or name in names}
    kept = [name for name in LOADED_COLUMNS if name not in changed or name in mine]
    where = f"StudentModule {instance.pk}"
    checked = versions.checked(Values(mine.get("state"), mine.get("grade"), mine.get("max_grade")), where)
    mine |= {name: getattr(checked, name) for name in versions.SCORE_COLUMNS if name in mine}
    model: Any = type(instance)

    def body() -> None:
        row = rows.lock_by_id(model, instance.pk, using)
        if row is None:
            raise DatabaseError(f"{where} was deleted meanwhile; nothing was stored.")
        _refuse_moving(instance, [name for name in FIXED_COLUMNS if name in changed], row)
        before, previous = row.values, row.digest
        origin = current_origin(using)
        after = _merged(instance, row, mine)
        version = versions.make_next_version(row, after, versions.now(), origin, CHANGED) if after != before else None
        written = [name for name in versions.RECORDED_COLUMNS if getattr(before, name) != getattr(row, name)]
        for name in (*versions.VERSION_COLUMNS, "created"):
            if name in kept or name not in LOADED_COLUMNS:
                setattr(instance, name, getattr(row, name))
        columns = [name for name in UNVERSIONED_COLUMNS if name in mine]
        if version is None:
            instance.write(force_update=bool(columns), using=using, update_fields=columns)
            return
        made = [version]

        def compute_digest() -> bytes:
            # A pre_save receiver may have changed these values.
            for name in written:
                setattr(row, name, getattr(instance, name))
            made[:] = [versions.version_of(row, CHANGED, origin, previous)]
            return made[0].digest

        columns += [*written, "version", "modified", "digest"]
        _write(instance, compute_digest, force_update=True, using=using, update_fields=columns)
        versions.announce(made, using)

    in_transaction(body, using=using)
    snapshot(instance, kept)


def checked_names(instance: Instance, update_fields: Iterable[str]) -> set[str]:
    """Return the names. Raises ValueError, which names the unknown ones."""
    names = set(update_fields)
    unknown = names - {name for column in instance._meta.concrete_fields for name in (column.name, column.attname)}
    if unknown:
        raise ValueError(f"StudentModule has no {', '.join(sorted(unknown))}; correct update_fields.")
    return names


def _write(instance: Instance, compute_digest: Callable[[], bytes], **arguments: Any) -> None:
    """Save the instance; ``compute_digest`` is called after the receivers of ``pre_save``."""
    instance.compute_digest = compute_digest
    try:
        instance.write(**arguments)
    finally:
        instance.compute_digest = None


def _changed(instance: Instance) -> dict[str, Any]:
    loaded, values = instance.loaded, instance.__dict__
    return {
        name: values[name]
        for name in LOADED_COLUMNS
        if name in values and (name not in loaded or loaded[name] != values[name])
    }


def _refuse_moving(instance: Instance, names: Iterable[str], stored: Row) -> None:
    columns: dict[str, Any] = {name: instance._meta.get_field(name) for name in names}
    moved = [name for name in names if columns[name].get_prep_value(getattr(instance, name)) != getattr(stored, name)]
    if moved:
        raise UnrecordedWrite(
            f"StudentModule {instance.pk} cannot change its {', '.join(moved)}, which its history records. "
            "Write the row of the other learner or block instead."
        )


def _merged(instance: Instance, stored: Row, mine: dict[str, Any]) -> Values:
    """Return the stored values with the changes of the instance."""
    values = stored.values._replace(**{name: mine[name] for name in versions.SCORE_COLUMNS if name in mine})
    if "state" in mine:
        merged = _merged_state(instance, mine["state"], stored)
        values = values if codec.same_state(merged, stored.state) else values._replace(state=merged)
    return values


def _merged_state(instance: Instance, mine: str | None, stored: Row) -> str | None:
    loaded = instance.loaded.get("state")
    if stored.state == loaded or mine is None:
        return mine
    try:
        before, now = codec.loads_state(loaded), codec.loads_state(stored.state)
    except ValueError as error:
        raise CorruptState(instance._meta.db_table, [stored.id], 1, str(error)) from error
    after = codec.loads_state(mine)
    kept = {name: value for name, value in now.items() if name in after or name not in before}
    changed = {
        name: value
        for name, value in after.items()
        # Compared as text, because 1 equals True in Python.
        if name not in before or codec.dumps(before[name]) != codec.dumps(value)
    }
    return codec.dumps(kept | changed)
