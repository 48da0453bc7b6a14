"""What the tests share: repositories, and the recorded behaviour of the reference."""

from __future__ import annotations

import hashlib
import json
import pathlib
import signal
from typing import Any, Callable, Dict, Iterator, Mapping

import pytest

#: Recorded once for all tests of this project: what Muse's own stash does, step by step.
GOLDEN = pathlib.Path(__file__).resolve().parents[3] / "tests" / "golden" / "muse-stash"


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> Iterator[None]:
    """A shell starts what runs in its background with SIGINT ignored, and Python then leaves it so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Repo:
    """A repository in Muse's layout, made by hand, as Muse's own tests make theirs."""

    def __init__(self, root: pathlib.Path, head: str = "refs/heads/main") -> None:
        self.root = root
        self.muse = root / ".muse"
        self.work = root / "muse-work"
        (self.muse / "refs" / "heads").mkdir(parents=True)
        (self.muse / "repo.json").write_text('{"repo_id": "1fb8-test", "schema_version": "1"}')
        (self.muse / "HEAD").write_text(head)
        (self.muse / "refs" / "heads" / "main").write_text("")
        self.work.mkdir()

    def write(self, files: Mapping[str, bytes]) -> None:
        for path, data in files.items():
            target = self.work / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)

    def put(self, data: bytes) -> str:
        """Put an object where Muse puts it."""
        name = sha256(data)
        path = self.object(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name

    def object(self, name: str) -> pathlib.Path:
        return self.muse / "objects" / name[:2] / name[2:]

    def tree(self) -> Dict[str, bytes]:
        return files_below(self.work)

    def objects(self) -> Dict[str, bytes]:
        return {path.replace("/", ""): data for path, data in files_below(self.muse / "objects").items()}

    def entries(self) -> Dict[str, str]:
        return {path: data.decode() for path, data in files_below(self.muse / "stash").items()}


def files_below(root: pathlib.Path) -> Dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def repo(tmp_path: pathlib.Path) -> Repo:
    return Repo(tmp_path / "album")


@pytest.fixture
def make_repo(tmp_path: pathlib.Path) -> Callable[..., Repo]:
    def make(name: str = "album", head: str = "refs/heads/main") -> Repo:
        return Repo(tmp_path / name, head)

    return make


def load_golden() -> Dict[str, Any]:
    cases = {path.stem: json.loads(path.read_text()) for path in sorted(GOLDEN.glob("*.json"))}
    assert len(cases) == 14, "a recorded case is missing"
    return cases


