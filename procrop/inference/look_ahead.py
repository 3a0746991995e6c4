"""Work on the next item of a stream while the present one is in use."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# how long to wait for an item that is being made when nobody wants it any more, in seconds
_PATIENCE = 10.0


def look_ahead(items: Iterable[T], prepare: Callable[[T], R], ahead: int = 1) -> Iterator[R]:
    """``prepare`` every item, in order, in a thread that is at most ``ahead`` items before the consumer.

    The thread takes an item from ``items`` when there is room for it, not before, so a generator without end is fine,
    and one that waits for its next item holds no result back. It starts with the first result that is asked for, and
    ends with the last one, with an error, or when the consumer stops (``close``, or the iterator is forgotten).

    Args:
        items: what to prepare; its errors, like those of ``prepare``, reach the consumer behind the results that came
            before them.
        prepare: called in the thread.
        ahead: at least 1.
    """
    ready: queue.SimpleQueue = queue.SimpleQueue()
    room, stopped, end = threading.Semaphore(ahead), threading.Event(), object()

    def work() -> None:
        try:
            source = iter(items)
            while room.acquire() and not stopped.is_set():
                item = next(source, end)
                if item is end:
                    ready.put((end, None))
                    return
                ready.put((prepare(item), None))
        except BaseException as error:  # it belongs to the consumer
            ready.put((end, error))

    worker = threading.Thread(target=work, name="procrop-look-ahead", daemon=True)
    worker.start()
    try:
        while True:
            value, error = ready.get()
            if error is not None:
                raise error
            if value is end:
                return
            room.release()
            yield value
    finally:
        stopped.set()
        room.release()
        worker.join(_PATIENCE)
