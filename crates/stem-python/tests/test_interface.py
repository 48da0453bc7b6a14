"""Signatures, fields, exceptions and messages are those of Muse's module, which muse_interface.json records."""

from __future__ import annotations

import builtins
import dataclasses
import inspect
import json
import pathlib
import pickle
from typing import Any, Dict, List

import pytest

import stemvault
from conftest import Repo

INTERFACE = json.loads((pathlib.Path(__file__).parent / "muse_interface.json").read_text())


def parameters(function: Any) -> List[Dict[str, Any]]:
    rows = []
    for parameter in inspect.signature(function).parameters.values():
        row = {"name": parameter.name, "kind": parameter.kind.name}
        if parameter.default is not inspect.Parameter.empty:
            row["default"] = parameter.default
        rows.append(row)
    return rows


@pytest.mark.parametrize("name", INTERFACE["functions"])
def test_signatures(name: str) -> None:
    assert parameters(getattr(stemvault, name)) == INTERFACE["functions"][name]


@pytest.mark.parametrize("name", INTERFACE["returns"])
def test_annotated_results(name: str) -> None:
    assert inspect.signature(getattr(stemvault, name)).return_annotation == INTERFACE["returns"][name]


@pytest.mark.parametrize("name", INTERFACE["dataclasses"])
def test_dataclasses(name: str) -> None:
    cls = getattr(stemvault, name)
    assert [[field.name, field.type] for field in dataclasses.fields(cls)] == INTERFACE["dataclasses"][name]
    assert all(field.default is dataclasses.MISSING for field in dataclasses.fields(cls))
    values = range(len(dataclasses.fields(cls)))
    made = cls(*values)
    assert made == cls(*values)
    assert dataclasses.astuple(made) == tuple(values)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, dataclasses.fields(cls)[0].name, None)


def test_everything_public_has_a_docstring_and_is_listed() -> None:
    assert sorted(set(stemvault.__all__)) == sorted(stemvault.__all__)
    for name in stemvault.__all__:
        value = getattr(stemvault, name)
        if name == "__version__":
            continue
        assert inspect.getdoc(value), name
        if inspect.isclass(value):
            for member, function in inspect.getmembers(value, inspect.isfunction):
                if not member.startswith("_") and function.__module__.startswith("stemvault"):
                    assert inspect.getdoc(function), f"{name}.{member}"


def test_the_package_says_that_it_is_typed() -> None:
    package = pathlib.Path(stemvault.__file__).parent
    assert (package / "py.typed").exists()
    assert (package / "_native.pyi").exists()


@pytest.mark.parametrize(
    ("ours", "builtin"),
    [
        (stemvault.NoSuchEntry, IndexError),
        (stemvault.NotARepository, FileNotFoundError),
        (stemvault.AlreadyARepository, FileExistsError),
        (stemvault.InvalidInput, ValueError),
        (stemvault.WrongHash, ValueError),
        (stemvault.HeadUnknown, ValueError),
        (stemvault.UnreadableEntry, ValueError),
        (stemvault.CorruptObject, OSError),
        (stemvault.NoSpace, OSError),
        (stemvault.PermissionDenied, PermissionError),
        (stemvault.NotFound, FileNotFoundError),
    ],
)
def test_exceptions_are_also_those_that_python_programs_expect(ours: Any, builtin: Any) -> None:
    assert issubclass(ours, stemvault.StemvaultError)
    assert issubclass(ours, builtin)
    assert ours.__module__ == "stemvault"


def test_a_missing_entry_is_told_in_the_reference_s_words(repo: Repo) -> None:
    recorded = INTERFACE["errors"]["no_entry"]
    expected = getattr(builtins, recorded["type"])

    def check(index: int, count: int) -> None:
        for call in (
            lambda: stemvault.apply_stash(repo.root, index),
            lambda: stemvault.apply_stash(repo.root, index, drop=True),
            lambda: stemvault.drop_stash(repo.root, index),
        ):
            with pytest.raises(expected) as raised:
                call()
            assert str(raised.value) == recorded["text"] % (index, count)
            assert isinstance(raised.value, stemvault.NoSuchEntry)
            assert raised.value.kind == "no_such_entry"

    for index in (0, 1, -1, 2**70):
        if index < 2**63:
            check(index, 0)
    repo.write({"a": b"a"})
    stemvault.push_stash(repo.root)
    for index in (1, 5, -1):
        check(index, 1)


def test_without_a_repository_there_is_no_entry_and_nothing_to_push(tmp_path: pathlib.Path) -> None:
    assert stemvault.list_stash(tmp_path) == []
    assert stemvault.clear_stash(tmp_path) == 0
    for call in (stemvault.apply_stash, stemvault.drop_stash):
        with pytest.raises(IndexError) as missing:
            call(tmp_path, 0)
        assert str(missing.value) == "stash@{0} does not exist (stack has 0 entries)"
    with pytest.raises(FileNotFoundError) as raised:
        stemvault.push_stash(tmp_path)
    assert isinstance(raised.value, stemvault.NotARepository)
    assert raised.value.filename == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_repository_without_head_cannot_be_pushed(repo: Repo) -> None:
    (repo.muse / "HEAD").unlink()
    repo.write({"a": b"a"})
    with pytest.raises(FileNotFoundError) as raised:
        stemvault.push_stash(repo.root)
    assert isinstance(raised.value, stemvault.NotARepository)
    assert raised.value.filename == str(repo.muse / "HEAD")
    assert repo.tree() == {"a": b"a"}


def test_exceptions_travel_between_processes(repo: Repo) -> None:
    with pytest.raises(stemvault.NoSuchEntry) as missing:
        stemvault.apply_stash(repo.root, 3)
    with pytest.raises(stemvault.WrongHash) as wrong:
        stemvault.write_object(repo.root, "0" * 64, b"x")
    with pytest.raises(stemvault.NotFound) as absent:
        stemvault.hash_file(repo.root / "nothing")
    for raised in (missing, wrong, absent):
        error: Any = raised.value
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.kind, copy.path, copy.object_id) == (
            type(error),
            str(error),
            error.kind,
            error.path,
            error.object_id,
        )
