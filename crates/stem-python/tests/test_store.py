"""Stores by URL, and their objects as files and buffers."""

from __future__ import annotations

import array
import gc
import hashlib
import io
import os
import pathlib
import shutil
import threading
import wave
from typing import IO, Any, List, cast

import pytest

import stemvault
from conftest import Repo, sha256


@pytest.fixture(params=["sharded:objects", "memory:"])
def store(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> stemvault.Store:
    return stemvault.open_store(request.param, tmp_path)


def get(store: stemvault.Store, name: str) -> stemvault.StoredObject:
    found = store.get(name)
    assert found is not None
    return found


def test_put_get_stat_list(store: stemvault.Store) -> None:
    data = os.urandom(2_500_000)
    put = store.put(data)
    assert put == stemvault.PutResult(sha256(data), len(data), "new")
    assert store.put(data).written == "present"
    assert store.read(put.object_id) == data
    stat = store.stat(put.object_id)
    assert stat is not None and stat.size == len(data)
    other = store.put(b"other").object_id
    assert list(store.list()) == list(store) == sorted([put.object_id, other])
    for length in (0, 1, 2, 5, 64):
        assert put.object_id in list(store.list(put.object_id[:length]))
    assert put.object_id in store and "0" * 64 not in store
    assert store.stat_many([other, "0" * 64]) == [store.stat(other), None]
    assert (store.get("0" * 64), store.read("0" * 64), store.stat("0" * 64)) == (None, None, None)
    assert store.algorithm == "sha256"


@pytest.mark.parametrize("size", [0, 10, 2_000_000])
def test_everything_that_has_bytes_can_be_put(store: stemvault.Store, size: int) -> None:
    data = os.urandom(size)
    sources: List[Any] = [
        data,
        bytearray(data),
        memoryview(data),
        array.array("B", data),
        memoryview(bytearray(data) + b"tail")[:size],
        io.BytesIO(data),
        io.BufferedReader(io.BytesIO(data)),
    ]
    for source in sources:
        assert store.put(source).object_id == sha256(data)
    stored = get(store, sha256(data))
    assert store.put(stored).written == "present"
    for wrong in ("text", 5, None, memoryview(b"abcd")[::2]):
        with pytest.raises((TypeError, BufferError)):
            store.put(wrong)


def test_a_source_s_own_exception_is_raised_and_nothing_is_stored(store: stemvault.Store) -> None:
    class Failing(io.RawIOBase):
        asked = 0

        def read(self, size: int = -1) -> bytes:
            self.asked += 1
            if self.asked > 2:
                raise ZeroDivisionError("mine")
            return b"x" * 10

    with pytest.raises(ZeroDivisionError, match="mine"):
        store.put(Failing())

    class Greedy:
        def read(self, size: int) -> bytes:
            return b"x" * (size + 1)

    class Text:
        def read(self, size: int) -> str:
            return "text"

    with pytest.raises(ValueError):
        store.put(Greedy())
    with pytest.raises(TypeError):
        store.put(Text())
    assert list(store) == []


def test_an_expected_id_is_checked(store: stemvault.Store) -> None:
    assert store.put(b"a", expected=sha256(b"a")).written == "new"
    for data in (b"b", b"b" * 2_000_000, io.BytesIO(b"b")):
        with pytest.raises(stemvault.WrongHash) as raised:
            store.put(data, expected=sha256(b"a"))
        assert raised.value.object_id == sha256(b"a")
    assert list(store) == [sha256(b"a")]


def test_many_objects_need_one_sync(tmp_path: pathlib.Path) -> None:
    store = stemvault.open_store("sharded:objects", tmp_path)
    names = [store.put(str(n).encode(), durable=False).object_id for n in range(100)]
    store.sync()
    assert sorted(stemvault.open_store("sharded:objects", tmp_path)) == sorted(names)


def test_files_are_put_and_restored(store: stemvault.Store, tmp_path: pathlib.Path) -> None:
    source = tmp_path / "take.wav"
    source.write_bytes(os.urandom(100_000))
    source.chmod(0o600)
    put = store.put_file(source)
    assert put == stemvault.PutResult(sha256(source.read_bytes()), 100_000, "new")
    assert store.restore(put.object_id, str(tmp_path / "a" / "b")) is True
    assert (tmp_path / "a" / "b").read_bytes() == source.read_bytes()
    if store.keeps_metadata:
        stat = store.stat(put.object_id)
        assert stat is not None
        assert (stat.mode, stat.mtime_ns) == (0o600, source.stat().st_mtime_ns)
        assert (tmp_path / "a" / "b").stat().st_mtime_ns == source.stat().st_mtime_ns
    assert store.restore("0" * 64, tmp_path / "none") is False
    assert not (tmp_path / "none").exists()
    with pytest.raises(FileNotFoundError):
        store.put_file(tmp_path / "absent")


def test_a_copy_takes_what_is_missing(store: stemvault.Store) -> None:
    target = stemvault.open_store("memory:")
    names = [store.put(os.urandom(1000 + n)).object_id for n in range(50)]
    target.put(store.read(names[0]))
    result = store.copy(target)
    assert (result.copied, result.present, result.absent) == (49, 1, ())
    assert result.bytes_copied == sum(1000 + n for n in range(50)) - 1000
    assert list(target) == sorted(names)
    assert store.copy(target).copied == 0
    some = stemvault.open_store("memory:")
    result = store.copy(some, [names[3], "0" * 64])
    assert (result.copied, result.absent) == (1, ("0" * 64,))
    with pytest.raises(stemvault.Unsupported):
        store.copy(stemvault.open_store("memory:?hash=blake3"))


def test_a_copy_does_not_spread_damage(tmp_path: pathlib.Path) -> None:
    store = stemvault.open_store("sharded:objects", tmp_path)
    name = store.put(b"sound").object_id
    (tmp_path / "objects" / name[:2] / name[2:]).write_bytes(b"spoil")
    target = stemvault.open_store("memory:")
    with pytest.raises(stemvault.CorruptObject):
        store.copy(target)
    assert list(target) == []


@pytest.mark.parametrize("url", ["nope:x", "sharded:", "memory:x", "memory:?hash=md5", "objects", ""])
def test_mistakes_in_urls_are_told(url: str) -> None:
    with pytest.raises(ValueError) as raised:
        stemvault.open_store(url)
    assert isinstance(raised.value, stemvault.InvalidInput)


def test_a_repository_s_store(repo: Repo) -> None:
    name = repo.put(b"kick")
    store = stemvault.Repository(repo.root).store
    assert store.read(name) == b"kick"
    assert list(store) == [name]


def test_an_object_is_a_buffer_whose_memory_is_shared(store: stemvault.Store) -> None:
    data = os.urandom(100_000)
    stored = get(store, store.put(data).object_id)
    first, second = memoryview(stored), memoryview(stored)
    assert first == second == data
    assert first.readonly and first.format == "B" and first.nbytes == len(data)
    assert bytes(stored) is bytes(stored), "one memory for all"
    assert hashlib.sha256(stored).hexdigest() == stored.object_id
    assert bytes(stored) == data and bytearray(stored) == data
    assert len(stored) == stored.size == len(data)
    del stored
    gc.collect()
    assert first == data, "a view keeps the memory"
    with pytest.raises((BufferError, TypeError)):
        io.BytesIO(data).readinto(get(store, sha256(data)))


def test_an_empty_object(store: stemvault.Store) -> None:
    stored = get(store, store.put(b"").object_id)
    assert stored and len(stored) == 0
    assert (stored.read(), bytes(memoryview(stored)), stored.readinto(bytearray(3))) == (b"", b"", 0)


def test_an_object_is_a_file(store: stemvault.Store) -> None:
    data = bytes(range(256)) * 1000
    stored = get(store, store.put(data).object_id)
    assert isinstance(stored, io.RawIOBase)
    assert (stored.readable(), stored.seekable(), stored.writable(), stored.closed) == (True, True, False, False)
    assert stored.read(3) == data[:3] and stored.tell() == 3
    target = bytearray(1000)
    assert stored.readinto(target) == 1000 and target == data[3:1003]
    assert stored.seek(-10, io.SEEK_END) == len(data) - 10
    assert stored.read() == data[-10:] and stored.read() == b"" and stored.read(5) == b""
    assert stored.seek(100) == 100 and stored.seek(5, io.SEEK_CUR) == 105
    assert stored.read(7) == data[105:112]
    assert stored.seek(10**12) == 10**12 and stored.read(1) == b""
    assert stored.seek(0) == 0 and stored.readall() == data
    part = memoryview(bytearray(20))[5:15]
    stored.seek(50)
    assert stored.readinto(part) == 10 and bytes(part) == data[50:60]
    for offset, whence in ((-1, 0), (0, 9)):
        with pytest.raises(ValueError):
            stored.seek(offset, whence)
    with pytest.raises((BufferError, TypeError)):
        stored.readinto(b"read-only")
    with stored:
        pass
    assert stored.closed
    for call in (stored.read, stored.tell, stored.readable, lambda: stored.readinto(bytearray(1)), lambda: bytes(stored)):
        with pytest.raises(ValueError):
            call()


def test_python_s_own_readers_read_objects(store: stemvault.Store, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "take.wav"
    frames = os.urandom(48_000 * 4)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(48_000)
        out.writeframes(frames)
    name = store.put_file(path).object_id
    with wave.open(cast(IO[bytes], get(store, name)), "rb") as back:
        assert (back.getnchannels(), back.getnframes()) == (2, 48_000)
        assert back.readframes(48_000) == frames
        back.setpos(100)
        assert back.readframes(2) == frames[400:408]
    with open(tmp_path / "copy.wav", "wb") as target:
        shutil.copyfileobj(get(store, name), target)
    assert (tmp_path / "copy.wav").read_bytes() == path.read_bytes()
    text = store.put("Strophe\nRefrain\n".encode()).object_id
    assert list(io.TextIOWrapper(io.BufferedReader(get(store, text)))) == ["Strophe\n", "Refrain\n"]


def test_damage_is_found_at_the_end_of_a_file_and_before_a_buffer(tmp_path: pathlib.Path) -> None:
    store = stemvault.open_store("sharded:objects", tmp_path)
    data = os.urandom(200_000)
    name = store.put(data).object_id
    rotten = bytearray(data)
    rotten[100] ^= 1
    (tmp_path / "objects" / name[:2] / name[2:]).write_bytes(rotten)
    stored = get(store, name)
    assert stored.read(10) == data[:10]
    with pytest.raises(stemvault.CorruptObject):
        stored.read()
    with pytest.raises(stemvault.CorruptObject) as raised:
        memoryview(get(store, name))
    assert raised.value.object_id == name


def test_an_object_that_vanishes(tmp_path: pathlib.Path) -> None:
    store = stemvault.open_store("sharded:objects", tmp_path)
    name = store.put(b"kick").object_id
    stored = get(store, name)
    (tmp_path / "objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(FileNotFoundError) as raised:
        stored.read()
    assert isinstance(raised.value, stemvault.NoSuchObject)


def test_a_store_is_used_from_many_threads(store: stemvault.Store) -> None:
    pieces = [os.urandom(10_000 + n) for n in range(40)]
    failures: List[BaseException] = []

    def work() -> None:
        try:
            for piece in pieces:
                name = store.put(piece).object_id
                assert memoryview(get(store, name)) == piece
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(store) == sorted(sha256(piece) for piece in pieces)
