"""Every recorded case of the reference, replayed through the module: results, trees, objects, entry files."""

from __future__ import annotations

import base64
import builtins
import dataclasses
import json
from typing import Any, Callable, Dict, Optional

import pytest

import stemvault
from conftest import Repo, load_golden, sha256

CASES = load_golden()


def content(file: Dict[str, Any]) -> bytes:
    return file["text"].encode() if "text" in file else base64.b64decode(file["b64"])


def build(case: Dict[str, Any], repo: Repo) -> None:
    repo.write({path: content(file) for path, file in case["workdir"].items()})
    for path, file in (case.get("head") or {}).items():
        data = content(file)
        assert case["head_manifest"][path] == sha256(data)
        if not file.get("absent"):
            repo.put(data)


def push(repo: Repo, case: Dict[str, Any], step: Dict[str, Any]) -> stemvault.StashPushResult:
    given = {key: step[key] for key in ("message", "track", "section") if key in step}
    return stemvault.push_stash(repo.root, head_manifest=case.get("head_manifest"), **given)


def carry_out(repo: Repo, case: Dict[str, Any], step: Dict[str, Any]) -> Any:
    index = step.get("index", 0)
    op = step["op"]
    if op == "push":
        return push(repo, case, step)
    if op in ("apply", "pop"):
        return stemvault.apply_stash(repo.root, index, drop=op == "pop")
    if op == "drop":
        return stemvault.drop_stash(repo.root, index)
    if op == "clear":
        return stemvault.clear_stash(repo.root)
    raise AssertionError(f"unknown step {op}")


def expected_of(op: str, recorded: Dict[str, Any]) -> Optional[Any]:
    """The recorded result as the dataclass that the reference returned."""
    fields: Dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in recorded.items()}
    if op == "push":
        return stemvault.StashPushResult(**fields)
    if op in ("apply", "pop"):
        return stemvault.StashApplyResult(**fields)
    return None


@pytest.mark.parametrize("name", CASES)
def test_replay(name: str, make_repo: Callable[..., Repo]) -> None:
    case = CASES[name]
    repo = make_repo(name, case.get("head_ref") or "refs/heads/main")
    build(case, repo)
    for number, step in enumerate(case["steps"]):
        at = f"{name}, step {number} ({step['op']})"
        if step["op"] == "write":
            repo.write({path: content(file) for path, file in step["files"].items()})
        elif "error" in step:
            error = getattr(builtins, step["error"]["kind"])
            with pytest.raises(error) as raised:
                carry_out(repo, case, step)
            assert str(raised.value) == step["error"]["text"], at
        else:
            result = carry_out(repo, case, step)
            check_result(at, step, result)
        check_after(at, repo, step)


def check_result(at: str, step: Dict[str, Any], result: Any) -> None:
    expected = expected_of(step["op"], step["result"])
    if expected is not None:
        assert type(result) is type(expected), at
        assert result == expected, at
    elif step["op"] == "clear":
        assert result == step["result"]["count"], at
    else:
        for key, value in step["result"].items():
            assert getattr(result, key) == value, at


def check_after(at: str, repo: Repo, step: Dict[str, Any]) -> None:
    if "workdir_after" in step:
        tree = {path: {"size": len(data), "sha256": sha256(data)} for path, data in repo.tree().items()}
        assert tree == step["workdir_after"], at
    if "objects_after" in step:
        objects = repo.objects()
        assert all(sha256(data) == name for name, data in objects.items()), at
        assert {name: len(data) for name, data in objects.items()} == step["objects_after"], at
    if "entries_after" in step:
        listed = [dataclasses.asdict(entry) for entry in stemvault.list_stash(repo.root)]
        recorded = step["entries_after"]
        assert [{key: entry[key] for key in theirs} for entry, theirs in zip(listed, recorded)] == recorded, at
        assert len(listed) == len(recorded), at
        for entry in listed:
            assert f"{entry['stash_id']}.json" in repo.entries(), at
    if "entry_files_after" in step:
        ours = [neutral(name, text) for name, text in sorted(repo.entries().items())]
        theirs = sorted((file["name"], file["text"]) for file in step["entry_files_after"])
        assert ours == [neutral(name, text) for name, text in theirs], at


def neutral(name: str, text: str) -> str:
    """An entry file without what must differ: its id and time, and the last key, `stem`, of this engine."""
    entry = json.loads(text)
    assert name == f"{entry['stash_id']}.json"
    text = text.replace(entry["stash_id"], "<id>").replace(entry["created_at"], "<time>")
    ours = text.find(',\n  "stem": ')
    return text if ours < 0 else text[:ours] + "\n}"


@pytest.mark.parametrize("name", CASES)
def test_what_the_reference_left_behind_is_used(name: str, make_repo: Callable[..., Repo]) -> None:
    case = CASES[name]
    left = next((step for step in case["steps"] if step.get("entry_files_after")), None)
    if left is None:
        return
    repo = make_repo(name)
    build(case, repo)
    saved = repo.tree()
    for data in saved.values():
        repo.put(data)
    stash = repo.muse / "stash"
    stash.mkdir()
    for file in left["entry_files_after"]:
        (stash / file["name"]).write_text(file["text"])
    for path in saved:
        (repo.work / path).unlink()

    entries = stemvault.list_stash(repo.root)
    assert len(entries) == len(left["entry_files_after"])
    for entry in entries:
        theirs = json.loads((stash / f"{entry.stash_id}.json").read_text())
        assert {key: getattr(entry, key) for key in theirs} == theirs
    result = stemvault.apply_stash(repo.root, drop=True)
    assert (result.files_applied, result.missing, result.dropped) == (len(entries[0].manifest), (), True)
    assert all(saved[path] == data for path, data in repo.tree().items())
    assert stemvault.list_stash(repo.root) == [
        dataclasses.replace(entry, index=entry.index - 1) for entry in entries[1:]
    ]


