"""What the reference's documentation promises, and what this engine does otherwise on purpose."""

from __future__ import annotations

import json
import logging
import os
import pathlib
import stat
from typing import Any, Dict

import pytest

import stemvault
from conftest import Repo, sha256


def test_a_push_saves_and_a_pop_brings_back_every_byte(repo: Repo) -> None:
    files = {"beat.mid": b"wip", "tracks/bass/di.wav": os.urandom(70_000), "empty": b"", "a/b/c/d.json": b"{}"}
    repo.write(files)
    os.utime(repo.work / "beat.mid", ns=(1_600_000_000_123_456_789, 1_600_000_000_123_456_789))
    (repo.work / "beat.mid").chmod(0o640)
    pushed = stemvault.push_stash(repo.root, message="WIP chorus")
    assert pushed == stemvault.StashPushResult("stash@{0}", "WIP chorus", "main", 4, False, ())
    assert repo.tree() == {}
    assert repo.objects() == {sha256(data): data for data in files.values()}
    popped = stemvault.apply_stash(repo.root, 0, drop=True)
    assert popped == stemvault.StashApplyResult("stash@{0}", "WIP chorus", 4, (), True)
    assert repo.tree() == files
    found = (repo.work / "beat.mid").stat()
    assert (found.st_mtime_ns, stat.S_IMODE(found.st_mode)) == (1_600_000_000_123_456_789, 0o640)
    assert stemvault.list_stash(repo.root) == []


def test_roots_are_paths_or_strings(repo: Repo) -> None:
    repo.write({"a": b"a"})
    assert stemvault.push_stash(str(repo.root)).files_stashed == 1
    assert len(stemvault.list_stash(str(repo.root))) == 1
    assert stemvault.apply_stash(str(repo.root)).files_applied == 1
    assert stemvault.drop_stash(str(repo.root), 0).message == "On main: stash"
    assert stemvault.clear_stash(str(repo.root)) == 0


def test_the_default_message_names_the_whole_branch(repo: Repo) -> None:
    (repo.muse / "HEAD").write_text("refs/heads/mix/vocals\n")
    for message in (None, ""):
        repo.write({"a": b"a"})
        result = stemvault.push_stash(repo.root, message=message)
        assert (result.message, result.branch) == ("On mix/vocals: stash", "mix/vocals")


def test_head_comes_back(repo: Repo) -> None:
    head = {"beat.mid": repo.put(b"committed"), "gone.mid": repo.put(b"deleted"), "lost.mid": sha256(b"nowhere")}
    repo.write({"beat.mid": b"wip", "new.mid": b"new", ".DS_Store": b"hidden"})
    result = stemvault.push_stash(repo.root, head_manifest=head)
    assert (result.head_restored, result.missing_head, result.files_stashed) == (True, ("lost.mid",), 2)
    assert repo.tree() == {"beat.mid": b"committed", "gone.mid": b"deleted", ".DS_Store": b"hidden"}


@pytest.mark.parametrize(
    ("scope", "saved"),
    [
        ({"track": "drums"}, {"tracks/drums/kick.wav"}),
        ({"section": "chorus"}, {"sections/chorus/a.mid"}),
        ({"track": "drums", "section": "chorus"}, {"tracks/drums/kick.wav", "sections/chorus/a.mid"}),
        ({"track": "", "section": ""}, None),
        ({"track": "drum"}, set()),
    ],
)
def test_scopes(repo: Repo, scope: Dict[str, str], saved: Any) -> None:
    files = {
        "tracks/drums/kick.wav": b"kick",
        "tracks/drums2/kick.wav": b"other",
        "sections/chorus/a.mid": b"chorus",
        "notes.txt": b"notes",
    }
    repo.write(files)
    head = {"tracks/drums/kick.wav": repo.put(b"old kick"), "notes.txt": repo.put(b"old notes")}
    result = stemvault.push_stash(repo.root, head_manifest=head, **scope)
    if saved == set():
        assert result == stemvault.StashPushResult("", "", "main", 0, False, ())
        assert repo.tree() == files
        return
    (entry,) = stemvault.list_stash(repo.root)
    assert set(entry.manifest) == (saved or set(files))
    assert (entry.track, entry.section) == (scope.get("track") or None, scope.get("section") or None)
    if saved:
        expected = {path: data for path, data in files.items() if path not in saved}
        expected.update({"tracks/drums/kick.wav": b"old kick"} if "tracks/drums/kick.wav" in saved else {})
        assert repo.tree() == expected
    else:
        assert repo.tree() == {"tracks/drums/kick.wav": b"old kick", "notes.txt": b"old notes"}


def test_apply_keeps_the_entry_and_leaves_other_paths_alone(repo: Repo) -> None:
    repo.write({"a": b"saved"})
    stemvault.push_stash(repo.root)
    repo.write({"a": b"newer", "b": b"other"})
    result = stemvault.apply_stash(repo.root)
    assert (result.files_applied, result.dropped) == (1, False)
    assert repo.tree() == {"a": b"saved", "b": b"other"}
    assert len(stemvault.list_stash(repo.root)) == 1


def test_the_stack_is_newest_first(repo: Repo) -> None:
    for name in ("first", "second", "third"):
        repo.write({name: name.encode()})
        stemvault.push_stash(repo.root, message=name)
    entries = stemvault.list_stash(repo.root)
    assert [(entry.index, entry.message) for entry in entries] == [(0, "third"), (1, "second"), (2, "first")]
    assert stemvault.drop_stash(repo.root, 1) == entries[1]
    assert stemvault.drop_stash(repo.root, index=1) == entries[2].__class__(
        **{**entries[2].__dict__, "index": 1}
    )
    assert stemvault.clear_stash(repo.root) == 1
    assert stemvault.clear_stash(repo.root) == 0


def test_missing_objects_are_reported(repo: Repo, caplog: pytest.LogCaptureFixture) -> None:
    repo.write({"a": b"a", "b": b"b"})
    stemvault.push_stash(repo.root)
    repo.object(sha256(b"a")).unlink()
    with caplog.at_level(logging.WARNING, "stemvault"):
        result = stemvault.apply_stash(repo.root, drop=True)
    assert result == stemvault.StashApplyResult("stash@{0}", "On main: stash", 1, ("a",), False)
    assert "a is not in the store" in caplog.text
    assert len(stemvault.list_stash(repo.root)) == 1, "an incomplete pop keeps the entry"


def test_no_manifest_where_the_branch_has_a_commit_is_an_error_that_changes_nothing(repo: Repo) -> None:
    (repo.muse / "refs" / "heads" / "main").write_text("ab" * 32)
    repo.write({"a": b"precious"})
    with pytest.raises(stemvault.HeadUnknown, match="head_manifest") as raised:
        stemvault.push_stash(repo.root)
    assert isinstance(raised.value, ValueError)
    assert raised.value.kind == "head_unknown"
    assert (repo.tree(), repo.objects(), repo.entries()) == ({"a": b"precious"}, {}, {})
    assert stemvault.push_stash(repo.root, head_manifest={}).files_stashed == 1
    assert repo.tree() == {}


def test_no_manifest_is_an_error_also_where_the_commit_is_recorded_in_files(repo: Repo) -> None:
    repo.write({"a": b"one"})
    stemvault.Repository(repo.root).snapshot("first")
    repo.write({"a": b"two"})
    with pytest.raises(stemvault.HeadUnknown):
        stemvault.push_stash(repo.root)
    assert repo.tree() == {"a": b"two"}
    assert stemvault.push_stash(repo.root, head_manifest={"a": sha256(b"one")}).head_restored
    assert repo.tree() == {"a": b"one"}


@pytest.mark.parametrize(
    "manifest",
    [
        {"../outside": "0" * 64},
        {"/etc/passwd": "0" * 64},
        {".muse/HEAD": "0" * 64},
        {"a/.GIT/config": "0" * 64},
        {"a": "0" * 63},
        {"a": "A" * 64},
        {"a": "0" * 64, "a/b": "0" * 64},
        {"a": None},
    ],
)
def test_manifests_that_cannot_be_written_are_refused(repo: Repo, manifest: Any) -> None:
    repo.write({"a": b"a"})
    with pytest.raises(ValueError) as raised:
        stemvault.push_stash(repo.root, head_manifest=manifest)
    assert isinstance(raised.value, stemvault.InvalidInput)
    assert (repo.tree(), repo.entries()) == ({"a": b"a"}, {})


def test_a_broken_entry_keeps_its_place_and_can_be_dropped(repo: Repo) -> None:
    for name in ("first", "second", "third"):
        repo.write({name: name.encode()})
        stemvault.push_stash(repo.root, message=name)
    second = stemvault.list_stash(repo.root)[1]
    (repo.muse / "stash" / f"{second.stash_id}.json").write_text("{ torn")
    entries = stemvault.list_stash(repo.root)
    assert [entry.index for entry in entries] == [0, 1, 2]
    broken = entries[1]
    assert isinstance(broken, stemvault.BrokenStashEntry)
    assert broken.reason and broken.reason in broken.message
    with pytest.raises(stemvault.UnreadableEntry):
        stemvault.apply_stash(repo.root, 1)
    assert stemvault.apply_stash(repo.root, 0).files_applied == 1
    assert stemvault.drop_stash(repo.root, 1) == broken
    assert [entry.message for entry in stemvault.list_stash(repo.root)] == ["third", "first"]


def test_links_are_left_alone_and_named_in_a_warning(repo: Repo, caplog: pytest.LogCaptureFixture) -> None:
    outside = repo.root / "outside.wav"
    outside.write_bytes(b"outside")
    (repo.work / "link.wav").symlink_to(outside)
    repo.write({"a": b"a"})
    with caplog.at_level(logging.WARNING, "stemvault"):
        assert stemvault.push_stash(repo.root).files_stashed == 1
    assert "link.wav" in caplog.text
    assert (repo.work / "link.wav").is_symlink() and outside.read_bytes() == b"outside"


def test_names_that_are_no_text_come_and_go(repo: Repo) -> None:
    name = os.fsdecode(b"take-\xff\xfe.wav")
    try:
        repo.write({name: b"bytes", "\u00e4/\U0001f3b9.mid": b"text"})
    except OSError:
        pytest.skip("this file system wants names in UTF-8")
    before = repo.tree()
    head = {name: repo.put(b"head")}
    assert stemvault.push_stash(repo.root, head_manifest=head, message="\U0001f3b9 \u00e4").head_restored
    (entry,) = stemvault.list_stash(repo.root)
    assert set(entry.manifest) == set(before)
    assert entry.message == "\U0001f3b9 \u00e4"
    raw = json.loads(next(iter(repo.entries().values())))
    assert raw["manifest"] == entry.manifest
    assert repo.tree() == {name: b"head"}
    stemvault.apply_stash(repo.root, drop=True)
    assert repo.tree() == before


def test_a_working_tree_that_is_not_there_has_nothing_to_save(repo: Repo) -> None:
    repo.work.rmdir()
    assert stemvault.push_stash(repo.root) == stemvault.StashPushResult("", "", "main", 0, False, ())
    assert not repo.work.exists()
    assert not (repo.muse / "stash").exists()


def test_a_root_may_be_reached_through_a_link(repo: Repo, tmp_path: pathlib.Path) -> None:
    repo.write({"a": b"a"})
    stemvault.push_stash(repo.root)
    alias = tmp_path / "alias"
    alias.symlink_to(repo.root)
    assert stemvault.list_stash(alias) == stemvault.list_stash(repo.root)
