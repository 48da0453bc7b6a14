"""How Muse uses the stash: commits in a database, the stash by one changed import line.

    python examples/python/muse_stash.py [DIRECTORY]

Makes a repository in DIRECTORY (a temporary one if none is given) with a SQLite database in Muse's tables, shelves work
in progress for a job on the last commit, and brings it back.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import sqlite3
import sys
import tempfile
from typing import Dict, Optional

# In Muse this line reads: from maestro.services.muse_stash import apply_stash, list_stash, push_stash
from stemvault import apply_stash, list_stash, push_stash

# And these come from its snapshot and object store modules.
from stemvault import walk_workdir, write_object_from_path

TABLES = """
CREATE TABLE muse_snapshots (snapshot_id TEXT PRIMARY KEY, manifest JSON, created_at TEXT);
CREATE TABLE muse_commits (
    commit_id TEXT PRIMARY KEY, repo_id TEXT, branch TEXT, parent_commit_id TEXT, parent2_commit_id TEXT,
    snapshot_id TEXT, message TEXT, author TEXT, committed_at TEXT, created_at TEXT, metadata JSON
);
"""


def make_repository(root: pathlib.Path) -> None:
    """What `muse init` makes."""
    heads = root / ".muse" / "refs" / "heads"
    heads.mkdir(parents=True)
    (root / ".muse" / "HEAD").write_text("refs/heads/main")
    (root / ".muse" / "repo.json").write_text('{"repo_id": "2f6b3f7e", "schema_version": "1"}')
    (heads / "main").write_text("")
    (root / "muse-work").mkdir()


def commit(root: pathlib.Path, database: sqlite3.Connection, message: str) -> None:
    """What `muse commit` does: objects, a snapshot, a commit, the ref."""
    workdir = root / "muse-work"
    manifest = walk_workdir(workdir)
    for path, object_id in manifest.items():
        write_object_from_path(root, object_id, workdir / path)
    lines = "|".join(sorted(f"{path}:{object_id}" for path, object_id in manifest.items()))
    snapshot_id = hashlib.sha256(lines.encode()).hexdigest()
    commit_id = hashlib.sha256(f"|{snapshot_id}|{message}|now".encode()).hexdigest()
    database.execute("INSERT INTO muse_snapshots VALUES (?, ?, 'now')", (snapshot_id, json.dumps(manifest)))
    database.execute(
        "INSERT INTO muse_commits (commit_id, branch, snapshot_id, message) VALUES (?, 'main', ?, ?)",
        (commit_id, snapshot_id, message),
    )
    (root / ".muse" / "refs" / "heads" / "main").write_text(commit_id)


def head_manifest(root: pathlib.Path, database: sqlite3.Connection) -> Optional[Dict[str, str]]:
    """The files of the commit that the branch is at, or `None` when it has none."""
    commit_id = (root / ".muse" / "refs" / "heads" / "main").read_text().strip()
    if not commit_id:
        return None
    row = database.execute(
        "SELECT manifest FROM muse_commits JOIN muse_snapshots USING (snapshot_id) WHERE commit_id = ?", (commit_id,)
    ).fetchone()
    manifest: Dict[str, str] = json.loads(row[0])
    return manifest


def run(root: pathlib.Path) -> None:
    """Commit, change something, shelve it, look at the commit, bring the work back."""
    make_repository(root)
    database = sqlite3.connect(":memory:")
    try:
        database.executescript(TABLES)
        intro = root / "muse-work" / "tracks" / "piano" / "intro.mid"
        intro.parent.mkdir(parents=True)
        intro.write_bytes(b"as the client heard it")
        commit(root, database, "intro")
        intro.write_bytes(b"half of a better idea")
        intro.with_name("outro.mid").write_bytes(b"just begun")

        pushed = push_stash(root, message="new intro", head_manifest=head_manifest(root, database))
        print(f"{pushed.stash_ref}: {pushed.message}, {pushed.files_stashed} files, branch {pushed.branch}")
        assert pushed.head_restored and intro.read_bytes() == b"as the client heard it"
        assert not intro.with_name("outro.mid").exists()

        for entry in list_stash(root):
            print(f"stash@{{{entry.index}}}: {entry.message}: {', '.join(entry.manifest)}")

        popped = apply_stash(root, 0, drop=True)
        print(f"{popped.files_applied} files are back")
        assert popped.dropped and intro.read_bytes() == b"half of a better idea"
    finally:
        database.close()


def main() -> None:
    """Run in the directory that was named, or in one that goes afterwards."""
    if len(sys.argv) > 1:
        root = pathlib.Path(sys.argv[1])
        root.mkdir(parents=True, exist_ok=True)
        run(root)
        return
    with tempfile.TemporaryDirectory() as directory:
        run(pathlib.Path(directory))


if __name__ == "__main__":
    main()
