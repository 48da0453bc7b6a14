"""Objects and their stores, by themselves and with Muse's signatures."""

from __future__ import annotations

import io
import operator
import os
import pathlib
import sys
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Optional, Protocol, Sequence, Union

from . import _native
from ._errors import NotARepository, WrongHash, make
from ._progress import chosen
from ._types import ProgressCallback, StrPath

_DIGITS = frozenset("0123456789abcdef")

Data = Union[bytes, bytearray, memoryview, Any]
"""Anything with the buffer protocol."""


class Readable(Protocol):
    """What has a method ``read(size)`` that returns bytes."""

    def read(self, size: int) -> Any: ...


@dataclass(frozen=True)
class ObjectStat:
    """What a store knows of an object without reading it.

    Attributes:
        size: Its size in bytes.
        mode: Permission bits of the file that it was made from, if the store keeps them.
        mtime_ns: Time of the last change of that file in nanoseconds, if the store keeps it.
    """

    size: int
    mode: Optional[int]
    mtime_ns: Optional[int]


@dataclass(frozen=True)
class PutResult:
    """What a put did.

    Attributes:
        object_id: The hash of the bytes: the object's name.
        size: Their number.
        written: ``new``, ``present`` (it was there, and whole) or ``replaced`` (something damaged was in its place).
    """

    object_id: str
    size: int
    written: str


@dataclass(frozen=True)
class CopyResult:
    """What a copy between two stores did.

    Attributes:
        copied: Number of objects copied.
        bytes_copied: Their size.
        present: Number of objects that were there already.
        absent: Those of the objects asked for that the source does not have.
    """

    copied: int
    bytes_copied: int
    present: int
    absent: tuple[str, ...]


if sys.version_info >= (3, 12):
    _ObjectBase = io.RawIOBase
else:

    class _ObjectBase(io.RawIOBase, _native.Exporter):
        """Python calls ``__buffer__`` by itself from 3.12 on."""


class StoredObject(_ObjectBase):
    """An object of a store: a read-only binary file, and a buffer.

    As a file it is read piece by piece, straight into the caller's memory with ``readinto``. Read from its first byte to
    its last it is verified: if the bytes do not hash to the id, :class:`CorruptObject` is raised in place of the last of
    them. After ``seek`` the store's ranges are read, which are verified only where :attr:`Store.verified_ranges` says so.
    Wrap it in ``io.BufferedReader`` to read many small pieces.

    As a buffer (``memoryview(obj)``, ``numpy.frombuffer(obj)``, ``hash.update(obj)``) it is read whole and verified when it
    is first asked for; all views share that memory, which is freed with the object and its last view.
    """

    def __init__(self, reader: _native.Reader, object_id: str) -> None:
        """Use :meth:`Store.get`."""
        super().__init__()
        self._reader = reader
        self._object_id = object_id
        self._position = 0
        self._memory: Optional[bytes] = None

    def __repr__(self) -> str:
        return f"<StoredObject {self._object_id} of {self.size} bytes>"

    @property
    def object_id(self) -> str:
        """The id."""
        return self._object_id

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self._reader.size

    def __len__(self) -> int:
        return self.size

    def __bool__(self) -> bool:
        # An object without bytes is an object.
        return True

    def __buffer__(self, flags: int = 0, /) -> memoryview:
        return memoryview(self._whole())

    def __bytes__(self) -> bytes:
        return self._whole()

    def _whole(self) -> bytes:
        if self._memory is None:
            self._check_open()
            self._memory = self._reader.bytes(0, None)
        return self._memory

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed object")

    def readable(self) -> bool:
        """True."""
        self._check_open()
        return True

    def seekable(self) -> bool:
        """True."""
        self._check_open()
        return True

    def tell(self) -> int:
        """The position of the next byte that is read."""
        self._check_open()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position; beyond the end nothing is read."""
        self._check_open()
        offset = operator.index(offset)
        if whence == io.SEEK_CUR:
            offset += self._position
        elif whence == io.SEEK_END:
            offset += self.size
        elif whence != io.SEEK_SET:
            raise ValueError(f"invalid whence ({whence}, should be 0, 1 or 2)")
        if offset < 0:
            raise ValueError(f"negative seek position {offset}")
        self._position = offset
        return offset

    def readinto(self, buffer: Any, /) -> int:
        """Fill a writable buffer, and return how many bytes were read: fewer only where the object ends."""
        self._check_open()
        count = self._reader.readinto(self._position, buffer)
        self._position += count
        return count

    def read(self, size: Optional[int] = -1, /) -> bytes:
        """Return up to ``size`` bytes, or all that are left."""
        self._check_open()
        if size is not None and size >= 0:
            data = self._reader.bytes(self._position, size)
        else:
            data = self._reader.bytes(self._position, None)
        self._position += len(data)
        return data

    def readall(self) -> bytes:
        """Return all that is left."""
        return self.read()


class Store:
    """An open store of objects: immutable bytes, each named by its hash.

    May be used from several threads. What is not there is ``None`` or ``False``, never an exception.
    """

    __slots__ = ("_store",)

    def __init__(self, store: _native.Store) -> None:
        """Use :func:`open_store` or :attr:`Repository.store`."""
        self._store = store

    def __repr__(self) -> str:
        return f"<Store {self.name!r}>"

    @property
    def name(self) -> str:
        """Its URL, without secrets."""
        return self._store.name

    @property
    def algorithm(self) -> str:
        """What makes its ids: ``sha256`` or ``blake3``."""
        return self._store.algorithm

    @property
    def verified_ranges(self) -> bool:
        """Whether a part of an object is never returned damaged."""
        return self._store.verified_ranges

    @property
    def keeps_metadata(self) -> bool:
        """Whether permissions and time of a file are kept with its object."""
        return self._store.keeps_metadata

    def put(
        self,
        data: Union[Data, Readable],
        *,
        expected: Optional[str] = None,
        durable: bool = True,
        progress: Optional[ProgressCallback] = None,
    ) -> PutResult:
        """Store bytes, or what a binary file gives until its end.

        Args:
            data: Anything with the buffer protocol, or with a method ``read``.
            expected: The id that the bytes must have; others are not stored.
            durable: Whether the object survives power loss when this returns. If not, it does after :meth:`sync`, one for
                any number of objects; until then only this store object is sure to see it.
            progress: Called with a :class:`Progress`; not for files.

        Raises:
            WrongHash: The bytes have another id than expected; also a ``ValueError``.
        """
        if hasattr(data, "read") and not isinstance(data, StoredObject):
            return PutResult(*self._store.put_reader(data, expected=expected, durable=durable))
        row = self._store.put_bytes(data, expected=expected, durable=durable, progress=chosen(progress))
        return PutResult(*row)

    def put_file(
        self,
        path: StrPath,
        *,
        expected: Optional[str] = None,
        durable: bool = True,
        progress: Optional[ProgressCallback] = None,
    ) -> PutResult:
        """Store the bytes of a file, by the cheapest way that the store has; a clone where the file system can.

        Permissions and time are kept where the store does that. The file stays. Arguments and errors are those of
        :meth:`put`.
        """
        row = self._store.put_file(pathlib.Path(path), expected=expected, durable=durable, progress=chosen(progress))
        return PutResult(*row)

    def get(self, object_id: str) -> Optional[StoredObject]:
        """The object as a file and buffer, or ``None`` when it is not there. Its bytes are read when they are asked for."""
        reader = self._store.open(object_id)
        return None if reader is None else StoredObject(reader, object_id)

    def read(self, object_id: str) -> Optional[bytes]:
        """All bytes of the object, verified, or ``None`` when it is not there."""
        return self._store.read(object_id)

    def restore(self, object_id: str, path: StrPath, *, progress: Optional[ProgressCallback] = None) -> bool:
        """Write the object into a file, verified; ``False`` when it is not there.

        The file appears whole, in place of one that was there; missing parent directories are made. Permissions and time
        are those that the store keeps.
        """
        return self._store.restore(object_id, pathlib.Path(path), progress=chosen(progress))

    def stat(self, object_id: str) -> Optional[ObjectStat]:
        """What is known of the object without reading it, or ``None`` when it is not there."""
        row = self._store.stat(object_id)
        return None if row is None else ObjectStat(*row)

    def stat_many(self, object_ids: Iterable[str]) -> list[Optional[ObjectStat]]:
        """:meth:`stat` for many objects, in their order."""
        rows = self._store.stat_many(list(object_ids))
        return [None if row is None else ObjectStat(*row) for row in rows]

    def __contains__(self, object_id: object) -> bool:
        return isinstance(object_id, str) and self._store.stat(object_id) is not None

    def list(self, prefix: str = "") -> Iterator[str]:
        """The ids that begin with ``prefix``, in order. Memory holds a small part of a large store at a time."""
        if len(prefix) >= 2:
            yield from self._store.ids(prefix)
            return
        for first in range(256):
            digits = f"{first:02x}"
            if digits.startswith(prefix):
                yield from self._store.ids(digits)

    __iter__ = list

    def copy(
        self,
        target: Store,
        object_ids: Optional[Sequence[str]] = None,
        *,
        progress: Optional[ProgressCallback] = None,
    ) -> CopyResult:
        """Copy the objects that ``target`` lacks: all, or those named. Verified on the way; durable when this returns.

        Raises:
            Unsupported: The two stores make their ids differently.
        """
        ids = None if object_ids is None else list(object_ids)
        copied, bytes_copied, present, absent = self._store.copy(target._store, ids, progress=chosen(progress))
        return CopyResult(copied, bytes_copied, present, tuple(absent))

    def sync(self) -> None:
        """Make everything durable that was put with ``durable=False``."""
        self._store.sync()


def open_store(url: str, base: StrPath = ".") -> Store:
    """Open the store that ``url`` names, such as ``sharded:DIR`` or ``memory:``.

    Args:
        url: The store's URL.
        base: What a relative location is relative to.

    Raises:
        InvalidInput: The URL names no store; also a ``ValueError``.
    """
    return Store(_native.open_store(url, pathlib.Path(base)))


def objects_dir(repo_root: StrPath) -> pathlib.Path:
    """Return the directory of a repository's objects, which need not exist.

    Args:
        repo_root: The repository's root, a path or a string.
    """
    return pathlib.Path(repo_root) / ".muse" / "objects"


def object_path(repo_root: StrPath, object_id: str) -> pathlib.Path:
    """Return the file of an object in Muse's layout, which need not exist.

    Args:
        repo_root: The repository's root, a path or a string.
        object_id: 64 lower-case hexadecimal digits.

    Raises:
        ValueError: ``object_id`` is something else.
    """
    object_id = _checked(object_id)
    return objects_dir(repo_root) / object_id[:2] / object_id[2:]


def has_object(repo_root: StrPath, object_id: str) -> bool:
    """Return whether the repository's store has the object.

    Args:
        repo_root: The repository's root, a path or a string.
        object_id: 64 lower-case hexadecimal digits.

    Raises:
        ValueError: ``object_id`` is something else.
    """
    _checked(object_id)
    store = _store_of(repo_root)
    return store is not None and store.stat(object_id) is not None


def write_object(repo_root: StrPath, object_id: str, content: bytes) -> bool:
    """Store bytes, durably, and return whether the object is new.

    An object that is there is hashed; a damaged one is replaced, and counts as new.

    Args:
        repo_root: The repository's root, a path or a string.
        object_id: The id of the bytes.
        content: The bytes, or anything with the buffer protocol.

    Raises:
        ValueError: ``object_id`` is no id, or that of other bytes. Nothing was stored.
    """
    _checked(object_id)
    _make_muse(repo_root)
    store = _native.Vault.open(pathlib.Path(repo_root)).store
    try:
        row = store.put_bytes(content, expected=object_id, durable=True, progress=chosen(None))
    except WrongHash as error:
        raise _integrity(error, "") from None
    return row[2] != "present"


def write_object_from_path(repo_root: StrPath, object_id: str, src: StrPath) -> bool:
    """Store the bytes of a file, durably, and return whether the object is new. Memory does not grow with the file.

    An object that is there is hashed; a damaged one is replaced, and counts as new.

    Args:
        repo_root: The repository's root, a path or a string.
        object_id: The id of the file's bytes.
        src: The file, a path or a string.

    Raises:
        ValueError: ``object_id`` is no id, or that of other bytes. Nothing was stored.
        OSError: The file cannot be read.
    """
    _checked(object_id)
    _make_muse(repo_root)
    store = _native.Vault.open(pathlib.Path(repo_root)).store
    try:
        row = store.put_file(pathlib.Path(src), expected=object_id, durable=True, progress=chosen(None))
    except WrongHash as error:
        raise _integrity(error, f" for {src}") from None
    return row[2] != "present"


def read_object(repo_root: StrPath, object_id: str) -> Optional[bytes]:
    """Return the bytes of an object, verified, or ``None`` when the store does not have it.

    Args:
        repo_root: The repository's root, a path or a string.
        object_id: 64 lower-case hexadecimal digits.

    Raises:
        ValueError: ``object_id`` is something else.
        CorruptObject: The stored bytes do not hash to the id; also an ``OSError``.
    """
    _checked(object_id)
    store = _store_of(repo_root)
    return None if store is None else store.read(object_id)


def restore_object(repo_root: StrPath, object_id: str, dest: StrPath) -> bool:
    """Write an object into a file, verified, and return whether the store has it.

    The file appears whole, in place of one that was there, with the permissions and the time of the file that was stored.
    Missing parent directories are made.

    Args:
        repo_root: The repository's root, a path or a string.
        object_id: 64 lower-case hexadecimal digits.
        dest: The file, a path or a string.

    Raises:
        ValueError: ``object_id`` is something else.
        CorruptObject: The stored bytes do not hash to the id; also an ``OSError``. ``dest`` is as it was.
    """
    _checked(object_id)
    store = _store_of(repo_root)
    return store is not None and store.restore(object_id, pathlib.Path(dest), progress=chosen(None))


def _checked(object_id: str) -> str:
    if not isinstance(object_id, str):
        raise TypeError(f"an object id is a str, not {type(object_id).__name__}")
    if len(object_id) != 64 or not _DIGITS.issuperset(object_id):
        message = f"Invalid object id {object_id[:80]!r}: it must be exactly 64 lowercase hex characters"
        raise make("invalid_input", message)
    return object_id


def _store_of(repo_root: StrPath) -> Optional[_native.Store]:
    """The repository's store, or ``None``: where there is no repository, there is no object either."""
    try:
        return _native.Vault.open(pathlib.Path(repo_root)).store
    except NotARepository:
        return None


def _make_muse(repo_root: StrPath) -> None:
    os.makedirs(objects_dir(repo_root), exist_ok=True)


def _integrity(error: WrongHash, where: str) -> WrongHash:
    """The same, in words that Muse's users know."""
    error.args = (f"Content integrity failure{where}: {error}",)
    return error
