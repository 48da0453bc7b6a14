"""What the functions return."""

from __future__ import annotations

import datetime
import logging
import os
import pathlib
from dataclasses import dataclass
from typing import Callable, Optional, Union

StrPath = Union[str, "os.PathLike[str]"]

logger = logging.getLogger("stemvault")


@dataclass(frozen=True)
class StashEntry:
    """One entry of the stash.

    Attributes:
        stash_id: Its id: the name of its file in ``.muse/stash`` without ``.json``.
        index: Position in the stack; 0 is the newest.
        branch: The branch at the time of the push.
        message: The label.
        created_at: When it was made, ISO 8601 in UTC.
        manifest: Path in the working tree and object id, for each file.
        track: The track that the push was limited to.
        section: The section that the push was limited to.
    """

    stash_id: str
    index: int
    branch: str
    message: str
    created_at: str
    manifest: dict[str, str]
    track: Optional[str]
    section: Optional[str]


@dataclass(frozen=True)
class BrokenStashEntry(StashEntry):
    """An entry whose file cannot be read. It keeps its place in the stack and can be dropped.

    Attributes:
        reason: What is wrong with the file.
    """

    reason: str = ""


@dataclass(frozen=True)
class StashPushResult:
    """What a push did.

    Attributes:
        stash_ref: ``stash@{0}``, or empty when there was nothing to save.
        message: The label of the entry.
        branch: The branch.
        files_stashed: Number of files in the entry.
        head_restored: Whether the working tree was brought back to HEAD.
        missing_head: Files of HEAD whose objects are not in the store, so that they could not be brought back.
    """

    stash_ref: str
    message: str
    branch: str
    files_stashed: int
    head_restored: bool
    missing_head: tuple[str, ...]


@dataclass(frozen=True)
class StashApplyResult:
    """What an apply or pop did.

    Attributes:
        stash_ref: The entry.
        message: Its label.
        files_applied: Number of files that are now as the entry has them.
        missing: Files whose objects are missing or damaged.
        dropped: Whether the entry was removed. A pop that could not bring everything back keeps it.
    """

    stash_ref: str
    message: str
    files_applied: int
    missing: tuple[str, ...]
    dropped: bool


@dataclass(frozen=True)
class LeftAlone:
    """A path that was left as it was.

    Attributes:
        path: The path in the working tree.
        reason: A short, stable name: ``symlink``, ``special``, ``unreadable``, ``vanished``, ``changed``, ``busy``,
            ``missing``, ``corrupt`` or ``blocked``; there may be more.
        message: The same for people.
        is_partial: Whether the verb is incomplete because of it. Links and special files are never part of a stash.
    """

    path: str
    reason: str
    message: str
    is_partial: bool


@dataclass(frozen=True)
class PushResult(StashPushResult):
    """What :meth:`Repository.push` did: as :class:`StashPushResult`, and more.

    Attributes:
        stash_id: The entry's id, or ``None`` when there was nothing to save.
        bytes_stashed: Size of the files in the entry.
        bytes_written: Bytes of objects that the store did not have before.
        left_alone: Paths that were left as they were, with the reason.
    """

    stash_id: Optional[str]
    bytes_stashed: int
    bytes_written: int
    left_alone: tuple[LeftAlone, ...]


@dataclass(frozen=True)
class Planned:
    """What would happen at a path; of a dry run.

    Attributes:
        path: The path in the working tree.
        action: ``create``, ``replace``, ``touch`` (permissions or time only), ``beside`` (the file comes beside newer work),
            ``delete``, ``nothing`` or ``leave``.
        bytes: Bytes that would be written.
        conflict: Whether newer work stands there.
        detail: The path beside it, or why it would be left.
    """

    path: str
    action: str
    bytes: int
    conflict: bool
    detail: Optional[str]


@dataclass(frozen=True)
class ApplyResult(StashApplyResult):
    """What :meth:`Repository.apply` or :meth:`Repository.pop` did: as :class:`StashApplyResult`, and more.

    Attributes:
        stash_id: The entry's id.
        bytes_applied: Size of the files brought back.
        left_alone: Paths that were left as they were, with the reason.
        overwritten: Newer work that was replaced; :meth:`Repository.undo` brings it back.
        kept_both: Newer work that stayed, and where the entry's file is.
        deleted: Paths that were deleted, because the entry knew them as deleted.
        plan: What would be done at each path; only of a dry run.
    """

    stash_id: str
    bytes_applied: int
    left_alone: tuple[LeftAlone, ...]
    overwritten: tuple[str, ...]
    kept_both: tuple[tuple[str, str], ...]
    deleted: tuple[str, ...]
    plan: tuple[Planned, ...]


@dataclass(frozen=True)
class ShownFile:
    """One file of an entry.

    Attributes:
        path: The path in the working tree.
        object_id: Its object.
        size: Its size in bytes, or ``None`` when the store lacks the object.
    """

    path: str
    object_id: str
    size: Optional[int]


@dataclass(frozen=True)
class ShownEntry:
    """One entry with its files.

    Attributes:
        entry: The entry.
        files: Its files, in the order of their paths.
    """

    entry: StashEntry
    files: tuple[ShownFile, ...]


@dataclass(frozen=True)
class Change:
    """A path that differs from HEAD.

    Attributes:
        path: The path in the working tree.
        kind: ``added``, ``modified`` or ``deleted``.
    """

    path: str
    kind: str


@dataclass(frozen=True)
class Status:
    """The state of the working tree, the stack and the store.

    Attributes:
        branch: The branch.
        commit_id: Its commit, or ``None`` when it has none.
        head_known: Whether HEAD's files are known; if not, ``changes`` is empty.
        changes: What differs from HEAD, by path.
        files: Number of files in the working tree.
        entries: Number of stash entries.
        objects: Number of objects in the store.
        object_bytes: Their size.
        interrupted: Whether a push died and waits for the next verb that writes, which finishes or undoes it.
        left_alone: Paths that are not looked at, with the reason.
    """

    branch: str
    commit_id: Optional[str]
    head_known: bool
    changes: tuple[Change, ...]
    files: int
    entries: int
    objects: int
    object_bytes: int
    interrupted: bool
    left_alone: tuple[LeftAlone, ...]


@dataclass(frozen=True)
class Snapshot:
    """What was recorded as HEAD.

    Attributes:
        commit_id: The commit, new or (if nothing changed) the old one.
        snapshot_id: Its snapshot.
        branch: The branch.
        files: Number of files.
        bytes: Their size.
        bytes_written: Bytes of objects that the store did not have before.
        unchanged: The working tree equals HEAD, so nothing was recorded.
        left_alone: Paths that are not part of the snapshot, with the reason.
    """

    commit_id: str
    snapshot_id: str
    branch: str
    files: int
    bytes: int
    bytes_written: int
    unchanged: bool
    left_alone: tuple[LeftAlone, ...]


@dataclass(frozen=True)
class ExportedBundle:
    """An entry in a file for somebody else.

    Attributes:
        stash_id: The entry.
        files: Number of its files.
        objects: Number of objects in the bundle.
        object_bytes: Their size.
        left_out: Number of objects that the receiver has.
        bytes: Size of the bundle.
        resumed_bytes: How many of them were there from an export that was stopped.
    """

    stash_id: str
    files: int
    objects: int
    object_bytes: int
    left_out: int
    bytes: int
    resumed_bytes: int


@dataclass(frozen=True)
class ImportedBundle:
    """An entry of somebody else.

    Attributes:
        stash_id: The entry here; ``None`` after a dry run of one that is not there.
        origin: The entry that it was exported from.
        message: Its label.
        branch: The branch that it was made on.
        files: Number of its files.
        added: Whether it was added (or would be); else it is there since an earlier import.
        objects_new: Number of objects that the store did not have.
        bytes_new: Their size.
        objects_present: Number of objects that it had.
    """

    stash_id: Optional[str]
    origin: str
    message: str
    branch: str
    files: int
    added: bool
    objects_new: int
    bytes_new: int
    objects_present: int


@dataclass(frozen=True)
class EntryMoved:
    """An entry that came back to the stack, or went from it.

    Attributes:
        stash_id: Its id.
        on_stack: Whether it is on the stack now.
    """

    stash_id: str
    on_stack: bool


@dataclass(frozen=True)
class UndoResult:
    """What an undo did.

    Attributes:
        verb: The verb that was undone, or done again: ``push``, ``apply``, ``pop``, ``drop`` or ``clear``.
        redo: Whether it was done again.
        message: The label of its entry.
        files_restored: Number of files that are as they were.
        bytes_restored: Their size.
        files_removed: Number of files that went, because nothing was there before.
        entries: Entries that came or went.
        missing: Paths whose earlier bytes are missing or damaged.
        left_alone: Paths that were left as they were, with the reason.
        plan: What would be done at each path; only of a dry run.
    """

    verb: str
    redo: bool
    message: str
    files_restored: int
    bytes_restored: int
    files_removed: int
    entries: tuple[EntryMoved, ...]
    missing: tuple[str, ...]
    left_alone: tuple[LeftAlone, ...]
    plan: tuple[Planned, ...]


@dataclass(frozen=True)
class UndoStep:
    """One step that can be undone, or done again.

    Attributes:
        verb: What was done.
        message: The label of its entry.
        undone: Whether it was undone: then :meth:`Repository.redo` does it again.
        steps: How many steps away it is, from 1.
        files: Number of files that changed.
        entries: Number of entries that came or went.
        at: When it was done or undone.
        expires: When it is forgotten.
    """

    verb: str
    message: str
    undone: bool
    steps: int
    files: int
    entries: int
    at: Optional[datetime.datetime]
    expires: Optional[datetime.datetime]


@dataclass(frozen=True)
class UnneededObject:
    """An object that nothing needs.

    Attributes:
        object_id: Its id.
        size: Its size in bytes.
        since: When it was first found so.
    """

    object_id: str
    size: int
    since: datetime.datetime


@dataclass(frozen=True)
class GcResult:
    """What a garbage collection did, or would do.

    Attributes:
        dry_run: Whether nothing was changed.
        objects: Number of objects that were in the store.
        removed: Those that were removed.
        waiting: Those that are unneeded, and kept until they have been so for long enough.
        postponed: Why objects that are old enough were kept nevertheless.
    """

    dry_run: bool
    objects: int
    removed: tuple[UnneededObject, ...]
    waiting: tuple[UnneededObject, ...]
    postponed: Optional[str]


@dataclass(frozen=True)
class DamagedObject:
    """An object that is not there as it should be.

    Attributes:
        object_id: Its id.
        problem: ``damaged``, ``unreadable`` or ``missing``.
        reason: What is wrong with it.
        affected: Who needs it, for people, and the path there where it is known; the first of them.
        affected_count: How many there are.
        healed_from: Where a good copy came from; then it is whole again.
        quarantined: Where the damaged bytes are now.
        unrepaired: Why it could not be repaired, where that was tried.
    """

    object_id: str
    problem: str
    reason: Optional[str]
    affected: tuple[tuple[str, Optional[str]], ...]
    affected_count: int
    healed_from: Optional[str]
    quarantined: Optional[pathlib.Path]
    unrepaired: Optional[str]


@dataclass(frozen=True)
class VerifyResult:
    """What a verification showed.

    Attributes:
        is_damaged: Whether anything is wrong still.
        objects: Number of objects that were read.
        bytes: Their size.
        damaged: Objects that are not as they should be.
        records: Files of the repository or the store that are damaged, with the reason.
        changes: What differs from HEAD; if the working tree was asked for.
        rotten: Files of the working tree whose bytes changed although neither size nor time did.
        left_alone: Paths of the working tree that were not looked at, with the reason.
        hint: What is probably the cause.
    """

    is_damaged: bool
    objects: int
    bytes: int
    damaged: tuple[DamagedObject, ...]
    records: tuple[tuple[Optional[pathlib.Path], str], ...]
    changes: tuple[Change, ...]
    rotten: tuple[str, ...]
    left_alone: tuple[LeftAlone, ...]
    hint: Optional[str]


@dataclass(frozen=True)
class Progress:
    """How far a call is. Given to progress callbacks, on the thread that made the call.

    Attributes:
        phase: What it is doing: ``waiting`` (for another process), ``scanning``, ``hashing``, ``saving``, ``syncing``,
            ``restoring``, ``clearing``, ``copying``; there may be more.
        files: Files done in this phase.
        files_total: All files of this phase, if known.
        bytes: Bytes done in this phase.
        bytes_total: All bytes of this phase, if known.
    """

    phase: str
    files: int
    files_total: Optional[int]
    bytes: int
    bytes_total: Optional[int]


ProgressCallback = Callable[[Progress], object]
