"""Conflicts, undo, garbage collection, verification."""

from __future__ import annotations

import datetime

import pytest

import stemvault
from conftest import Repo, sha256


@pytest.fixture
def vault(repo: Repo) -> stemvault.Repository:
    return stemvault.Repository(repo.root)


def test_newer_work_is_replaced_kept_beside_or_in_the_way(repo: Repo, vault: stemvault.Repository) -> None:
    repo.write({"kick.wav": b"saved"})
    vault.push("saved")
    newer = {"kick.wav": b"newer work"}
    repo.write(newer)
    with pytest.raises(stemvault.Conflict) as raised:
        vault.apply(on_conflict="fail")
    assert raised.value.kind == "conflict"
    assert repo.tree() == newer
    with pytest.raises(stemvault.InvalidInput):
        vault.apply(on_conflict="perhaps")

    planned = vault.apply(dry_run=True)
    assert [(step.path, step.action, step.conflict) for step in planned.plan] == [("kick.wav", "replace", True)]
    assert repo.tree() == newer

    both = vault.apply(on_conflict="keep-both")
    ((path, beside),) = both.kept_both
    assert path == "kick.wav"
    assert repo.tree() == {"kick.wav": b"newer work", beside: b"saved"}
    (repo.work / beside).unlink()

    assert vault.apply().overwritten == ("kick.wav",)
    assert repo.tree() == {"kick.wav": b"saved"}
    vault.undo()
    assert repo.tree() == newer


def test_a_part_of_an_entry(repo: Repo, vault: stemvault.Repository) -> None:
    repo.write({"a/1.mid": b"1", "a/2.mid": b"2", "b.mid": b"b"})
    vault.push()
    assert vault.apply(paths=["a"]).files_applied == 2
    assert set(repo.tree()) == {"a/1.mid", "a/2.mid"}
    with pytest.raises(stemvault.NoSuchPath):
        vault.apply(paths=["c"])
    with pytest.raises(TypeError):
        vault.apply(paths="a")


def test_everything_can_be_undone_and_done_again(repo: Repo, vault: stemvault.Repository) -> None:
    with pytest.raises(LookupError) as nothing:
        vault.undo()
    assert isinstance(nothing.value, stemvault.NothingToUndo)
    assert vault.undo_list() == []
    repo.write({"a": b"a", "b": b"b"})
    vault.push("work")
    undone = vault.undo()
    assert (undone.verb, undone.redo, undone.message, undone.files_restored) == ("push", False, "work", 2)
    assert [moved.on_stack for moved in undone.entries] == [False]
    assert repo.tree() == {"a": b"a", "b": b"b"}
    (step,) = vault.undo_list()
    assert (step.verb, step.undone, step.steps, step.files) == ("push", True, 1, 2)
    assert step.at is not None and step.at.tzinfo is datetime.timezone.utc
    assert step.expires is None or step.expires > step.at
    assert vault.redo().redo
    assert repo.tree() == {}
    entries = vault.list()
    stemvault.clear_stash(repo.root)
    assert vault.list() == []
    assert vault.undo().verb == "clear"
    assert vault.list() == entries
    assert vault.undo(dry_run=True).plan
    assert vault.list() == entries


def test_what_nothing_needs_goes_after_the_grace(repo: Repo, vault: stemvault.Repository) -> None:
    repo.write({"a": b"needed"})
    vault.push()
    unneeded = repo.put(b"unneeded")
    planned = vault.gc(dry_run=True)
    assert (planned.dry_run, planned.objects) == (True, 2)
    first = vault.gc()
    assert (first.removed, [waits.object_id for waits in first.waiting]) == ((), [unneeded])
    assert (first.waiting[0].size, first.waiting[0].since.tzinfo) == (8, datetime.timezone.utc)
    second = vault.gc(grace="0")
    assert [gone.object_id for gone in second.removed] == [unneeded]
    assert set(repo.objects()) == {sha256(b"needed")}
    with pytest.raises(ValueError):
        vault.gc(grace="soon")


def test_nothing_is_removed_while_it_is_unknown_what_is_needed(repo: Repo, vault: stemvault.Repository) -> None:
    repo.put(b"unneeded")
    (repo.muse / "stash").mkdir()
    (repo.muse / "stash" / "stash-2026-11-22T083413597654Z0000-e7650088.json").write_text("{ torn")
    with pytest.raises(stemvault.RootUnreadable):
        vault.gc(grace="0")
    assert len(repo.objects()) == 1


def test_damage_is_found_and_repaired(repo: Repo, vault: stemvault.Repository) -> None:
    repo.write({"a": b"sound"})
    vault.push()
    assert not vault.verify().is_damaged
    name = sha256(b"sound")
    repo.object(name).write_bytes(b"spoil")
    result = vault.verify()
    assert result.is_damaged
    (damaged,) = result.damaged
    assert (damaged.object_id, damaged.problem, damaged.affected_count >= 1) == (name, "damaged", True)
    assert ("stash@{0}", "a") in damaged.affected
    repo.write({"elsewhere": b"sound"})
    repaired = vault.verify(repair=True)
    assert not repaired.is_damaged
    assert repaired.damaged[0].healed_from and repaired.damaged[0].quarantined is not None
    assert repo.objects()[name] == b"sound"


def test_the_working_tree_is_compared_when_asked(repo: Repo, vault: stemvault.Repository) -> None:
    repo.write({"a": b"one"})
    vault.snapshot("first")
    repo.write({"a": b"two!"})
    assert vault.verify().changes == ()
    assert vault.verify(worktree=True).changes == (stemvault.Change("a", "modified"),)
