"""The queue: every photo gets its own answer, nobody waits for somebody else's slow photo."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from typing import Any

import pytest
import server_fake
from server_fake import CRASH, SLOW, FakeReader, photo

from signboard.server.batching import LARGE_PIXELS, BatchQueue, ClosedError, QueueFullError
from signboard.server.crew import Crew
from signboard.server.readers import Readers, ReadOptions

PLAIN = ReadOptions()


@pytest.fixture(autouse=True)
def no_batches() -> None:
    FakeReader.batches.clear()


@pytest.fixture
def make_queue() -> Any:
    queues: list[BatchQueue] = []

    def make(workers: int = 2, group: int = 8, **options: Any) -> BatchQueue:
        queue = BatchQueue(Readers(make=FakeReader).get, **options)
        queues.append(queue)
        queue.start(Crew(workers, group))
        return queue

    yield make
    for queue in queues:
        queue.close()
        queue.join(5)


def numbers(reading: Any) -> str:
    return reading.words[1].text


def occupy(queue: BatchQueue) -> Any:
    """Keeps one thread of the queue busy for a while."""
    slow = queue.submit([(photo(SLOW), 0)], PLAIN)[0]
    while not slow.running():
        time.sleep(0.001)
    return slow


def test_every_photo_gets_its_own_answer(make_queue: Callable[..., BatchQueue]) -> None:
    queue = make_queue()
    wrong: list[str] = []

    def client(red: int) -> None:
        for blue in range(20):
            futures = queue.submit([(photo(red, green, blue), 0) for green in range(3)], PLAIN)
            wrong.extend(
                numbers(future.result(30))
                for green, future in enumerate(futures)
                if numbers(future.result(30)) != f"{red} {green} {blue}"
            )

    clients = [threading.Thread(target=client, args=(red,)) for red in range(8)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    assert not wrong
    assert sum(FakeReader.batches) == 8 * 20 * 3 and max(FakeReader.batches) > 1


def test_what_waits_is_read_together_up_to_the_group(make_queue: Callable[..., BatchQueue]) -> None:
    queue = make_queue(workers=1, group=4)
    occupy(queue)
    others = queue.submit([(photo(1, 1, n), 0) for n in range(9)], PLAIN)
    assert [numbers(future.result(10)) for future in others] == [f"1 1 {n}" for n in range(9)]
    assert FakeReader.batches == [1, 4, 4, 1]


def test_work_is_shared_out_between_the_threads(
    make_queue: Callable[..., BatchQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeReader, "slow", 0.05)
    queue = make_queue(workers=2, group=8, window=0.2)
    queue.arriving(1)  # both threads wait a moment for what is on its way
    futures = queue.submit([(photo(SLOW, 1, n), 0) for n in range(8)], PLAIN)
    wait(futures, 10)
    queue.arriving(-1)
    assert sorted(FakeReader.batches) == [4, 4]


def test_a_lone_photo_does_not_wait_for_the_window(make_queue: Callable[..., BatchQueue]) -> None:
    queue = make_queue(window=30.0)
    assert numbers(queue.submit([(photo(), 0)], PLAIN)[0].result(5)) == "1 2 3"


def test_other_options_are_another_batch(make_queue: Callable[..., BatchQueue]) -> None:
    queue = make_queue(workers=1)
    hold = occupy(queue)
    plain = queue.submit([(photo(n), 0) for n in range(2)], PLAIN)
    english = queue.submit([(photo(n), 0) for n in range(2)], ReadOptions(translate=True))
    wait([hold, *plain, *english], 10)
    assert FakeReader.batches == [1, 2, 2]
    assert plain[0].result().lines[1].translation is None
    assert english[0].result().lines[1].translation == "Police station"


def test_a_large_photo_holds_up_no_other(
    make_queue: Callable[..., BatchQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeReader, "slow", 60.0)
    monkeypatch.setattr(FakeReader, "leave", threading.Event())
    queue = make_queue(workers=2)
    large = queue.submit([(photo(SLOW), LARGE_PIXELS + 1)] * 3, PLAIN)
    quick = queue.submit([(photo(1, 1, n), 1) for n in range(5)], PLAIN)
    for future in quick:
        future.result(30)
    assert not any(future.done() for future in large)
    FakeReader.leave.set()
    assert not wait(large, 30).not_done
    assert FakeReader.batches.count(1) >= 3


def test_requests_take_turns(make_queue: Callable[..., BatchQueue]) -> None:
    queue = make_queue(workers=1, group=1)
    order: list[str] = []
    hold = occupy(queue)
    many = queue.submit([(photo(1, 1, n), 0) for n in range(6)], PLAIN)
    one = queue.submit([(photo(2, 2, 2), 0)], PLAIN)
    for future in (*many, *one):
        future.add_done_callback(lambda done: order.append(numbers(done.result())))
    wait([hold, *many, *one], 10)
    assert order.index("2 2 2") <= 1


def test_a_photo_that_breaks_the_reader_fails_alone(
    make_queue: Callable[..., BatchQueue], capsys: pytest.CaptureFixture[str]
) -> None:
    queue = make_queue(workers=1)
    hold = occupy(queue)
    futures = queue.submit([(photo(1), 0), (photo(CRASH), 0), (b"no photo", 0), (photo(3), 0)], PLAIN)
    wait([hold, *futures], 10)
    readings = [future.result() for future in futures]
    assert [reading.error is None for reading in readings] == [True, False, False, True]
    assert numbers(readings[3]) == "3 2 3"
    assert readings[1].error == "photo: could not be read, OverflowError in the reader"
    assert readings[2].error == "photo: not an image that can be opened"
    assert "a bug in the reader" in capsys.readouterr().err


def test_readers_that_lose_a_photo_are_not_believed(make_queue: Callable[..., BatchQueue], monkeypatch: Any) -> None:
    """One reading too few would give every photo behind it the answer of another."""
    whole = FakeReader.read_many
    monkeypatch.setattr(FakeReader, "read_many", lambda *a, **k: list(whole(*a, **k))[1:])
    queue = make_queue(workers=1)
    hold = occupy(queue)
    futures = queue.submit([(photo(n), 0) for n in range(4)], PLAIN)
    wait([hold, *futures], 10)
    assert [numbers(future.result()) for future in futures] == [f"{n} 2 3" for n in range(4)]


def test_a_full_queue_takes_all_of_a_request_or_nothing(make_queue: Callable[..., BatchQueue]) -> None:
    queue = make_queue(workers=1, limit=5)
    occupy(queue)
    kept = queue.submit([(photo(n), 0) for n in range(3)], PLAIN)
    with pytest.raises(QueueFullError) as full:
        queue.submit([(photo(n), 0) for n in range(3)], PLAIN)
    assert full.value.retry_after >= 1
    # What nobody waits for any more makes room.
    assert all(future.cancel() for future in kept)
    later = queue.submit([(photo(n), 0) for n in range(5)], PLAIN)
    wait(later, 10)
    assert sum(FakeReader.batches) == 6


def test_closing_answers_those_who_wait(make_queue: Callable[..., BatchQueue]) -> None:
    queue = make_queue(workers=1)
    hold = occupy(queue)
    waiting = queue.submit([(photo(1), 0)], PLAIN)[0]
    queue.close("the end")
    with pytest.raises(ClosedError, match="the end"):
        waiting.result(1)
    assert numbers(hold.result(10)) == f"{SLOW} 2 3"
    with pytest.raises(ClosedError):
        queue.submit([(photo(1), 0)], PLAIN)


def test_readers_share_the_networks() -> None:
    made: list[dict[str, Any]] = []

    def make(**options: Any) -> FakeReader:
        made.append(options)
        return FakeReader(**options)

    readers = Readers(device="cpu", make=make)
    first = readers.load()
    other = readers.get(ReadOptions(min_confidence=0.5, translate=True))
    assert readers.get(ReadOptions(min_confidence=0.5, translate=True)) is other and len(made) == 2
    assert made[1]["detector"] is first.detector and made[1]["recognizer"] is first.recognizer
    assert made[1]["device"] == "cpu" and made[1]["min_confidence"] == 0.5 and made[1]["translate"]


def test_the_fake_is_a_reader() -> None:
    """It offers what the service calls on the real one."""
    import inspect

    from signboard.reader import Reader

    for name in ("read", "read_many"):
        real, fake = (inspect.signature(getattr(cls, name)).parameters for cls in (Reader, server_fake.FakeReader))
        assert list(real) == list(fake)
