"""Entries in one file, from one repository to another."""

from __future__ import annotations

import pathlib

import pytest

import stemvault
from conftest import files_below


@pytest.fixture
def sender(tmp_path: pathlib.Path) -> stemvault.Repository:
    vault = stemvault.Repository.init(tmp_path / "sender")
    (vault.working_tree / "tracks").mkdir(parents=True)
    (vault.working_tree / "tracks" / "kick.wav").write_bytes(b"kick" * 5000)
    (vault.working_tree / "notes.txt").write_bytes(b"four bars")
    vault.push("chorus WIP")
    return vault


@pytest.fixture
def receiver(tmp_path: pathlib.Path) -> stemvault.Repository:
    return stemvault.Repository.init(tmp_path / "receiver")


def test_there_and_back(sender: stemvault.Repository, receiver: stemvault.Repository, tmp_path: pathlib.Path) -> None:
    phases = set()
    bundle = tmp_path / "chorus.stem"
    exported = sender.export_stash(0, bundle, progress=lambda progress: phases.add(progress.phase))
    assert (exported.files, exported.objects, exported.left_out, exported.resumed_bytes) == (2, 2, 0, 0)
    assert exported.bytes == bundle.stat().st_size < 20_000
    with pytest.raises(FileExistsError):
        sender.export_stash(0, bundle)
    assert sender.export_stash("stash@{0}", bundle, replace=True) == exported

    assert receiver.import_stash(bundle, dry_run=True).stash_id is None
    imported = receiver.import_stash(bundle)
    assert (imported.origin, imported.message, imported.added) == (exported.stash_id, "chorus WIP", True)
    assert receiver.import_stash(bundle).stash_id == imported.stash_id
    assert [entry.stash_id for entry in receiver.list()] == [imported.stash_id]
    receiver.pop()
    assert files_below(receiver.working_tree) == {"tracks/kick.wav": b"kick" * 5000, "notes.txt": b"four bars"}


def test_only_what_is_missing(
    sender: stemvault.Repository, receiver: stemvault.Repository, tmp_path: pathlib.Path
) -> None:
    receiver.store.put(b"four bars")
    bundle = tmp_path / "part.stem"
    assert sender.export_stash(0, bundle, have=receiver.store.list()).left_out == 1
    assert receiver.import_stash(bundle).objects_new == 1
    with pytest.raises(stemvault.MissingObjects):
        stemvault.Repository.init(tmp_path / "third").import_stash(bundle)
    with pytest.raises(ValueError):
        sender.export_stash(0, tmp_path / "other", have=["no id"])
    with pytest.raises(ValueError):
        sender.export_stash(0, tmp_path / "other", compression="lossy")


def test_what_is_no_sound_bundle(
    sender: stemvault.Repository, receiver: stemvault.Repository, tmp_path: pathlib.Path
) -> None:
    bundle = tmp_path / "chorus.stem"
    sender.export_stash(0, bundle)
    whole = bundle.read_bytes()
    for kind, damaged in [
        ("truncated_bundle", whole[:-1]),
        ("damaged_bundle", whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:]),
        ("not_a_bundle", b"RIFF" + whole[4:]),
    ]:
        bundle.write_bytes(damaged)
        with pytest.raises(stemvault.BadBundle) as caught:
            receiver.import_stash(bundle)
        assert caught.value.kind == kind
    assert receiver.list() == []
    with pytest.raises(FileNotFoundError):
        receiver.import_stash(tmp_path / "absent")
