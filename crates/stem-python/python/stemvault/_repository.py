"""A repository as an object."""

from __future__ import annotations

import datetime
import json
import operator
import os
import pathlib
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Union

from . import _native
from ._objects import Store
from ._progress import chosen
from ._types import (
    ApplyResult,
    BrokenStashEntry,
    Change,
    DamagedObject,
    EntryMoved,
    ExportedBundle,
    GcResult,
    ImportedBundle,
    LeftAlone,
    Planned,
    ProgressCallback,
    PushResult,
    ShownEntry,
    ShownFile,
    Snapshot,
    StashEntry,
    Status,
    StrPath,
    UndoResult,
    UndoStep,
    UnneededObject,
    VerifyResult,
    logger,
)

Reference = Union[int, str]

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Repository:
    """An open repository: a directory with ``.muse`` in it, its store as configured, and its stash.

    May be used from several threads. Verbs that change the working tree exclude each other, in this and every other
    process. Entries are named by their position (0 is the newest), by ``stash@{N}``, or by the beginning of their id.

    Long verbs take ``progress``, a callback that gets a :class:`Progress` many times a second on the calling thread; an
    exception that it raises stops the verb where everything is consistent.
    """

    __slots__ = ("_vault",)

    def __init__(self, root: StrPath, database_url: Optional[str] = None) -> None:
        """Open the repository at ``root``.

        Args:
            root: The directory that holds ``.muse``.
            database_url: Muse's database, as SQLAlchemy writes it: ``sqlite:///FILE`` or ``postgresql://HOST/NAME``. Commits
                that are not in ``.muse/commits`` are looked for there. ``None`` takes the environment's ``DATABASE_URL``,
                else what the repository's configuration says. It is asked when it is needed, not before.

        Raises:
            NotARepository: There is none; also a ``FileNotFoundError``.
            InvalidInput: ``database_url`` cannot be understood; also a ``ValueError``.
        """
        self._vault = _native.Vault.open(pathlib.Path(root), database_url, os.environ.get("DATABASE_URL"))

    @classmethod
    def discover(cls, start: StrPath = ".", database_url: Optional[str] = None) -> Repository:
        """Open the repository that holds ``start``: the closest directory, upwards, with a ``.muse`` in it."""
        return cls._of(_native.Vault.discover(pathlib.Path(start), database_url, os.environ.get("DATABASE_URL")))

    @classmethod
    def init(cls, root: StrPath) -> Repository:
        """Make a repository at ``root``, in Muse's layout, and open it."""
        return cls._of(_native.Vault.init(pathlib.Path(root), None, os.environ.get("DATABASE_URL")))

    @classmethod
    def _of(cls, vault: _native.Vault) -> Repository:
        self = cls.__new__(cls)
        self._vault = vault
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"

    @property
    def root(self) -> pathlib.Path:
        """The directory that holds ``.muse``."""
        return pathlib.Path(self._vault.root)

    @property
    def working_tree(self) -> pathlib.Path:
        """The working tree; it need not exist."""
        return pathlib.Path(self._vault.working_tree)

    @property
    def store(self) -> Store:
        """The store of its objects."""
        return Store(self._vault.store)

    def push(
        self,
        message: Optional[str] = None,
        *,
        track: Optional[str] = None,
        section: Optional[str] = None,
        paths: Iterable[StrPath] = (),
        keep: bool = False,
        head_manifest: Optional[Mapping[str, str]] = None,
        no_head: bool = False,
        progress: Optional[ProgressCallback] = None,
    ) -> PushResult:
        """Save the working tree, or a part of it, as the newest entry and bring HEAD back.

        Nothing is removed before it is saved durably, and then only what this push saved and what has not changed since.

        Args:
            message: The label; ``On <branch>: stash`` when it is ``None`` or empty.
            track: Only ``tracks/<track>/``; scopes add up.
            section: Only ``sections/<section>/``.
            paths: Only these files, and what lies below these directories; relative to the working tree.
            keep: Save, and leave the working tree as it is.
            head_manifest: Path and object id of each file of HEAD. By default it is looked up in the repository.
            no_head: Push as if the branch had no commit: a full push leaves the working tree empty.
            progress: Called with a :class:`Progress`.

        Raises:
            HeadUnknown: The branch has a commit whose files nobody knows. Nothing was changed.
        """
        if head_manifest is not None and no_head:
            raise ValueError("head_manifest and no_head exclude each other")
        head = "given" if head_manifest is not None else "none" if no_head else "repository"
        return PushResult(**push_native(self._vault, message, track, section, paths, keep, head, head_manifest, progress))

    def list(self) -> List[StashEntry]:
        """All entries, newest first. One that cannot be read is a :class:`BrokenStashEntry` in its place."""
        return [entry_of(row) for row in self._vault.entries()]

    def show(self, ref: Reference = 0) -> ShownEntry:
        """One entry with its files."""
        entry, files = self._vault.show(_reference(ref))
        return ShownEntry(entry_of(entry), tuple(ShownFile(*row) for row in files))

    def apply(
        self,
        ref: Reference = 0,
        *,
        paths: Iterable[StrPath] = (),
        on_conflict: str = "overwrite",
        exact: bool = False,
        dry_run: bool = False,
        verify: bool = False,
        progress: Optional[ProgressCallback] = None,
    ) -> ApplyResult:
        """Write an entry's files into the working tree. Other paths are left alone.

        Args:
            ref: The entry.
            paths: Only these files, and what lies below these directories; relative to the working tree.
            on_conflict: What happens to newer work, which is neither HEAD's nor the entry's: ``overwrite`` replaces it
                (:meth:`undo` brings it back), ``keep-both`` writes the entry's file beside it, ``fail`` changes nothing.
            exact: Also delete what the entry knew as deleted.
            dry_run: Only say what would be done.
            verify: Hash the files as they are written. Damaged ones are then reported and not written.
            progress: Called with a :class:`Progress`.

        Raises:
            NoSuchEntry: There is no such entry; also an ``IndexError``.
            Conflict: Newer work is in the way, and ``on_conflict`` is ``fail``.
        """
        row = apply_native(
            self._vault,
            _reference(ref),
            verify=verify,
            on_conflict=on_conflict,
            exact=exact,
            dry_run=dry_run,
            paths=_encoded(paths),
            progress=progress,
        )
        return ApplyResult(**row)

    def pop(
        self,
        ref: Reference = 0,
        *,
        on_conflict: str = "overwrite",
        exact: bool = False,
        dry_run: bool = False,
        verify: bool = True,
        force: bool = False,
        progress: Optional[ProgressCallback] = None,
    ) -> ApplyResult:
        """As :meth:`apply`, of the whole entry, and drop it once every file is in place.

        Args:
            ref: The entry.
            on_conflict: What happens to newer work: ``overwrite``, ``keep-both`` or ``fail``.
            exact: Also delete what the entry knew as deleted.
            dry_run: Only say what would be done.
            verify: Hash the files as they are written.
            force: Drop the entry although something is missing.
            progress: Called with a :class:`Progress`.
        """
        row = apply_native(
            self._vault,
            _reference(ref),
            drop=True,
            verify=verify,
            force=force,
            on_conflict=on_conflict,
            exact=exact,
            dry_run=dry_run,
            progress=progress,
        )
        return ApplyResult(**row)

    def drop(self, ref: Reference = 0) -> StashEntry:
        """Remove an entry, readable or not, and return it. :meth:`undo` brings it back."""
        return drop_native(self._vault, ref)

    def clear(self) -> int:
        """Remove all entries and return their number. :meth:`undo` brings them back."""
        return self._vault.clear()

    def export_stash(
        self,
        ref: Reference,
        path: StrPath,
        have: Optional[Iterable[str]] = None,
        *,
        compression: str = "audio",
        replace: bool = False,
        progress: Optional[ProgressCallback] = None,
    ) -> ExportedBundle:
        """Write an entry and its objects into the file ``path``, which appears when it is whole.

        Until then it is ``path`` and ``.partial``; that file stays when the export fails or is stopped, and the same export
        goes on from there.

        Args:
            ref: The entry.
            path: The file to make.
            have: Ids of objects that the receiver has, such as its ``repository.store.list()``: they are left out.
            compression: ``audio``, or ``none``, which is faster and larger.
            replace: Replace the file if it exists.
            progress: Called with a :class:`Progress`.

        Raises:
            FileExists: The file exists; also a ``FileExistsError``.
            MissingObjects: Objects of the entry are not in the store.
        """
        row = _native.export_stash(
            self._vault,
            _reference(ref),
            pathlib.Path(path),
            have=list(have) if have is not None else [],
            compression=compression,
            replace=replace,
            progress=chosen(progress),
        )
        return ExportedBundle(**row)

    def import_stash(
        self,
        path: StrPath,
        *,
        dry_run: bool = False,
        again: bool = False,
        progress: Optional[ProgressCallback] = None,
    ) -> ImportedBundle:
        """Add the entry of a bundle as the newest one. The working tree is not touched; :meth:`undo` removes it again.

        Args:
            path: A file of :meth:`export_stash` or ``stem stash export``.
            dry_run: Only check it.
            again: Add it although it is on the stack since an earlier import.
            progress: Called with a :class:`Progress`.

        Raises:
            BadBundle: It is damaged, cut short or hostile; also a ``ValueError``. No entry was added.
            MissingObjects: It leaves out objects that this repository does not have.
        """
        row = _native.import_stash(
            self._vault, pathlib.Path(path), dry_run=dry_run, again=again, progress=chosen(progress)
        )
        return ImportedBundle(**row)

    def undo(
        self, *, force: bool = False, dry_run: bool = False, progress: Optional[ProgressCallback] = None
    ) -> UndoResult:
        """Revert what the last push, apply, pop, drop, clear or import did that is not undone yet.

        Args:
            force: Also replace files that have changed since; they are saved first. By default they are left alone.
            dry_run: Only say what would be done.
            progress: Called with a :class:`Progress`.

        Raises:
            NothingToUndo: There is no such step; also a ``LookupError``.
        """
        return self._revert(False, force, dry_run, progress)

    def redo(
        self, *, force: bool = False, dry_run: bool = False, progress: Optional[ProgressCallback] = None
    ) -> UndoResult:
        """Do again what was undone last. A new verb ends the way forward. Arguments are those of :meth:`undo`."""
        return self._revert(True, force, dry_run, progress)

    def _revert(
        self, redo: bool, force: bool, dry_run: bool, progress: Optional[ProgressCallback]
    ) -> UndoResult:
        row = _native.undo(self._vault, redo=redo, force=force, dry_run=dry_run, progress=chosen(progress))
        row["entries"] = tuple(EntryMoved(*moved) for moved in row["entries"])
        row["missing"] = tuple(row["missing"])
        row["plan"] = tuple(Planned(*planned) for planned in row["plan"])
        return UndoResult(**_with_left_alone(row))

    def undo_list(self) -> List[UndoStep]:
        """The steps that can be done again, the farthest first, then those that can be undone, the next first."""
        rows, unreadable = _native.undo_list(self._vault)
        for problem in unreadable:
            logger.warning("undo: %s", problem)
        return [UndoStep(**{**row, "at": _time(row["at"]), "expires": _time(row["expires"])}) for row in rows]

    def snapshot(
        self,
        message: Optional[str] = None,
        *,
        author: Optional[str] = None,
        progress: Optional[ProgressCallback] = None,
    ) -> Snapshot:
        """Record the working tree as HEAD of the branch.

        Raises:
            Refused: Muse keeps the commits of this repository in its database, or HEAD is detached.
        """
        row = self._vault.snapshot(message=message, author=author, progress=chosen(progress))
        return Snapshot(**_with_left_alone(row))

    def tracked_files(self) -> List[str]:
        """The paths of the files that a push without a scope saves, sorted; what ``.museignore`` ignores is not among them.

        Raises:
            BadRepositoryFile: ``.museignore`` cannot be used.
        """
        return self._vault.tracked_files()

    def status(self, *, progress: Optional[ProgressCallback] = None) -> Status:
        """What differs from HEAD, what is stashed, and how large the store is."""
        row = _with_left_alone(self._vault.status(progress=chosen(progress)))
        row["changes"] = tuple(Change(*change) for change in row["changes"])
        return Status(**row)

    def gc(
        self,
        *,
        dry_run: bool = False,
        grace: Optional[str] = None,
        expire_undo: Optional[str] = None,
        progress: Optional[ProgressCallback] = None,
    ) -> GcResult:
        """Remove objects that nothing needs and has not needed for a while.

        Args:
            dry_run: Only say what would be removed.
            grace: How long an object has to be known as unneeded before it goes, such as ``"14d"``. By default what the
                repository's configuration says: 14 days.
            expire_undo: Give up what could be undone if it is older than this, such as ``"7d"``.
            progress: Called with a :class:`Progress`.

        Raises:
            RootUnreadable: It is unknown what is needed. Nothing was removed.
            Refused: A push did not end in time. Nothing was removed.
        """
        row = _native.gc(
            self._vault, dry_run=dry_run, grace=grace, expire_undo=expire_undo, progress=chosen(progress)
        )
        for key in ("removed", "waiting"):
            row[key] = tuple(UnneededObject(name, size, _since_epoch(since)) for name, size, since in row[key])
        return GcResult(**row)

    def verify(
        self, *, repair: bool = False, worktree: bool = False, progress: Optional[ProgressCallback] = None
    ) -> VerifyResult:
        """Read every object, and compare entries and commits with the store. Damage is a result, not an exception.

        Args:
            repair: Put damaged objects aside, and bring them and those that are missing back from other copies.
            worktree: Compare the working tree with HEAD, too.
            progress: Called with a :class:`Progress`.
        """
        row = _native.verify(self._vault, repair=repair, worktree=worktree, progress=chosen(progress))
        row["damaged"] = tuple(
            DamagedObject(**{**damaged, "affected": tuple(damaged["affected"])}) for damaged in row["damaged"]
        )
        row["records"] = tuple(row["records"])
        row["changes"] = tuple(Change(*change) for change in row["changes"])
        row["rotten"] = tuple(row["rotten"])
        return VerifyResult(**_with_left_alone(row))

    def recover(self, *, progress: Optional[ProgressCallback] = None) -> None:
        """Finish or undo a push that died, now. Every verb that writes does so first."""
        self._vault.recover(progress=chosen(progress))


def push_native(
    vault: _native.Vault,
    message: Optional[str],
    track: Optional[str],
    section: Optional[str],
    paths: Iterable[StrPath],
    keep: bool,
    head: str,
    manifest: Optional[Mapping[str, str]],
    progress: Optional[ProgressCallback],
) -> Dict[str, Any]:
    """Push; the fields of a :class:`PushResult`."""
    row = vault.push(
        message=message,
        track=track,
        section=section,
        paths=_encoded(paths),
        keep=keep,
        head=head,
        # JSON says what Python's strings can hold that UTF-8 cannot: names that are no text.
        manifest=None if manifest is None else json.dumps(dict(manifest)),
        progress=chosen(progress),
    )
    row["missing_head"] = tuple(sorted(row["missing_head"]))
    return _with_left_alone(row)


def apply_native(
    vault: _native.Vault,
    reference: str,
    *,
    drop: bool = False,
    verify: Optional[bool] = None,
    force: bool = False,
    on_conflict: str = "overwrite",
    exact: bool = False,
    dry_run: bool = False,
    paths: Sequence[bytes] = (),
    progress: Optional[ProgressCallback] = None,
) -> Dict[str, Any]:
    """Apply or pop; the fields of an :class:`ApplyResult`."""
    row = vault.apply(
        reference,
        drop=drop,
        verify=verify,
        force=force,
        on_conflict=on_conflict,
        exact=exact,
        dry_run=dry_run,
        paths=list(paths),
        progress=chosen(progress),
    )
    row["missing"] = tuple(sorted(row["missing"]))
    for key in ("overwritten", "kept_both", "deleted"):
        row[key] = tuple(row[key])
    row["plan"] = tuple(Planned(*planned) for planned in row["plan"])
    return _with_left_alone(row)


def drop_native(vault: _native.Vault, ref: Reference) -> StashEntry:
    """Drop an entry, and return it as it was."""
    entries = [entry_of(row) for row in vault.entries()]
    reference = _reference(ref)
    for entry in entries:
        if reference in (f"stash@{{{entry.index}}}", entry.stash_id):
            # By its id, so that no other entry goes when the stack changes in between; by its place only where its name is
            # not one that an id could be given by.
            is_usable = entry.stash_id.isascii() and len(entry.stash_id) > len("stash-")
            vault.drop_entry(entry.stash_id if is_usable else reference)
            return entry
    index, stash_id, message = vault.drop_entry(reference)
    for entry in entries:
        if entry.stash_id == stash_id:
            return entry
    return BrokenStashEntry(stash_id, index, "", message, "", {}, None, None, "it was added just now")


def entry_of(row: Dict[str, Any]) -> StashEntry:
    """The dataclass of an entry."""
    if "reason" in row:
        message = f"unreadable: {row['reason']}"
        return BrokenStashEntry(row["stash_id"], row["index"], "", message, "", {}, None, None, row["reason"])
    return StashEntry(**row)


def _encoded(paths: Iterable[StrPath]) -> List[bytes]:
    if isinstance(paths, (str, bytes, os.PathLike)):
        raise TypeError("paths is an iterable of paths, not one path")
    return [os.fsencode(path) for path in paths]


def _time(micros: Optional[int]) -> Optional[datetime.datetime]:
    return None if micros is None else _since_epoch(micros)


def _since_epoch(micros: int) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(microseconds=micros)


def _reference(ref: Reference) -> str:
    return ref if isinstance(ref, str) else f"stash@{{{operator.index(ref)}}}"


def _with_left_alone(row: Dict[str, Any]) -> Dict[str, Any]:
    row["left_alone"] = tuple(LeftAlone(*left) for left in row["left_alone"])
    return row
