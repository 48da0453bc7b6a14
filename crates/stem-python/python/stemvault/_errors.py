"""What the engine reports, as exceptions.

Each class is a :class:`StemvaultError` and, where there is one, the built-in exception that says the same, so that
programs written for Python's own errors (or for Muse's) work unchanged.
"""

from __future__ import annotations

import errno as _errno
import os
from typing import Dict, Optional, Type


class StemvaultError(Exception):
    """Anything that the engine reports.

    Attributes:
        kind: A short, stable name of what happened, the same as in the JSON of the program ``stem``.
        path: The file or directory concerned, if it is one.
        object_id: The object concerned, if it is one.
    """

    kind: str = "error"
    path: Optional[str] = None
    object_id: Optional[str] = None

    def __str__(self) -> str:
        # OSError would put the number of the error and the path around the message, which names both already.
        return str(self.args[0]) if self.args else ""


class NotARepository(StemvaultError, FileNotFoundError):
    """There is no ``.muse`` directory, or no ``HEAD`` in it."""

    kind = "not_a_repository"


class AlreadyARepository(StemvaultError, FileExistsError):
    """A repository was to be made where there is one."""

    kind = "already_a_repository"


class NoSuchEntry(StemvaultError, IndexError):
    """The stack has no such entry."""

    kind = "no_such_entry"


class AmbiguousEntry(StemvaultError, ValueError):
    """More than one entry's id begins like this."""

    kind = "ambiguous_entry"


class UnreadableEntry(StemvaultError, ValueError):
    """The file of this entry is damaged; the others work."""

    kind = "unreadable_entry"


class HeadUnknown(StemvaultError, ValueError):
    """The branch has a commit whose files were not given and cannot be found. Nothing was changed."""

    kind = "head_unknown"


class InvalidInput(StemvaultError, ValueError):
    """An argument cannot be used: an id that is none, a manifest with unsafe paths, a store URL with a mistake."""

    kind = "invalid_input"


class DatabaseError(StemvaultError):
    """Muse's database cannot be reached, is not Muse's, or says what cannot be. Nothing was changed.

    ``kind`` says which: ``database_unavailable``, ``not_a_muse_database``, ``foreign_commit``, ``damaged_database``.
    """

    kind = "database_unavailable"


class WrongHash(StemvaultError, ValueError):
    """The bytes do not have the id that they were given under. Nothing was stored."""

    kind = "wrong_hash"


class BadRepositoryFile(StemvaultError, ValueError):
    """A file of the repository is damaged or foreign."""

    kind = "bad_repository_file"


class NoSuchPath(InvalidInput):
    """The entry does not have this path."""

    kind = "no_such_path"


class BadBundle(StemvaultError, ValueError):
    """A file that was to be imported is no bundle, or is damaged, cut short or hostile. No entry was added."""

    kind = "damaged_bundle"


class MissingObjects(StemvaultError):
    """Objects are not there: those of an entry that was to be exported, or those that a bundle leaves out."""

    kind = "missing_objects"


class FileExists(StemvaultError, FileExistsError):
    """The file that was to be made is there already."""

    kind = "exists"


class Conflict(StemvaultError):
    """Newer work stands where files should come, and ``on_conflict="fail"`` was said. Nothing was changed."""

    kind = "conflict"


class NothingToUndo(StemvaultError, LookupError):
    """There is no step to undo, or none to do again."""

    kind = "nothing_to_undo"


class RootUnreadable(StemvaultError):
    """Something that may name objects cannot be read, so it is unknown what is needed. Nothing was deleted."""

    kind = "root_unreadable"


class Refused(StemvaultError):
    """The state of the repository does not allow it; the message says what to do."""

    kind = "refused"


class Unsupported(StemvaultError):
    """This store cannot do that."""

    kind = "unsupported"


class Interrupted(StemvaultError):
    """The work was stopped by something else than Ctrl-C, which raises ``KeyboardInterrupt``."""

    kind = "interrupted"


class SystemFailure(StemvaultError, OSError):
    """The system or a medium failed."""

    kind = "io"


class NotFound(SystemFailure, FileNotFoundError):
    """A file is not there."""


class IsADirectory(SystemFailure, IsADirectoryError):
    """A directory stands where a file is wanted."""


class NotADirectory(SystemFailure, NotADirectoryError):
    """A file stands where a directory is wanted."""


class NoSuchObject(SystemFailure, FileNotFoundError):
    """The object was there when it was opened and is not any more."""

    kind = "no_such_object"


class CorruptObject(SystemFailure):
    """The stored bytes do not hash to the object's id. Storing the object again repairs it."""

    kind = "corrupt_object"


class NoSpace(SystemFailure):
    """The medium or a quota is full."""

    kind = "no_space"


class PermissionDenied(SystemFailure, PermissionError):
    """The process may not do this."""

    kind = "permission_denied"


class ReadOnly(SystemFailure):
    """The store or its medium accepts no changes."""

    kind = "read_only"


class Unavailable(SystemFailure):
    """The store cannot be reached now; try again with a new handle."""

    kind = "unavailable"


class Lost(SystemFailure):
    """Objects that were found in a store that others use too are gone; store them again."""

    kind = "lost"


class SourceError(SystemFailure):
    """What was to be stored could not be read. Nothing was stored."""

    kind = "source"


_BY_KIND: Dict[str, Type[StemvaultError]] = {
    **{
        cls.kind: cls
        for cls in (
            NotARepository,
            AlreadyARepository,
            NoSuchEntry,
            AmbiguousEntry,
            UnreadableEntry,
            HeadUnknown,
            InvalidInput,
            DatabaseError,
            WrongHash,
            BadRepositoryFile,
            NoSuchPath,
            BadBundle,
            MissingObjects,
            FileExists,
            Conflict,
            NothingToUndo,
            RootUnreadable,
            Refused,
            Unsupported,
            Interrupted,
            SystemFailure,
            NoSuchObject,
            CorruptObject,
            NoSpace,
            PermissionDenied,
            ReadOnly,
            Unavailable,
            Lost,
            SourceError,
        )
    },
    "bad_ignore_file": BadRepositoryFile,
    "bad_input_file": InvalidInput,
    "invalid_url": InvalidInput,
    "invalid_database_url": InvalidInput,
    "not_a_muse_database": DatabaseError,
    "foreign_commit": DatabaseError,
    "damaged_database": DatabaseError,
    "invalid_config": BadRepositoryFile,
    "store": SystemFailure,
    "not_a_bundle": BadBundle,
    "newer_bundle": BadBundle,
    "truncated_bundle": BadBundle,
    "refused_bundle": BadBundle,
    "other_ids": BadBundle,
    "busy": Refused,
    "not_a_partial_bundle": Refused,
}

_BY_ERRNO: Dict[int, Type[StemvaultError]] = {
    _errno.ENOENT: NotFound,
    _errno.EISDIR: IsADirectory,
    _errno.ENOTDIR: NotADirectory,
    _errno.EACCES: PermissionDenied,
    _errno.EPERM: PermissionDenied,
    _errno.ENOSPC: NoSpace,
    _errno.EDQUOT: NoSpace,
    _errno.EROFS: ReadOnly,
}

# What an exception says as OSError when the system gave no number.
_ERRNO_OF: Dict[Type[StemvaultError], int] = {
    NotARepository: _errno.ENOENT,
    AlreadyARepository: _errno.EEXIST,
    FileExists: _errno.EEXIST,
    NoSuchObject: _errno.ENOENT,
    CorruptObject: _errno.EIO,
    NoSpace: _errno.ENOSPC,
    PermissionDenied: _errno.EACCES,
    ReadOnly: _errno.EROFS,
    IsADirectory: _errno.EISDIR,
}


def make(
    kind: str,
    message: str,
    errno: Optional[int] = None,
    path: Optional["os.PathLike[str] | str"] = None,
    object_id: Optional[str] = None,
) -> StemvaultError:
    """Make the exception for an error of the engine. A kind that is not known here becomes the base class."""
    cls = _BY_KIND.get(kind, StemvaultError)
    if cls is SystemFailure and errno is not None:
        cls = _BY_ERRNO.get(errno, SystemFailure)
    error = cls(message)
    error.kind = kind
    error.path = os.fspath(path) or None if path is not None else None
    error.object_id = object_id
    if isinstance(error, OSError):
        error.errno = errno if errno is not None else _ERRNO_OF.get(cls)
        error.strerror = message
        error.filename = error.path
    return error


for _cls in list(globals().values()):
    if isinstance(_cls, type) and issubclass(_cls, StemvaultError):
        # Where programs find it, and what tracebacks should say.
        _cls.__module__ = "stemvault"
