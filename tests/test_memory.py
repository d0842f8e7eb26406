"""The setting of the C library's memory: it changes no result, fails nowhere, and saves page faults where it works."""

from __future__ import annotations

import subprocess
import sys

import pytest

from signboard import memory


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


@pytest.mark.parametrize(("before", "after"), [(None, "32"), ("7", "7")])
def test_few_kernels_are_kept_unless_the_user_says_otherwise(
    before: str | None, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.setenv(name, before or "")
    if before is None:
        monkeypatch.delenv(name)
    memory.forget_kernels()
    assert memory.os.environ[name] == after
