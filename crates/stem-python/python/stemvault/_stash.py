"""The stash with Muse's signatures.

Where Muse's stash loses data these functions do otherwise; docs/python.md lists how.
"""

from __future__ import annotations

import operator
import os
import pathlib
from typing import NoReturn, Optional

from . import _native
from ._errors import NotARepository, NoSuchEntry, Refused, make
from ._repository import apply_native, drop_native, entry_of, push_native
from ._types import LeftAlone, StashApplyResult, StashEntry, StashPushResult, StrPath, logger


def list_stash(root: StrPath) -> list[StashEntry]:
    """Return all stash entries, newest first (index 0 is the newest).

    An entry whose file cannot be read is a :class:`BrokenStashEntry` in its place. Without a stash, or without a
    repository, the list is empty.

    Args:
        root: The repository's root, a path or a string.
    """
    vault = _open(root)
    return [] if vault is None else [entry_of(row) for row in vault.entries()]


def drop_stash(root: StrPath, index: int) -> StashEntry:
    """Remove the entry at ``index`` and return it.

    Args:
        root: The repository's root, a path or a string.
        index: Position in the stack; 0 is the newest.

    Raises:
        IndexError: There is no such entry (:class:`NoSuchEntry`).
    """
    vault = _open(root)
    index = _checked(vault, index)
    if vault is None:
        _no_such_entry(index, 0)
    entry = drop_native(vault, index)
    logger.info("dropped stash@{%d}: %s", index, entry.message)
    return entry


def clear_stash(root: StrPath) -> int:
    """Remove all entries and return their number.

    Args:
        root: The repository's root, a path or a string.
    """
    vault = _open(root)
    count = 0 if vault is None else vault.clear()
    if count:
        logger.info("dropped all %d stash entries", count)
    return count


def push_stash(
    root: StrPath,
    *,
    message: Optional[str] = None,
    track: Optional[str] = None,
    section: Optional[str] = None,
    head_manifest: Optional[dict[str, str]] = None,
) -> StashPushResult:
    """Save the working tree, or a part of it, to the stash and bring HEAD back.

    A full push leaves the working tree as HEAD, a scoped one touches scoped paths only. Dot-files are neither saved nor
    removed. Nothing is removed before it is saved durably; a file that changes meanwhile, or that another program writes
    to, stays in the working tree and is named in a warning of the logger ``stemvault``.

    Args:
        root: The repository's root, a path or a string.
        message: The label; ``On <branch>: stash`` when it is ``None`` or empty.
        track: Only ``tracks/<track>/``; with ``section`` both are saved.
        section: Only ``sections/<section>/``.
        head_manifest: Path and object id of each file of HEAD. ``None`` means that the branch has no commits: a full push
            then leaves the working tree empty, a scoped one leaves it as it is.

    Raises:
        FileNotFoundError: There is no repository (:class:`NotARepository`).
        HeadUnknown: ``head_manifest`` is ``None`` although the branch has a commit. Nothing was changed.
        ValueError: ``head_manifest`` has an id that is none, or a path that leaves the working tree
            (:class:`InvalidInput`).
    """
    vault = _native.Vault.open(pathlib.Path(root))
    head = "no-commits" if head_manifest is None else "given"
    try:
        row = push_native(vault, message, track, section, (), False, head, head_manifest, None)
    except Refused as error:
        head_path = pathlib.Path(root, ".muse", "HEAD")
        if not os.path.lexists(head_path):
            raise make("not_a_repository", str(error), path=head_path) from None
        raise
    left_alone: tuple[LeftAlone, ...] = row["left_alone"]
    _warn("push", left_alone, row["missing_head"])
    result = StashPushResult(
        stash_ref=row["stash_ref"],
        message=row["message"],
        branch=row["branch"],
        files_stashed=row["files_stashed"],
        head_restored=row["head_restored"],
        missing_head=row["missing_head"],
    )
    if result.stash_ref:
        logger.info("pushed %s (%d files, branch %r)", result.stash_ref, result.files_stashed, result.branch)
    return result


def apply_stash(
    root: StrPath,
    index: int = 0,
    *,
    drop: bool = False,
) -> StashApplyResult:
    """Bring an entry's files back into the working tree.

    They are written over what is there; other paths are left alone.

    Args:
        root: The repository's root, a path or a string.
        index: Position in the stack; 0 is the newest.
        drop: Remove the entry once every file is in place (pop). If something is missing it stays, and ``dropped`` of the
            result is false.

    Raises:
        IndexError: There is no such entry (:class:`NoSuchEntry`).
        ValueError: The entry cannot be read (:class:`UnreadableEntry`). Nothing was changed.
    """
    vault = _open(root)
    index = _checked(vault, index)
    if vault is None:
        _no_such_entry(index, 0)
    row = apply_native(vault, f"stash@{{{index}}}", drop=bool(drop))
    left_alone: tuple[LeftAlone, ...] = row["left_alone"]
    _warn("apply", left_alone, row["missing"])
    result = StashApplyResult(
        stash_ref=row["stash_ref"],
        message=row["message"],
        files_applied=row["files_applied"],
        missing=row["missing"],
        dropped=row["dropped"],
    )
    logger.info("applied %s (%s)", result.stash_ref, "dropped" if result.dropped else "kept")
    return result


def _open(root: StrPath) -> Optional[_native.Vault]:
    """The repository, or ``None``: where there is none, there is no entry either."""
    try:
        return _native.Vault.open(pathlib.Path(root))
    except NotARepository:
        return None


def _checked(vault: Optional[_native.Vault], index: int) -> int:
    index = operator.index(index)
    if index < 0:
        _no_such_entry(index, 0 if vault is None else len(vault.entries()))
    return index


def _no_such_entry(index: int, count: int) -> NoReturn:
    raise NoSuchEntry(f"stash@{{{index}}} does not exist (stack has {count} entries)")


def _warn(verb: str, left_alone: tuple[LeftAlone, ...], missing: tuple[str, ...]) -> None:
    for left in left_alone:
        logger.warning("stash %s: %s: %s", verb, left.path, left.message)
    for path in missing:
        logger.warning("stash %s: the object for %s is not in the store", verb, path)
