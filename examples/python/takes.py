"""The object store by itself: takes are stored once, read in pieces or as a whole, and copied to a second store.

    python examples/python/takes.py [DIRECTORY]
"""

from __future__ import annotations

import io
import pathlib
import sys
import tempfile
import wave
from typing import IO, cast

import stemvault


def take(seconds: int, level: int) -> bytes:
    """A WAV file with a square wave of 500 Hz."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(48_000)
        period = (level.to_bytes(2, "little", signed=True) * 48) + ((-level).to_bytes(2, "little", signed=True) * 48)
        out.writeframes(period * 500 * seconds)
    return file.getvalue()


def run(directory: pathlib.Path) -> None:
    """Store three takes, two of which are the same."""
    store = stemvault.open_store("sharded:takes", directory)
    puts = [store.put(take(2, level), durable=False) for level in (1000, 2000, 1000)]
    # One flush for all of them.
    store.sync()
    print(f"{len(puts)} takes, {len(set(store))} objects")

    loud = store.get(puts[1].object_id)
    assert loud is not None
    # As a file, for whoever reads files: only what is asked for is read.
    with wave.open(cast(IO[bytes], loud), "rb") as audio:
        print(f"{audio.getnframes() / audio.getframerate():.1f} s of audio")
    # As a buffer, for whoever computes with it: no copy is made. 44 bytes of header, then samples.
    samples = memoryview(loud)[44:].cast("h")
    print(f"the loudest sample is {max(samples)}")
    assert max(samples) == 2000

    backup = stemvault.open_store("sharded:backup", directory)
    first = store.copy(backup)
    again = store.copy(backup)
    print(f"{first.copied} objects copied, then {again.copied}")
    assert (first.copied, again.copied) == (2, 0)


def main() -> None:
    """Run in the directory that was named, or in one that goes afterwards."""
    if len(sys.argv) > 1:
        root = pathlib.Path(sys.argv[1])
        root.mkdir(parents=True, exist_ok=True)
        run(root)
        return
    with tempfile.TemporaryDirectory() as directory:
        run(pathlib.Path(directory))


if __name__ == "__main__":
    main()
