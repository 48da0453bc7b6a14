"""Hashing files, with Muse's signatures."""

from __future__ import annotations

import pathlib

from . import _native
from ._progress import chosen
from ._types import StrPath


def hash_file(path: StrPath) -> str:
    """Return the SHA-256 of a file's bytes, 64 lower-case hexadecimal digits: its object id.

    Args:
        path: The file, a path or a string.

    Raises:
        OSError: It cannot be read (``FileNotFoundError``, ``IsADirectoryError``, ...).
    """
    return _native.hash_file(pathlib.Path(path), progress=chosen(None))


def walk_workdir(workdir: StrPath) -> dict[str, str]:
    """Return path and object id of every file below ``workdir``.

    Paths are relative, with ``/``. Files whose own name starts with a dot are left out, and so are ``.muse``, ``.git`` and
    symbolic links. Files are hashed on all processors. A directory that is not there has no files.

    Args:
        workdir: The directory, a path or a string.
    """
    return _native.walk_workdir(pathlib.Path(workdir), progress=chosen(None))
