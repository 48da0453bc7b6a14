"""What the reference implementation does on a push and a pop, to be timed beside the stash.

Written from the description of its behaviour, with the cost that it has: every file is hashed while the tree is walked,
in pieces of 64 KiB, hashed again before it is stored, and copied with its metadata; objects are not flushed. The branch
has no commit, so a push ends by removing the files.

    reference.py push|pop ROOT
"""

import datetime
import hashlib
import json
import pathlib
import shutil
import sys
import uuid

PIECE = 64 * 1024


def object_id(path):
    digest = hashlib.sha256()
    with path.open("rb") as source:
        for piece in iter(lambda: source.read(PIECE), b""):
            digest.update(piece)
    return digest.hexdigest()


def object_file(root, name):
    return root / ".muse" / "objects" / name[:2] / name[2:]


def visible_files(work):
    return [path for path in work.rglob("*") if path.is_file() and not path.name.startswith(".")]


def walk(work):
    return {path.relative_to(work).as_posix(): object_id(path) for path in sorted(visible_files(work))}


def push(root):
    work = root / "muse-work"
    manifest = {}
    for name in sorted(walk(work)):
        path = work / name
        found = object_id(path)
        target = object_file(root, found)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        manifest[name] = found
    branch = (root / ".muse" / "HEAD").read_text().strip().rsplit("/", 1)[-1]
    created = datetime.datetime.now(datetime.timezone.utc).isoformat()
    stamp = created.replace(":", "").replace("+", "Z").replace(".", "")
    entry = {
        "stash_id": f"stash-{stamp}-{uuid.uuid4().hex[:8]}",
        "branch": branch,
        "message": f"On {branch}: stash",
        "created_at": created,
        "track": None,
        "section": None,
        "manifest": manifest,
    }
    stack = root / ".muse" / "stash"
    stack.mkdir(parents=True, exist_ok=True)
    (stack / f"{entry['stash_id']}.json").write_text(json.dumps(entry, indent=2))
    for path in visible_files(work):
        path.unlink()


def pop(root):
    newest = max((root / ".muse" / "stash").glob("stash-*.json"))
    for name, found in sorted(json.loads(newest.read_text())["manifest"].items()):
        target = root / "muse-work" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(object_file(root, found), target)
    newest.unlink()


if __name__ == "__main__":
    {"push": push, "pop": pop}[sys.argv[1]](pathlib.Path(sys.argv[2]))
