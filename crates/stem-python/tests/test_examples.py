"""The examples and the documentation's code do what they say."""

from __future__ import annotations

import pathlib
import re
import runpy
import sys
from typing import List, Tuple

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "examples" / "python").glob("*.py"))


def blocks() -> List[Tuple[str, str]]:
    """The Python code in the documentation, with the name of its page and its place."""
    found = []
    for page in (ROOT / "README.md", ROOT / "docs" / "python.md"):
        for code in re.finditer(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            line = page.read_text(encoding="utf-8").count("\n", 0, code.start()) + 1
            found.append((f"{page.name}:{line}", code.group(1)))
    return found


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2
    assert len(blocks()) >= 3


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples(path: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(path), str(tmp_path / "work")])
    runpy.run_path(str(path), run_name="__main__")
    assert any((tmp_path / "work").iterdir())


@pytest.mark.parametrize(("where", "code"), blocks(), ids=[where for where, _ in blocks()])
def test_documentation(where: str, code: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, where, "exec"), {"__name__": "documentation"})
