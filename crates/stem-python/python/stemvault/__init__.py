"""A content-addressed storage engine for audio repositories, with its stash.

The functions that Muse has, with Muse's signatures::

    import stemvault

    pushed = stemvault.push_stash("album", message="chorus WIP", head_manifest=manifest)
    popped = stemvault.apply_stash("album", 0, drop=True)

A repository as an object, with everything that the engine can do::

    vault = stemvault.Repository.discover()
    vault.push("before the call", progress=print)
    vault.pop()

The object store by itself::

    store = stemvault.open_store("sharded:objects")
    stored = store.put(b"one bar of silence")
    memoryview(store.get(stored.object_id))

Every call lets go of the interpreter while it works. Ctrl-C stops it where everything is consistent: what was not saved
is in the working tree as before, what was saved can be brought back. Whatever the engine reports is a
:class:`StemvaultError`, and also the built-in exception that one would expect (``IndexError`` for an entry that is not
there, ``ValueError`` for a wrong id, ``FileNotFoundError`` where there is no repository).
"""

from __future__ import annotations

from ._errors import (
    AlreadyARepository,
    AmbiguousEntry,
    BadBundle,
    BadRepositoryFile,
    Conflict,
    CorruptObject,
    DatabaseError,
    FileExists,
    HeadUnknown,
    Interrupted,
    InvalidInput,
    IsADirectory,
    MissingObjects,
    NoSpace,
    NoSuchEntry,
    NoSuchObject,
    NoSuchPath,
    NotADirectory,
    NotARepository,
    NotFound,
    NothingToUndo,
    PermissionDenied,
    ReadOnly,
    Refused,
    RootUnreadable,
    SourceError,
    StemvaultError,
    SystemFailure,
    Unavailable,
    Lost,
    UnreadableEntry,
    Unsupported,
    WrongHash,
)
from ._native import __version__
from ._objects import (
    CopyResult,
    ObjectStat,
    PutResult,
    Store,
    StoredObject,
    has_object,
    object_path,
    objects_dir,
    open_store,
    read_object,
    restore_object,
    write_object,
    write_object_from_path,
)
from ._progress import watching
from ._repository import Repository
from ._stash import apply_stash, clear_stash, drop_stash, list_stash, push_stash
from ._tree import hash_file, walk_workdir
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
    Progress,
    PushResult,
    ShownEntry,
    ShownFile,
    Snapshot,
    StashApplyResult,
    StashEntry,
    StashPushResult,
    Status,
    UndoResult,
    UndoStep,
    UnneededObject,
    VerifyResult,
)

__all__ = [
    "AlreadyARepository",
    "AmbiguousEntry",
    "ApplyResult",
    "BadBundle",
    "BadRepositoryFile",
    "BrokenStashEntry",
    "Change",
    "Conflict",
    "CopyResult",
    "CorruptObject",
    "DamagedObject",
    "DatabaseError",
    "EntryMoved",
    "ExportedBundle",
    "FileExists",
    "GcResult",
    "HeadUnknown",
    "ImportedBundle",
    "Interrupted",
    "InvalidInput",
    "IsADirectory",
    "LeftAlone",
    "MissingObjects",
    "NoSpace",
    "NoSuchEntry",
    "NoSuchObject",
    "NoSuchPath",
    "NotADirectory",
    "NotARepository",
    "NotFound",
    "NothingToUndo",
    "ObjectStat",
    "PermissionDenied",
    "Planned",
    "Progress",
    "PushResult",
    "PutResult",
    "ReadOnly",
    "Refused",
    "Repository",
    "RootUnreadable",
    "ShownEntry",
    "ShownFile",
    "Snapshot",
    "SourceError",
    "StashApplyResult",
    "StashEntry",
    "StashPushResult",
    "Status",
    "StemvaultError",
    "Store",
    "StoredObject",
    "SystemFailure",
    "Unavailable",
    "Lost",
    "UndoResult",
    "UndoStep",
    "UnneededObject",
    "UnreadableEntry",
    "Unsupported",
    "VerifyResult",
    "WrongHash",
    "__version__",
    "apply_stash",
    "clear_stash",
    "drop_stash",
    "has_object",
    "hash_file",
    "list_stash",
    "object_path",
    "objects_dir",
    "open_store",
    "push_stash",
    "read_object",
    "restore_object",
    "walk_workdir",
    "watching",
    "write_object",
    "write_object_from_path",
]
