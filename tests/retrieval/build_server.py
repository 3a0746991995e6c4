"""Builds galleries in child processes that may be killed, starve or lose their rights.

Run as a program it reads jobs, a line of JSON each, and forks a child for every one: what takes seconds, the imports,
is done once. `BuildServer` is the other end of the pipe.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from itertools import count
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


class BuildServer:
    """Starts builds and waits for them; a context manager.

    A job holds ``photos`` and ``folder``, and optionally ``names`` (of the photos to take, else all), ``retrieval``,
    ``delay`` (seconds per photo), ``shard_size``, ``rank`` and ``processes`` (`build_share` from rank 1 on), ``part``
    (`build_part`), ``die_at`` (number of the rename at which it kills itself), ``file_size`` (largest file that it may
    write) and ``uid`` (user that it becomes).
    """

    def __enter__(self):
        path = os.pathsep.join([str(ROOT), str(HERE)])
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        return self

    def __exit__(self, *exception):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, **message):
        self._process.stdin.write(json.dumps(message, default=str) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, **job) -> int:
        """Start a build; its process id."""
        return self._ask(job=job)

    def wait(self, pid) -> tuple[int, str]:
        """Exit code of a build (minus the signal that killed it), and its last words."""
        return tuple(self._ask(wait=pid))

    def run(self, **job) -> tuple[int, str]:
        """Start and wait."""
        return self.wait(self.start(**job))

    def kill(self, pid) -> None:
        """kill -9."""
        os.kill(pid, signal.SIGKILL)
        assert self.wait(pid)[0] in (-signal.SIGKILL, 0)


def _die_at(number):
    renames, rename = count(1), os.replace

    def replace(*args, **kwargs):
        if next(renames) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(*args, **kwargs)

    os.replace = replace


def _build(job):
    from colour_backbone import ColourBackbone

    from procrop.retrieval import GalleryItem, build_gallery, build_part, build_share, items_from_folder

    photos = job["photos"]
    items = items_from_folder(photos)
    if "names" in job:
        items = [GalleryItem(os.path.join(photos, name)) for name in job["names"]]
    retrieval = job.get("retrieval") or dict(
        backbone=dict(type="ColourBackbone"), key_transform=dict(type="Normalise")
    )
    options = dict(shard_size=job.get("shard_size", 3), backbone=ColourBackbone(delay=job.get("delay", 0.0)))
    work = job["folder"], items, retrieval, photos
    rank, processes = job.get("rank", 0), job.get("processes", 1)
    if "die_at" in job:
        _die_at(job["die_at"])
    if "file_size" in job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["file_size"],) * 2)
    if "uid" in job:
        os.setuid(job["uid"])
    if job.get("part"):
        build_part(*work, rank, processes, **options)
    elif rank:
        build_share(*work, rank, processes, **options)
    else:
        build_gallery(*work, processes=processes, **options)


def _serve():
    from colour_backbone import draw_photos

    # one build imports everything that a build needs; its threads have ended when the first child is forked
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as sys.stderr:
        photos = draw_photos(Path(folder) / "photos", 2)
        _build(dict(photos=photos, folder=Path(folder) / "g"))
    sys.stderr = sys.__stderr__
    reports = {}
    for line in sys.stdin:
        message = json.loads(line)
        if "wait" in message:
            pid = message["wait"]
            _, status = os.waitpid(pid, 0)
            with os.fdopen(reports.pop(pid), errors="replace") as words:
                print(json.dumps([os.waitstatus_to_exitcode(status), words.read()]), flush=True)
            continue
        readable, writable = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            try:
                _build(message["job"])
            except BaseException:
                os.write(writable, traceback.format_exc().encode()[-8000:])
                os._exit(1)
            os._exit(0)
        os.close(writable)
        reports[pid] = readable
        print(json.dumps(pid), flush=True)


if __name__ == "__main__":
    _serve()
