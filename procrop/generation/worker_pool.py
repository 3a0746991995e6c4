"""Source photos through item makers, in this process or in several."""

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from .errors import GenerationError
from .item_records import ItemFolder
from .source_photos import SourcePhoto

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# photos handed to each worker ahead of time
_AHEAD = 2


class Maker(Protocol):
    """What makes the items of a photo: a class whose objects are a function of settings and folder.

    Attributes:
        settings: The first argument of its class; ``settings.imports`` are modules to import before.
        items: The finished items; ``items.root`` is the second argument.
    """

    settings: Any
    items: ItemFolder

    def make(self, photo: SourcePhoto) -> tuple[int, int]:
        """Make what is missing; (items made now, items there are)."""


_maker: Maker | None = None


def make_items(
    maker: Maker, photos: Sequence[SourcePhoto], workers: int, threads: int
) -> Iterator[tuple[int, int]]:
    """Make the items of photos; yields, photo by photo as they are done, (items made now, items there are).

    Args:
        maker: The maker of this process; its steps are not used when there are several workers.
        photos: What to do.
        workers: Processes; 1 is this one.
        threads: Threads of numerical libraries in each process: the same number gives the same bytes.

    Raises:
        GenerationError: A worker died, or as the maker's `make`.
    """
    if workers == 1:
        limit_threads(threads)
        yield from map(maker.make, photos)
        return
    arguments = (type(maker), maker.settings, maker.items.root, threads, os.getpid())
    with _threads_of_children(threads):
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, arguments)
        try:
            yield from _results(pool, photos, workers * _AHEAD)
        except BrokenProcessPool as error:
            raise GenerationError(
                "a worker process ended unexpectedly (out of memory?); what is finished is kept: run the same command "
                "again, perhaps with fewer workers"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def limit_threads(threads: int) -> None:
    """Limit the numerical libraries of this process to so many threads."""
    import cv2
    from threadpoolctl import threadpool_limits

    cv2.setNumThreads(threads)
    threadpool_limits(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _results(
    pool: ProcessPoolExecutor, photos: Sequence[SourcePhoto], ahead: int
) -> Iterator[tuple[int, int]]:
    """Results as they come; only a few photos are waiting at a time, so that an error stops the run soon."""
    todo, running = iter(photos), set[Future]()
    while True:
        for photo in todo:
            running.add(pool.submit(_make, photo))
            if len(running) >= ahead:
                break
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()


def _make(photo: SourcePhoto) -> tuple[int, int]:
    return _maker.make(photo)


def _start(kind: type[Maker], settings: Any, root: Path, threads: int, parent: int) -> None:  # noqa: ANN401
    """Set a worker process up."""
    global _maker
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    for name in settings.imports:
        import_module(name)
    _maker = kind(settings, root)
    limit_threads(threads)


def _end_with(parent: int) -> None:
    """End this process when its parent is gone, also by a kill: nothing may go on writing."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


@contextmanager
def _threads_of_children(threads: int) -> Iterator[None]:
    """Processes that are started meanwhile load their libraries with so many threads."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
