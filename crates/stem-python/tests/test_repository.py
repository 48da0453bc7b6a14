"""The repository as an object."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sqlite3
from typing import Dict, List

import pytest

import stemvault
from conftest import Repo, sha256


def test_a_working_day(tmp_path: pathlib.Path) -> None:
    vault = stemvault.Repository.init(tmp_path / "album")
    assert vault.root == tmp_path / "album"
    assert vault.working_tree == tmp_path / "album" / "muse-work"
    assert repr(vault) == f"Repository({str(tmp_path / 'album')!r})"
    kick = vault.working_tree / "tracks" / "drums" / "kick.wav"
    kick.parent.mkdir(parents=True)
    kick.write_bytes(b"take one")

    assert vault.status().changes == (stemvault.Change("tracks/drums/kick.wav", "added"),)
    first = vault.snapshot("first", author="Ada")
    assert (first.files, first.branch, first.unchanged) == (1, "main", False)
    assert vault.snapshot().commit_id == first.commit_id

    kick.write_bytes(b"take two")
    status = vault.status()
    assert status.changes == (stemvault.Change("tracks/drums/kick.wav", "modified"),)
    assert (status.branch, status.commit_id, status.head_known) == ("main", first.commit_id, True)
    pushed = vault.push("harder", track="drums")
    assert (pushed.files_stashed, pushed.head_restored, pushed.bytes_stashed) == (1, True, 8)
    assert kick.read_bytes() == b"take one"

    (entry,) = vault.list()
    assert entry.stash_id == pushed.stash_id
    shown = vault.show()
    assert shown.entry == entry
    assert shown.files == (stemvault.ShownFile("tracks/drums/kick.wav", sha256(b"take two"), 8),)
    assert vault.apply(entry.stash_id).dropped is False
    assert kick.read_bytes() == b"take two"
    popped = vault.pop("stash@{0}")
    assert (popped.dropped, popped.bytes_applied, popped.left_alone) == (True, 8, ())
    assert vault.list() == []


def test_results_are_those_of_the_functions_and_more(repo: Repo) -> None:
    repo.write({"a": b"a"})
    (repo.work / "link").symlink_to("a")
    pushed = stemvault.Repository(repo.root).push()
    assert isinstance(pushed, stemvault.StashPushResult)
    (left,) = pushed.left_alone
    assert (left.path, left.reason, left.is_partial) == ("link", "symlink", False)
    assert left.message


def test_entries_are_named_in_three_ways(repo: Repo) -> None:
    vault = stemvault.Repository(repo.root)
    for name in ("first", "second", "third"):
        repo.write({name: name.encode()})
        vault.push(name)
    entries = vault.list()
    for ref in (1, "1", "stash@{1}", entries[1].stash_id, entries[1].stash_id[:-2]):
        assert vault.show(ref).entry == entries[1]
    assert vault.drop(entries[1].stash_id) == entries[1]
    assert vault.drop("1").message == "first"
    assert vault.drop().message == "third"
    for ref in (0, -1, "0", "stash-2026", "nonsense", ""):
        with pytest.raises(IndexError):
            vault.show(ref)
    assert vault.clear() == 0


def test_an_ambiguous_beginning_is_told(repo: Repo) -> None:
    vault = stemvault.Repository(repo.root)
    for name in ("first", "second"):
        repo.write({name: name.encode()})
        vault.push(name)
    with pytest.raises(stemvault.AmbiguousEntry):
        vault.show("stash-2")


def test_paths_and_keep(repo: Repo) -> None:
    files = {"mix/notes.txt": b"notes", "midi/a.mid": b"a", "b.mid": b"b"}
    repo.write(files)
    vault = stemvault.Repository(repo.root)
    result = vault.push(paths=["midi", pathlib.Path("mix/notes.txt")], keep=True)
    assert result.files_stashed == 2
    assert set(vault.list()[0].manifest) == {"midi/a.mid", "mix/notes.txt"}
    assert repo.tree() == files
    for wrong in (["../x"], ["/etc"], [""]):
        with pytest.raises(stemvault.InvalidInput):
            vault.push(paths=wrong)
    with pytest.raises(TypeError):
        vault.push(paths="midi")


def test_where_head_comes_from(repo: Repo) -> None:
    (repo.muse / "refs" / "heads" / "main").write_text("ab" * 32)
    repo.write({"a": b"wip"})
    vault = stemvault.Repository(repo.root)
    with pytest.raises(stemvault.HeadUnknown, match=r"\.muse/commits"):
        vault.push()
    with pytest.raises(ValueError):
        vault.push(head_manifest={}, no_head=True)
    assert vault.status().head_known is False
    assert vault.push(head_manifest={"a": repo.put(b"head")}).head_restored
    assert repo.tree() == {"a": b"head"}
    assert vault.push(no_head=True).head_restored is False
    assert repo.tree() == {}


def muse_database(repo: Repo, path: pathlib.Path, files: Dict[str, bytes]) -> str:
    """Muse's tables with one commit, where the branch stands; returns the commit."""
    manifest = {name: repo.put(data) for name, data in files.items()}
    snapshot = sha256("|".join(sorted(f"{name}:{oid}" for name, oid in manifest.items())).encode())
    commit = sha256(snapshot.encode())
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE muse_snapshots (snapshot_id VARCHAR(64) PRIMARY KEY, manifest JSON)")
        database.execute(
            "CREATE TABLE muse_commits (commit_id VARCHAR(64) PRIMARY KEY, repo_id VARCHAR(36),"
            " parent_commit_id VARCHAR(64), parent2_commit_id VARCHAR(64), snapshot_id VARCHAR(64))"
        )
        database.execute("INSERT INTO muse_snapshots VALUES (?, ?)", (snapshot, json.dumps(manifest)))
        database.execute("INSERT INTO muse_commits VALUES (?, '1fb8-test', NULL, NULL, ?)", (commit, snapshot))
    (repo.muse / "refs" / "heads" / "main").write_text(commit)
    return commit


def test_head_comes_from_muse_s_database(
    repo: Repo, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "muse.db"
    commit = muse_database(repo, path, {"a": b"head"})
    url = f"sqlite+aiosqlite:///{path}"
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(stemvault.HeadUnknown, match="database_url, or DATABASE_URL"):
        stemvault.Repository(repo.root).push(no_head=False)
    for opened in (
        stemvault.Repository(repo.root, url),
        stemvault.Repository(repo.root, database_url=url),
        stemvault.Repository.discover(repo.work, url),
    ):
        repo.write({"a": b"wip"})
        assert opened.push().head_restored
        assert repo.tree() == {"a": b"head"}
    monkeypatch.setenv("DATABASE_URL", url)
    repo.write({"a": b"wip"})
    vault = stemvault.Repository(repo.root)
    assert vault.status().commit_id == commit
    assert vault.push().head_restored
    assert vault.gc(dry_run=True).dry_run
    # Muse's own function is told by its caller.
    repo.write({"a": b"wip"})
    with pytest.raises(stemvault.HeadUnknown):
        stemvault.push_stash(repo.root)
    assert repo.tree() == {"a": b"wip"}


def test_databases_that_cannot_be_used(repo: Repo, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    muse_database(repo, tmp_path / "muse.db", {"a": b"head"})
    repo.write({"a": b"wip"})
    for url in ("mysql://u:hunter2@h/db", "postgresql://u:hunter2@h@i/db", "u:hunter2@h"):
        with pytest.raises(stemvault.InvalidInput) as wrong:
            stemvault.Repository(repo.root, url)
        assert wrong.value.kind == "invalid_database_url"
        assert "hunter2" not in str(wrong.value)
        monkeypatch.setenv("DATABASE_URL", url)
        with pytest.raises(ValueError, match="DATABASE_URL cannot be used") as late:
            stemvault.Repository(repo.root).push()
        assert "hunter2" not in repr(late.value)
    for url in ("sqlite:////nowhere/muse.db", "postgresql://u:hunter2@127.0.0.1:1/db"):
        with pytest.raises(stemvault.DatabaseError) as down:
            stemvault.Repository(repo.root, url).push()
        assert down.value.kind == "database_unavailable"
        assert "hunter2" not in repr(down.value)
    assert repo.tree() == {"a": b"wip"} and repo.entries() == {}


def test_verify_and_force(repo: Repo) -> None:
    repo.write({"a": b"sound", "b": b"b"})
    vault = stemvault.Repository(repo.root)
    vault.push()
    repo.object(sha256(b"sound")).write_bytes(b"spoil")
    popped = vault.pop()
    assert (popped.missing, popped.dropped) == (("a",), False)
    assert [left.reason for left in popped.left_alone] == ["corrupt"]
    assert not (repo.work / "a").exists()
    assert vault.pop(force=True).dropped


def test_what_is_no_repository(tmp_path: pathlib.Path) -> None:
    with pytest.raises(stemvault.NotARepository):
        stemvault.Repository(tmp_path)
    with pytest.raises(FileNotFoundError):
        stemvault.Repository.discover(tmp_path)
    stemvault.Repository.init(tmp_path)
    with pytest.raises(FileExistsError):
        stemvault.Repository.init(tmp_path)
    below = tmp_path / "muse-work" / "deep"
    below.mkdir()
    assert stemvault.Repository.discover(below).root == tmp_path


def test_discover_begins_here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stemvault.Repository.init(tmp_path)
    monkeypatch.chdir(tmp_path / "muse-work")
    assert stemvault.Repository.discover().root == tmp_path


def test_a_configuration_that_cannot_be_read(repo: Repo) -> None:
    (repo.muse / "stem").mkdir()
    (repo.muse / "stem" / "config.toml").write_text("colour = 'red'")
    with pytest.raises(stemvault.BadRepositoryFile) as raised:
        stemvault.Repository(repo.root)
    assert raised.value.path == str(repo.muse / "stem" / "config.toml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written(repo: Repo) -> None:
    repo.write({"a": b"a"})
    repo.muse.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            stemvault.push_stash(repo.root)
    finally:
        repo.muse.chmod(0o700)
    assert repo.tree() == {"a": b"a"}


def test_a_repository_of_newer_muse(tmp_path: pathlib.Path) -> None:
    muse = tmp_path / ".muse"
    (muse / "refs" / "heads").mkdir(parents=True)
    (muse / "objects").mkdir()
    (muse / "HEAD").write_text("ref: refs/heads/main\n")
    (muse / "refs" / "heads" / "main").write_text("")
    (muse / "repo.json").write_text(json.dumps({"repo_id": "x", "schema_version": "1", "domain": "midi"}))
    (tmp_path / ".museignore").write_text('[domain.midi]\npatterns = ["*.bak"]\n')
    for name in ["a.mid", "b.bak", ".peaks", ".env"]:
        (tmp_path / name).write_text(name)
    vault = stemvault.Repository(tmp_path)
    assert vault.working_tree == tmp_path
    assert vault.tracked_files() == [".museignore", ".peaks", "a.mid"]
    vault.push("one")
    (element,) = json.loads((muse / "stash.json").read_text())
    assert sorted(element) == ["branch", "manifest", "snapshot_id", "stashed_at"]
    assert element["manifest"]["a.mid"] == sha256(b"a.mid")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", ".muse", "b.bak"]
    assert [entry.message for entry in vault.list()] == ["one"]
    assert vault.pop().dropped
    assert json.loads((muse / "stash.json").read_text()) == []
    (tmp_path / ".museignore").write_text("*.bak")
    with pytest.raises(stemvault.BadRepositoryFile):
        vault.push()
    with pytest.raises(stemvault.BadRepositoryFile):
        vault.tracked_files()
