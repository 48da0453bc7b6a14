"""A push through the Python module against one through the program `stem`.

    cargo build --release -p stem-cli
    maturin build --release --manifest-path crates/stem-python/Cargo.toml --out wheels
    python3 -m venv /tmp/env && /tmp/env/bin/pip install wheels/stemvault-*.whl
    /tmp/env/bin/python benches/python.py --stem target/release/stem --dir /mnt/bench

12 stems of 128 MiB (seeded noise; `--stems`, `--mib`) are pushed from a repository without a commit and come back by a pop
that is not measured, in turns through the module and through the program, with an empty store and everything synced each
time. Both are timed as processes, from start to end, for that is what can be compared; the call alone is shown beside it,
and the processor time of both, which a busy machine disturbs less.
The trees are compared after every round. Prints the median of the ratios of each round with its interval.

`--ctrl-c` measures something else: how long after SIGINT a push raises KeyboardInterrupt.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Dict, List, Tuple

MODULE = """
import sys, time
import stemvault
begin, used = time.perf_counter(), time.process_time()
result = stemvault.push_stash(sys.argv[1], message="bench")
print(time.perf_counter() - begin, time.process_time() - used)
assert result.files_stashed == int(sys.argv[2]), result
"""

INTERRUPTED = """
import os, signal, sys, threading, time
import stemvault

sent = 0.0

def press():
    global sent
    time.sleep(float(sys.argv[2]))
    sent = time.perf_counter()
    os.kill(os.getpid(), signal.SIGINT)

phase = ""

def watch(progress):
    global phase
    phase = progress.phase

threading.Thread(target=press, daemon=True).start()
try:
    stemvault.Repository(sys.argv[1]).push(progress=watch)
    print("done before it could be stopped")
except KeyboardInterrupt:
    print(f"{(time.perf_counter() - sent) * 1000:.1f} ms, while {phase}")
"""


def make_repository(root: pathlib.Path, stems: int, mib: int) -> Dict[str, str]:
    """A repository without a commit; returns what its files hash to."""
    (root / ".muse" / "refs" / "heads").mkdir(parents=True)
    (root / ".muse" / "HEAD").write_text("refs/heads/main")
    (root / ".muse" / "refs" / "heads" / "main").write_text("")
    (root / "muse-work" / "tracks").mkdir(parents=True)
    noise = random.Random(42)
    hashes = {}
    for number in range(stems):
        path = root / "muse-work" / "tracks" / f"stem-{number:02}.wav"
        digest = hashlib.sha256()
        with open(path, "wb") as file:
            for _ in range(mib):
                block = noise.randbytes(1 << 20)
                digest.update(block)
                file.write(block)
        hashes[path.name] = digest.hexdigest()
    return hashes


def prepare(root: pathlib.Path) -> None:
    """An empty store, files in the page cache, nothing left to be written."""
    shutil.rmtree(root / ".muse" / "objects", ignore_errors=True)
    shutil.rmtree(root / ".muse" / "stem", ignore_errors=True)
    for path in (root / "muse-work" / "tracks").iterdir():
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 22):
                pass
    os.sync()


def bring_back(root: pathlib.Path, stem: str, hashes: Dict[str, str]) -> None:
    """Pop, and compare every byte."""
    subprocess.run([stem, "--repo", str(root), "-q", "stash", "pop"], check=True)
    for name, expected in hashes.items():
        digest = hashlib.sha256()
        with open(root / "muse-work" / "tracks" / name, "rb", buffering=0) as file:
            while block := file.read(1 << 22):
                digest.update(block)
        assert digest.hexdigest() == expected, name


def timed(command: List[str]) -> Tuple[float, float, bytes]:
    """Seconds of the process, of the processors, and what it wrote."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    seconds = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return seconds, used, done.stdout


def interval(values: List[float]) -> Tuple[float, float]:
    """About 95 % of the median, from the order of the values."""
    ordered = sorted(values)
    reach = round(0.98 * len(ordered) ** 0.5)
    middle = len(ordered) // 2
    return ordered[max(0, middle - reach)], ordered[min(len(ordered) - 1, middle + reach)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stem", default="target/release/stem", help="the program")
    parser.add_argument("--dir", default=tempfile.gettempdir(), help="where the files lie: which disk is measured")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--stems", type=int, default=12)
    parser.add_argument("--mib", type=int, default=128)
    parser.add_argument("--ctrl-c", action="store_true", help="measure how soon SIGINT is honoured")
    parser.add_argument("--json", action="store_true", help="print the rounds as JSON")
    given = parser.parse_args()
    stem = str(pathlib.Path(given.stem).resolve())
    with tempfile.TemporaryDirectory(prefix="stem-bench-", dir=given.dir) as directory:
        root = pathlib.Path(directory)
        hashes = make_repository(root, given.stems, given.mib)
        if given.ctrl_c:
            interrupted(root, stem, given.rounds, hashes)
            return
        rounds = []
        for number in range(given.rounds + 1):
            row: Dict[str, float] = {}
            for who in ("module", "program") if number % 2 else ("program", "module"):
                prepare(root)
                if who == "module":
                    command = [sys.executable, "-I", "-c", MODULE, str(root), str(given.stems)]
                    row["module"], row["module, processors"], told = timed(command)
                    row["call"], row["call, processors"] = map(float, told.split())
                else:
                    command = [stem, "--repo", str(root), "-q", "stash", "push", "-m", "bench"]
                    row["program"], row["program, processors"], _ = timed(command)
                bring_back(root, stem, hashes)
            if number:
                # The first round warms up.
                rounds.append(row)
    if given.json:
        print(json.dumps(rounds))
        return
    print(f"{len(rounds)} rounds; seconds: median, fastest; ratios to the program: median, interval")
    for suffix in ("", ", processors"):
        for who in ("program", "module", "call"):
            times = [row[who + suffix] for row in rounds]
            ratios = [row[who + suffix] / row["program" + suffix] for row in rounds]
            low, high = interval(ratios)
            print(
                f"{who + suffix:20} {statistics.median(times):.3f} {min(times):.3f}"
                f"   {statistics.median(ratios):.3f} [{low:.3f}, {high:.3f}]"
            )


def interrupted(root: pathlib.Path, stem: str, rounds: int, hashes: Dict[str, str]) -> None:
    """Push and press Ctrl-C after a while; everything must be where it was."""
    for number in range(rounds):
        prepare(root)
        delay = str(0.05 + 0.4 * number / max(1, rounds - 1))
        done = subprocess.run([sys.executable, "-I", "-c", INTERRUPTED, str(root), delay], check=True, stdout=subprocess.PIPE)
        words = done.stdout.decode().strip()
        print(f"SIGINT after {float(delay) * 1000:.0f} ms: {words}")
        if words.startswith("done"):
            bring_back(root, stem, hashes)
        assert {path.name for path in (root / "muse-work" / "tracks").iterdir()} == set(hashes)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
