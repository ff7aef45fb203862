"""Verify an export of history entries, with the standard library only. digests.md specifies the format.

    python3 verify_export.py [FILE]     read JSON Lines from FILE, or from standard input
    python3 verify_export.py FILE.zip   check an export of evidence: its files, its entries and the present row

Exit status: 0 nothing was changed, 1 an entry or a file was changed or is missing, 2 the file cannot be checked.
"""

import hashlib
import json
import sys
import zipfile
import zlib
from datetime import datetime, timedelta, timezone

EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=timezone.utc), timedelta(microseconds=1)
CONTENT = ("action", "learner_id", "course", "block", "block_type", "state")
ORIGIN = ("actor_id", "reason", "request_id", "source_id", "source_version", "transaction_id")


def digest_of(entry):
    row_id = None if entry["version"] == 1 else entry["student_module_id"]
    grades = [None if entry[name] is None else float(entry[name]) + 0.0 for name in ("grade", "max_grade")]
    created = (datetime.fromisoformat(entry["created"]) - EPOCH) // MICROSECOND
    values = ["student-module-history/1", entry["previous"], row_id, entry["version"]]
    values += [*(entry[name] for name in CONTENT), *grades, created, *(entry[name] for name in ORIGIN)]
    return "01" + hashlib.sha256(json.dumps(values, separators=(",", ":")).encode("ascii")).hexdigest()


def check(lines, links):
    found, newest, oldest, wrong = {}, {}, {}, []
    for line in lines:
        entry = json.loads(line)
        row = tuple(entry[name] for name in ("student_module_id", "learner_id", "course", "block"))
        version, digest = entry["version"] + 0, entry["digest"]
        name = f"row {row[0]!a}, version {version!a} (line {len(links) + 1})"
        if digest[:2] != "01":
            raise ValueError(f"{name}: the digest {digest!a:.70} is malformed, or of another format than 01")
        state = (entry["state"] or "").encode("utf-8", "surrogatepass")
        if found.setdefault(digest, (row, version)) != (row, version) or digest_of(entry) != digest:
            wrong.append(f"{name}: the digest is not that of the values")
        elif (entry["state_size"], entry["state_sha256"]) != (len(state), hashlib.sha256(state).hexdigest()):
            wrong.append(f"{name}: state_size or state_sha256 is not that of the state")
        links.append((name, row, version, entry["previous"], digest))
        newest[row] = max(newest.get(row, (version, digest)), (version, digest))
        oldest[row] = min(oldest.get(row, version), version)
    for name, row, version, previous, _ in links:
        if found.get(previous, None if version > oldest[row] else (row, version - 1)) != (row, version - 1):
            wrong.append(f"{name}: version {version - 1}, whose digest it names, was changed or is missing")
    for row, (version, digest) in newest.items():
        unchecked = f"; versions before {oldest[row]} are not in the file: not checked" if oldest[row] > 1 else ""
        print(f"row {row[0]!a}: versions {oldest[row]} to {version}, digest of the newest {digest}{unchecked}")
    print(f"{len(links)} entries, {len(wrong)} wrong", *wrong[:1], sep="; the first: ")
    return bool(wrong) if links else 2


def check_evidence(archive, links):
    manifest = json.loads(archive.read("manifest.json"))
    stated = {name: file["sha256"] for name, file in manifest["files"].items()}
    wrong = [name for name in stated if name not in archive.namelist() or sha256_of(archive, name) != stated[name]]
    wrong += sorted(set(archive.namelist()) - {*stated, "manifest.json"})
    wrong += ["several files of one name"] * (len(archive.namelist()) != len(set(archive.namelist())))
    print(f"manifest.json: SHA-256 {sha256_of(archive, 'manifest.json')}")
    print(f"{len(stated)} files, {len(wrong)} wrong", *map(ascii, wrong), sep="; ")
    with archive.open("versions.jsonl") as lines:
        status = check(lines, links)
    row = manifest["row"]
    if row and row["digest"] not in {link[4] for link in links if link[1][0] == row["student_module_id"]}:
        print(f"row {row['student_module_id']!a}: the entry of the present version {row['version']!a} is missing")
        return 1
    return 1 if wrong else 0 if not links and not row else status


def sha256_of(archive, name):
    digest = hashlib.sha256()
    with archive.open(name) as file:
        for piece in iter(lambda: file.read(65536), b""):
            digest.update(piece)
    return digest.hexdigest()


def main(arguments, links):
    if arguments and zipfile.is_zipfile(arguments[0]):
        with zipfile.ZipFile(arguments[0]) as archive:
            return check_evidence(archive, links)
    return check(open(arguments[0], "rb") if arguments else sys.stdin.buffer, links)


UNREADABLE = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
UNREADABLE += (EOFError, zipfile.BadZipFile, zlib.error)

if __name__ == "__main__":
    checked = []
    try:
        sys.exit(main(sys.argv[1:], checked))
    except UNREADABLE as error:
        print(f"Line {len(checked) + 1} cannot be checked: {error!a}. It may be cut off, or no entry.", file=sys.stderr)
        sys.exit(2)
