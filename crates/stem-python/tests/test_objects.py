"""The functions of Muse's object store, and hashing."""

from __future__ import annotations

import os
import pathlib
import stat

import pytest

import stemvault
from conftest import Repo, sha256

NOT_IDS = ["", "a", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "../" + "0" * 61, "0" * 63 + "\u0660", " " + "0" * 63]


def test_paths_are_those_of_muse(repo: Repo) -> None:
    name = "ab" + "c" * 62
    assert stemvault.objects_dir(repo.root) == repo.root / ".muse" / "objects"
    assert stemvault.object_path(repo.root, name) == repo.root / ".muse" / "objects" / "ab" / ("c" * 62)
    assert stemvault.object_path(str(repo.root), name) == stemvault.object_path(repo.root, name)


@pytest.mark.parametrize("name", NOT_IDS)
def test_what_is_no_id_is_a_value_error(repo: Repo, name: str) -> None:
    source = repo.root / "source"
    source.write_bytes(b"x")
    for call in (
        lambda: stemvault.object_path(repo.root, name),
        lambda: stemvault.has_object(repo.root, name),
        lambda: stemvault.read_object(repo.root, name),
        lambda: stemvault.write_object(repo.root, name, b"x"),
        lambda: stemvault.write_object_from_path(repo.root, name, source),
        lambda: stemvault.restore_object(repo.root, name, repo.root / "target"),
    ):
        with pytest.raises(ValueError) as raised:
            call()
        assert isinstance(raised.value, stemvault.InvalidInput)
    assert not (repo.root / "target").exists()
    assert repo.objects() == {}


def test_bytes_are_written_once(repo: Repo) -> None:
    for data in (b"", b"kick", os.urandom(3_000_000)):
        name = sha256(data)
        assert not stemvault.has_object(repo.root, name)
        assert stemvault.read_object(repo.root, name) is None
        assert stemvault.write_object(repo.root, name, data) is True
        assert stemvault.write_object(repo.root, name, data) is False
        assert stemvault.has_object(repo.root, name)
        assert stemvault.read_object(repo.root, name) == data
        assert repo.object(name).read_bytes() == data
    below = {path.name for path in (repo.muse / "objects").rglob("*") if path.is_file()}
    assert all(len(name) == 62 for name in below), "no temporary file stays"


def test_a_repository_that_is_only_a_directory_gets_its_store(tmp_path: pathlib.Path) -> None:
    name = sha256(b"x")
    assert not stemvault.has_object(tmp_path, name)
    assert stemvault.read_object(tmp_path, name) is None
    assert stemvault.restore_object(tmp_path, name, tmp_path / "x") is False
    assert list(tmp_path.iterdir()) == []
    assert stemvault.write_object(tmp_path, name, b"x")
    assert stemvault.object_path(tmp_path, name).read_bytes() == b"x"


def test_bytes_under_a_wrong_id_are_refused(repo: Repo) -> None:
    source = repo.root / "source"
    source.write_bytes(b"other")
    name = sha256(b"this")
    with pytest.raises(ValueError, match="integrity") as bytes_error:
        stemvault.write_object(repo.root, name, b"other")
    with pytest.raises(ValueError, match="integrity") as file_error:
        stemvault.write_object_from_path(repo.root, name, source)
    for raised in (bytes_error, file_error):
        assert isinstance(raised.value, stemvault.WrongHash)
        assert raised.value.object_id == name
        assert name in str(raised.value) and sha256(b"other") in str(raised.value)
    assert repo.objects() == {}
    assert source.read_bytes() == b"other"


def test_files_are_written_with_their_time_and_permissions(repo: Repo) -> None:
    source = repo.root / "take.wav"
    source.write_bytes(b"RIFF" * 1000)
    source.chmod(0o640)
    os.utime(source, ns=(1_500_000_000_000_000_007, 1_500_000_000_000_000_007))
    name = stemvault.hash_file(source)
    assert name == sha256(b"RIFF" * 1000)
    assert stemvault.write_object_from_path(repo.root, name, source) is True
    assert stemvault.write_object_from_path(repo.root, name, str(source)) is False
    target = repo.root / "some" / "where" / "take.wav"
    assert stemvault.restore_object(repo.root, name, target) is True
    for path in (repo.object(name), target):
        found = path.stat()
        assert path.read_bytes() == source.read_bytes()
        assert (found.st_mtime_ns, stat.S_IMODE(found.st_mode)) == (1_500_000_000_000_000_007, 0o640)
    with pytest.raises(FileNotFoundError):
        stemvault.write_object_from_path(repo.root, name, repo.root / "absent")
    with pytest.raises(IsADirectoryError):
        stemvault.write_object_from_path(repo.root, name, repo.root)


def test_a_restored_file_replaces_what_was_there_and_no_link_is_written_through(repo: Repo) -> None:
    name = repo.put(b"object")
    outside = repo.root / "outside"
    outside.write_bytes(b"outside")
    link = repo.root / "link"
    link.symlink_to(outside)
    assert stemvault.restore_object(repo.root, name, link)
    assert (link.is_symlink(), link.read_bytes(), outside.read_bytes()) == (False, b"object", b"outside")


def test_damage_is_told_and_repaired_by_writing_again(repo: Repo) -> None:
    name = repo.put(b"sound object")
    repo.object(name).write_bytes(b"rotten bytes")
    target = repo.root / "target"
    target.write_bytes(b"as it was")
    with pytest.raises(stemvault.CorruptObject) as raised:
        stemvault.read_object(repo.root, name)
    assert isinstance(raised.value, OSError)
    assert raised.value.object_id == name
    with pytest.raises(stemvault.CorruptObject):
        stemvault.restore_object(repo.root, name, target)
    assert target.read_bytes() == b"as it was"
    assert sorted(path.name for path in repo.root.iterdir()) == [".muse", "muse-work", "target"]
    assert stemvault.write_object(repo.root, name, b"sound object") is True
    assert stemvault.read_object(repo.root, name) == b"sound object"


def test_hash_file(repo: Repo) -> None:
    for data in (b"", b"abc", os.urandom(5_000_001)):
        path = repo.root / "file"
        path.write_bytes(data)
        assert stemvault.hash_file(path) == stemvault.hash_file(str(path)) == sha256(data)
    with pytest.raises(FileNotFoundError) as raised:
        stemvault.hash_file(repo.root / "absent")
    assert raised.value.filename == str(repo.root / "absent")
    with pytest.raises(IsADirectoryError):
        stemvault.hash_file(repo.root)


def test_walk_workdir(repo: Repo) -> None:
    files = {
        "a.mid": b"a",
        "b/c.mid": b"c",
        "b.mid": b"b",
        ".hidden": b"h",
        ".cache/peaks": b"p",
        ".git/config": b"g",
        "d/.MUSE/x": b"m",
    }
    repo.write(files)
    (repo.work / "link").symlink_to("a.mid")
    (repo.work / "loop").symlink_to(".")
    taken = {"a.mid", "b/c.mid", "b.mid", ".cache/peaks"}
    expected = {path: sha256(data) for path, data in files.items() if path in taken}
    assert stemvault.walk_workdir(repo.work) == stemvault.walk_workdir(str(repo.work)) == expected
    assert list(stemvault.walk_workdir(repo.work)) == sorted(expected)
    assert stemvault.walk_workdir(repo.work / "absent") == {}


def test_a_walk_is_what_a_push_saves(repo: Repo) -> None:
    repo.write({f"tracks/{n % 7}/{n}.mid": os.urandom(n) for n in range(300)})
    walked = stemvault.walk_workdir(repo.work)
    stemvault.push_stash(repo.root)
    assert stemvault.list_stash(repo.root)[0].manifest == walked
