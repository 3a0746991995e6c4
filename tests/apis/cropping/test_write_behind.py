"""Work behind the main thread: in order, within bounds, and over when the block is."""

import threading

import pytest

from procrop.apis.cropping.write_behind import WriteBehind


def threads():
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("procrop-")}


def test_results_are_committed_in_order_by_one_thread_whichever_is_ready_first():
    later, committed, makers = threading.Event(), [], set()

    def make(item):
        makers.add(threading.current_thread().name)
        if item == 0:
            later.wait(10)  # the second item is ready before the first
        else:
            later.set()
        return item * item

    with WriteBehind(
        make, lambda made: committed.append((made, threading.current_thread().name)), 2
    ) as behind:
        for item in range(20):
            behind.put(item)
    assert [made for made, _ in committed] == [item * item for item in range(20)]
    assert len({name for _, name in committed}) == 1 and threading.current_thread().name not in makers
    assert threads() == set()


def test_no_more_items_wait_than_there_is_room_for():
    go, taken = threading.Event(), []

    def feed(behind):
        for item in range(9):
            behind.put(item)
            taken.append(item)

    with WriteBehind(lambda item: go.wait(10), lambda made: None, workers=2, ahead=1) as behind:
        feeder = threading.Thread(target=feed, args=(behind,))
        feeder.start()
        feeder.join(0.3)
        assert feeder.is_alive() and taken == [0, 1, 2]
        go.set()
        feeder.join(10)
    assert taken == list(range(9))


@pytest.mark.parametrize("where", ["make", "commit"])
def test_an_error_reaches_the_main_thread_and_nothing_behind_it_is_committed(where):
    committed = []

    def step(name):
        def run(item):
            if name == where and item == 3:
                raise OSError(28, "No space left on device")
            if name == "commit":
                committed.append(item)
            return item

        return run

    with (
        pytest.raises(OSError, match="No space left"),
        WriteBehind(step("make"), step("commit"), 2) as behind,
    ):
        for item in range(1000):
            behind.put(item)
    assert committed == [0, 1, 2] and threads() == set()


def test_what_was_put_before_an_interruption_is_committed():
    committed = []
    with pytest.raises(KeyboardInterrupt), WriteBehind(lambda item: item, committed.append, 2) as behind:
        for item in range(3):
            behind.put(item)
        raise KeyboardInterrupt
    assert committed == [0, 1, 2] and threads() == set()
