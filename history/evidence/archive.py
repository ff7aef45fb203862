"""Writes the ZIP file of an export: index.html, versions.jsonl, current_state.json and manifest.json."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from itertools import chain, pairwise
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from django.utils import timezone
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from history.conf import is_recorded
from history.evidence.coverage import Coverage
from history.evidence.page import answer_of, render_begin, render_part, render_version
from history.export import iso, json_line, record, sha256_of, size_of, with_names
from history.querysets import on_primary
from history.reading.timeline import CurrentRow, timeline_of
from kvstore.keys import BlockAddress, block_address
from kvstore.models import StudentModule
from kvstore.staff.text import score_text
from kvstore.staff.users import display_name, names_for

PAGE_SIZE = 20
"""versions in one query; their states may be large"""
IN_MEMORY = 5_000_000
"""bytes of a file in memory; the rest is in a temporary file"""

FORMAT = "student-module-history-evidence/1"
DISTRIBUTION = "django-student-module-store"
PAGE, VERSIONS, STATE, MANIFEST = "index.html", "versions.jsonl", "current_state.json", "manifest.json"

VERIFY = "python3 verify_export.py FILE.zip, with the script docs/reference/verify_export.py of the product"


def export_evidence(
    learner: Any,
    usage_key: UsageKey,
    file: IO[bytes],
    course_key: LearningContextKey | None = None,
    *,
    exported_by: Any = None,
) -> dict[str, Any]:
    """Write the history of a block for a learner to a binary file, as a ZIP file for an appeal. Return its manifest.

    ``learner`` and ``exported_by`` are users or ids of users. The ZIP file contains a page to print, every version in
    JSON Lines, the present state, and a manifest with the SHA-256 of each. It names missing, pending and altered
    versions. The memory does not depend on the number of versions. Raises HistoryUnavailable; the file is then
    incomplete.
    """
    return write_evidence(learner, block_address(usage_key, course_key), file, exported_by=exported_by)


def write_evidence(learner: Any, address: BlockAddress, file: IO[bytes], *, exported_by: Any = None) -> dict[str, Any]:
    """Write an export of a block with a known address. See :func:`export_evidence`."""
    learner_id, exporter_id = (getattr(user, "pk", user) for user in (learner, exported_by))
    # Before the entries: a version that commits after this is not in the export.
    row = _row(learner_id, address)
    about = _about(learner_id, exporter_id, address, row)
    with ZipFile(file, "w", ZIP_DEFLATED) as archive, SpooledTemporaryFile(IN_MEMORY) as steps:
        members = Members(archive)
        coverage = _write_versions(members, steps, learner_id, address, row)
        with members.open(STATE) as state:
            state.write(json_line(_columns(row) if row else {"row": None}).encode("ascii"))
        _write_page(members, steps, about, coverage, row)
        manifest = about | {"versions": coverage.as_json(), "files": dict(members.files), "verify": VERIFY}
        with members.open(MANIFEST) as written:
            written.write((json.dumps(manifest, indent=2) + "\n").encode("ascii"))
        return manifest | {"sha256": members.files[MANIFEST]["sha256"]}


class Members:
    """Adds files to an archive, and keeps the size and the SHA-256 of each."""

    def __init__(self, archive: ZipFile) -> None:
        self.files: dict[str, dict[str, Any]] = {}
        self._archive = archive
        self._moment = datetime.now(UTC).timetuple()[:6]

    @contextmanager
    def open(self, name: str) -> Iterator[HashedFile]:
        member = ZipInfo(name, self._moment)
        member.compress_type = ZIP_DEFLATED
        member.external_attr = 0o644 << 16
        # The size is not known before the end, and a file above 2 GB needs another header.
        with self._archive.open(member, "w", force_zip64=True) as target:
            file = HashedFile(target)
            yield file
        self.files[name] = {"size": file.size, "sha256": file.sha256.hexdigest()}


class HashedFile:
    """Writes to a file, and computes the SHA-256 of the content."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self.size = 0
        self.sha256 = hashlib.sha256()

    def write(self, content: bytes) -> None:
        self._target.write(content)
        self.sha256.update(content)
        self.size += len(content)


def _write_versions(
    members: Members, steps: IO[bytes], learner_id: int, address: BlockAddress, row: StudentModule | None
) -> Coverage:
    """Write the versions as JSON Lines, and their parts of the page to ``steps``."""
    current = CurrentRow(learner_id, *((row.pk, row.version, row.digest) if row else (None, 0, None)))
    coverage = Coverage(current)
    entries = with_names(timeline_of(learner_id, address, page_size=PAGE_SIZE, row=current), PAGE_SIZE)
    with members.open(VERSIONS) as versions:
        for newer, following in pairwise(chain(entries, [None])):
            if newer is not None:
                entry, names = newer
                is_intact = coverage.add(entry)
                versions.write(json_line(record(entry)).encode("ascii"))
                older = following[0] if following else None
                steps.write(_utf8(render_version(entry, older, names, is_intact=is_intact)))
    return coverage


def _write_page(
    members: Members, steps: IO[bytes], about: Mapping[str, Any], coverage: Coverage, row: StudentModule | None
) -> None:
    steps.seek(0)
    with members.open(PAGE) as page:
        begin = render_begin(
            about=about,
            coverage=coverage,
            row=row,
            score=score_text(row) if row else "",
            answer=answer_of(row) if row else "",
            is_recorded=is_recorded(about["block_type"]),
            exported_at=datetime.fromisoformat(about["exported_at"]),
        )
        page.write(_utf8(begin))
        while piece := steps.read(65_536):
            page.write(piece)
        page.write(_utf8(render_part("end", files=members.files)))


def _about(
    learner_id: int, exporter_id: int | None, address: BlockAddress, row: StudentModule | None
) -> dict[str, Any]:
    names = names_for({user for user in (learner_id, exporter_id) if user is not None})
    return {
        "format": FORMAT,
        "product": f"{DISTRIBUTION} {_product_version()}",
        "exported_at": iso(timezone.now()),
        "exported_by": None if exporter_id is None else _user(exporter_id, names),
        "learner": _user(learner_id, names),
        "course": address.course_id,
        "block": address.usage_key,
        "block_type": address.block_type,
        "row": None if row is None else _identity(row),
    }


def _user(user_id: int, names: Mapping[int, str]) -> dict[str, Any]:
    return {"id": user_id, "name": display_name(user_id, names)}


def _row(learner_id: int, address: BlockAddress) -> StudentModule | None:
    of_block = {"module_state_key": address.usage_key, "course_id": address.course_id}
    # Not first(): there is at most one row, and ORDER BY id would let the planner choose another index.
    return next(iter(on_primary(StudentModule).filter(student_id=learner_id, **of_block)), None)


def _identity(row: StudentModule) -> dict[str, Any]:
    return {"student_module_id": row.pk, "version": row.version, "digest": row.digest.hex() if row.digest else None}


def _columns(row: StudentModule) -> dict[str, Any]:
    """Return every column of a row, with the names of the versions' columns."""
    return {
        **_identity(row),
        "learner_id": row.student_id,
        "course": str(row.course_id),
        "block": str(row.module_state_key),
        "block_type": row.module_type,
        "grade": row.grade,
        "max_grade": row.max_grade,
        "done": row.done,
        "created": iso(row.created),
        "modified": iso(row.modified),
        "state_size": size_of(row.state),
        "state_sha256": sha256_of(row.state),
        "state": row.state,
    }


def _product_version() -> str:
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "(not installed as a package)"


def _utf8(text: str) -> bytes:
    # Names of users are not checked by the store.
    return text.encode("utf-8", "backslashreplace")
