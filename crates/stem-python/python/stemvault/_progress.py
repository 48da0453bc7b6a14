"""Progress for functions that take no callback."""

from __future__ import annotations

import contextlib
import contextvars
from typing import Iterator, Optional

from ._types import ProgressCallback

_callback: contextvars.ContextVar[Optional[ProgressCallback]] = contextvars.ContextVar("stemvault progress", default=None)


@contextlib.contextmanager
def watching(callback: Optional[ProgressCallback]) -> Iterator[None]:
    """Within the block, report the progress of every call that was not given a callback of its own.

    For the functions with Muse's signatures, which have no parameter for it::

        with stemvault.watching(lambda p: bar.update(p.bytes)):
            stemvault.push_stash(root, message="WIP", head_manifest=manifest)

    The callback gets a :class:`Progress` many times a second, on the thread that made the call. An exception that it raises
    stops the call where everything is consistent, and is raised by it.
    """
    token = _callback.set(callback)
    try:
        yield
    finally:
        _callback.reset(token)


def chosen(callback: Optional[ProgressCallback]) -> Optional[ProgressCallback]:
    """The callback that was given, else that of the block around the call."""
    return callback if callback is not None else _callback.get()
