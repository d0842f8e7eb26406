"""The setting of the C library's memory: it changes no result, fails nowhere, and saves page faults where it works."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from signboard import devices, memory


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert memory.keep_freed_memory() is False


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    assert memory.keep_freed_memory() is False


@pytest.mark.skipif(sys.platform != "linux", reason="a matter of glibc")
def test_large_arrays_are_not_fetched_from_the_system_again() -> None:
    # In a process of its own: the setting stays.
    code = """
import resource, numpy
from signboard.memory import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        numpy.ones(40_000_000, numpy.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
before = faults()
if keep_freed_memory():
    print(before, faults())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    if not done.stdout:
        pytest.skip("no glibc here")
    before, after = map(int, done.stdout.split())
    # Huge pages may make both few.
    assert after <= before


@pytest.mark.parametrize(
    ("name", "int8", "before", "after"),
    [
        ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", False, None, "448"),
        ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", True, None, "2048"),
        ("LRU_CACHE_CAPACITY", True, None, "128"),
        ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", True, "7", "7"),
        ("LRU_CACHE_CAPACITY", False, "7", "7"),
    ],
)
def test_few_kernels_are_kept_unless_the_user_says_otherwise(
    name: str, int8: bool, before: str | None, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, before or "")
    if before is None:
        monkeypatch.delenv(name)
    memory.forget_kernels(int8=int8)
    assert memory.os.environ[name] == after


@pytest.mark.parametrize(("bytes_chosen", "kernels"), [(True, "2048"), (False, "448")])
def test_more_kernels_are_kept_where_networks_will_be_computed_in_bytes(
    bytes_chosen: bool, kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(devices, "chooses_bytes", lambda *options: asked.append(options) or bytes_chosen)
    monkeypatch.setattr(memory, "keep_freed_memory", lambda: asked.append("kept"))
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    memory.settle_memory("auto", "cpu")
    assert asked == ["kept", ("auto", "cpu")]
    assert memory.os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == kernels


@pytest.mark.skipif(sys.platform != "linux", reason="a matter of glibc")
def test_gaps_in_the_heap_are_given_back() -> None:
    code = """
import numpy
from signboard.memory import give_back_memory, keep_freed_memory
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))  # KiB
if keep_freed_memory():
    arrays = [numpy.ones(1_000_000, numpy.uint8) for _ in range(200)]
    arrays = arrays[::20]  # what stays keeps the heap from shrinking
    before = resident()
    give_back_memory()
    print(before - resident(), sum(int(array.sum()) for array in arrays))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    if not done.stdout:
        pytest.skip("no glibc here")
    given, kept = map(int, done.stdout.split())
    assert given > 100_000 and kept == 10_000_000


def test_giving_back_is_left_out_where_it_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    memory.give_back_memory()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(memory.ctypes, "CDLL", None)
    memory.give_back_memory()


def test_the_collector_rests_while_things_are_loaded_and_leaves_them_alone() -> None:
    gc.collect()
    frozen = gc.get_freeze_count()
    try:
        with pytest.raises(KeyError), memory.loading():
            assert not gc.isenabled()
            loaded = [[number] for number in range(5000)]
            raise KeyError
        assert gc.isenabled() and gc.get_freeze_count() >= frozen + len(loaded)
    finally:
        gc.unfreeze()


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        with memory.loading():
            pass
        assert not gc.isenabled() and gc.get_freeze_count() == 0
    finally:
        gc.enable()
