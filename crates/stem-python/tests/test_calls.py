"""What holds for every long call: progress, Ctrl-C, other threads, forks."""

from __future__ import annotations

import fcntl
import os

import signal
import subprocess
import sys
import textwrap
import threading
from typing import Any, Callable, Iterator, List

import pytest

import stemvault
from conftest import Repo

#: Larger than anything that could be done between two looks at signals; holes, so that no disk is needed.
LARGE = 1 << 30


@pytest.fixture
def large(repo: Repo) -> Repo:
    """A repository with files that take a while to hash."""
    for name in ("kick.wav", "room.wav"):
        with open(repo.work / name, "wb") as file:
            file.truncate(LARGE)
    return repo


@pytest.fixture
def ctrl_c() -> Iterator[Callable[[], None]]:
    """A function that makes another thread send SIGINT to this process, while this thread is in a call."""
    threads: List[threading.Thread] = []

    def press() -> None:
        thread = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))
        threads.append(thread)
        thread.start()

    yield press
    for thread in threads:
        thread.join()


class Begun:
    """A progress callback that calls a function once, when bytes of a phase are done."""

    def __init__(self, phase: str, then: Callable[[], None]) -> None:
        self.phase = phase
        self.then = then
        self.calls = 0

    def __call__(self, progress: stemvault.Progress) -> None:
        if progress.phase == self.phase and progress.bytes > 0:
            self.calls += 1
            if self.calls == 1:
                self.then()


def test_ctrl_c_during_a_push_leaves_everything_where_it_was(large: Repo, ctrl_c: Callable[[], None]) -> None:
    vault = stemvault.Repository(large.root)
    with pytest.raises(KeyboardInterrupt):
        vault.push(progress=Begun("saving", ctrl_c))
    assert {path.name: path.stat().st_size for path in large.work.iterdir()} == {"kick.wav": LARGE, "room.wav": LARGE}
    assert (vault.list(), large.objects(), vault.status().interrupted) == ([], {}, False)


def test_ctrl_c_works_for_the_functions_without_a_callback(large: Repo, ctrl_c: Callable[[], None]) -> None:
    with stemvault.watching(Begun("hashing", ctrl_c)), pytest.raises(KeyboardInterrupt):
        stemvault.walk_workdir(large.work)
    with stemvault.watching(Begun("hashing", ctrl_c)), pytest.raises(KeyboardInterrupt):
        stemvault.hash_file(large.work / "kick.wav")
    store = stemvault.open_store("sharded:objects", large.root)
    with pytest.raises(KeyboardInterrupt):
        store.put_file(large.work / "kick.wav", progress=Begun("saving", ctrl_c))
    assert list(store) == []


def test_ctrl_c_while_another_process_holds_the_lock(repo: Repo, ctrl_c: Callable[[], None]) -> None:
    repo.write({"a": b"a"})
    stem = repo.muse / "stem"
    stem.mkdir()
    with open(stem / "worktree.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def waiting(progress: stemvault.Progress) -> None:
            if progress.phase == "waiting":
                ctrl_c()

        with pytest.raises(KeyboardInterrupt):
            stemvault.Repository(repo.root).push(progress=waiting)
    # The verb that was given up finds the lock free now, and must not do anything with it.
    assert stemvault.Repository(repo.root).status().entries == 0
    assert repo.tree() == {"a": b"a"}


def test_an_exception_of_the_callback_stops_the_call_and_is_raised(large: Repo) -> None:
    class Enough(Exception):
        pass

    def stop() -> None:
        raise Enough("of that")

    vault = stemvault.Repository(large.root)
    with pytest.raises(Enough, match="of that"):
        vault.push(progress=Begun("saving", stop))
    assert sorted(path.name for path in large.work.iterdir()) == ["kick.wav", "room.wav"]
    assert vault.list() == []


def test_progress_tells_every_phase_on_the_calling_thread(repo: Repo) -> None:
    repo.write({f"{n}.mid": os.urandom(1000) for n in range(20)})
    seen: List[stemvault.Progress] = []
    threads = set()

    def watch(progress: stemvault.Progress) -> None:
        seen.append(progress)
        threads.add(threading.get_ident())

    vault = stemvault.Repository(repo.root)
    vault.push(progress=watch)
    vault.pop(progress=watch)
    phases = [progress.phase for progress in seen]
    assert {"scanning", "saving", "syncing", "clearing", "restoring"} <= set(phases)
    assert threads == {threading.get_ident()}
    restoring = [progress for progress in seen if progress.phase == "restoring" and progress.files_total]
    assert (restoring[-1].files, restoring[-1].files_total) == (20, 20)
    assert all(progress.bytes >= 0 and progress.files >= 0 for progress in seen)


def test_watching_is_for_the_block_only_and_for_calls_without_a_callback(repo: Repo) -> None:
    repo.write({"a": b"a"})
    around: List[Any] = []
    own: List[Any] = []
    with stemvault.watching(around.append):
        stemvault.push_stash(repo.root)
        assert around
        told = len(around)
        stemvault.Repository(repo.root).apply(progress=own.append)
        assert own and len(around) == told
    stemvault.apply_stash(repo.root)
    assert len(around) == told


def test_other_threads_run_while_a_call_works(large: Repo) -> None:
    begun, done = threading.Event(), threading.Event()
    steps = 0

    def count() -> None:
        nonlocal steps
        begun.wait()
        while not done.is_set():
            steps += 1

    thread = threading.Thread(target=count)
    thread.start()
    try:
        with stemvault.watching(lambda progress: begun.set()):
            stemvault.hash_file(large.work / "kick.wav")
        during = steps
    finally:
        begun.set()
        done.set()
        thread.join()
    # Between two looks of the call at progress, a thread that is not let run would not have moved.
    assert during > 1000


def test_calls_of_several_threads_wait_for_each_other(repo: Repo) -> None:
    repo.write({f"{n}.mid": os.urandom(100) for n in range(50)})
    failures: List[BaseException] = []

    def work(name: str) -> None:
        try:
            for n in range(5):
                repo.write({f"{name}.txt": f"{name} {n}".encode()})
                stemvault.Repository(repo.root).push(name, paths=[f"{name}.txt"], no_head=True, keep=True)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"thread-{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(stemvault.list_stash(repo.root)) == 30


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_works_on_its_own(repo: Repo) -> None:
    repo.write({"a": b"a"})
    stemvault.push_stash(repo.root, message="parent")
    repo.write({"b": b"b"})
    child = os.fork()
    if child == 0:
        code = 1
        try:
            stemvault.push_stash(repo.root, message="child")
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert [entry.message for entry in stemvault.list_stash(repo.root)] == ["child", "parent"]


def test_a_second_ctrl_c_does_not_wait_and_the_next_verb_finds_everything(large: Repo) -> None:
    program = textwrap.dedent(
        """
        import os, signal, sys, threading
        import stemvault

        vault = stemvault.Repository(sys.argv[1])
        pressed = 0

        def again():
            global pressed
            pressed += 1
            os.kill(os.getpid(), signal.SIGINT)

        def watch(progress):
            if progress.phase == "saving" and progress.bytes > 0 and not pressed:
                threading.Thread(target=again).start()
                threading.Timer(0.03, again).start()

        try:
            vault.push(progress=watch)
        except KeyboardInterrupt:
            try:
                sys.exit(5)
            except KeyboardInterrupt:
                os._exit(5)
        """
    )
    arguments = [sys.executable, "-c", program, str(large.root)]
    ended = subprocess.run(arguments, stderr=subprocess.PIPE, check=False)
    assert ended.returncode in (5, -signal.SIGINT, 1), ended.stderr
    vault = stemvault.Repository(large.root)
    vault.recover()
    assert {path.name: path.stat().st_size for path in large.work.iterdir()} == {"kick.wav": LARGE, "room.wav": LARGE}
    assert vault.list() == []


def test_a_program_that_ends_during_a_call_of_a_daemon_thread(large: Repo) -> None:
    program = textwrap.dedent(
        """
        import sys, threading
        import stemvault

        begun = threading.Event()

        def work():
            stemvault.Repository(sys.argv[1]).push(progress=lambda progress: begun.set())

        threading.Thread(target=work, daemon=True).start()
        begun.wait()
        """
    )
    ended = subprocess.run([sys.executable, "-c", program, str(large.root)], stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    vault = stemvault.Repository(large.root)
    vault.recover()
    sizes = {path.name: path.stat().st_size for path in large.work.iterdir()}
    assert sizes == {"kick.wav": LARGE, "room.wav": LARGE} or len(vault.list()) == 1


