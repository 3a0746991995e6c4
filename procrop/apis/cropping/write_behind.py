"""Work that is done behind the main thread, and handed over in order."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class WriteBehind(Generic[T, R]):
    """``make`` items in several threads, and ``commit`` each result in one thread, in the order of the items.

    Leaving the block waits for all that was put. What went wrong in a thread is raised by the next :meth:`put`, or when
    the block is left; nothing behind it is committed.

    Args:
        make: from an item to its result; called in any thread.
        commit: called with one result at a time.
        workers: threads that make.
        ahead: items that wait or are being made, at most, beside the one in each thread.
    """

    def __init__(
        self, make: Callable[[T], R], commit: Callable[[R], None], workers: int = 1, ahead: int = 2
    ) -> None:
        self._make, self._commit_result = make, commit
        self._makers = ThreadPoolExecutor(workers, "procrop-make")
        self._committer = ThreadPoolExecutor(1, "procrop-commit")
        self._room = threading.Semaphore(workers + ahead)
        self._error: BaseException | None = None

    def put(self, item: T) -> None:
        """Hand over an item; waits while there is no room.

        Raises:
            BaseException: what went wrong with an earlier item.
        """
        self._room.acquire()
        if self._error is not None:
            self._room.release()
            raise self._error
        self._committer.submit(self._commit, self._makers.submit(self._make, item))

    def _commit(self, made: "Future[R]") -> None:
        try:
            result = made.result()
            if self._error is None:
                self._commit_result(result)
        except BaseException as error:  # it belongs to the main thread
            self._error = self._error or error
        finally:
            self._room.release()

    def __enter__(self) -> "WriteBehind[T, R]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._makers.shutdown()
        self._committer.shutdown()
        if kind is None and self._error is not None:
            raise self._error
