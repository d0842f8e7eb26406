"""What is kept in memory between photos by the C library and by the matrix library, and what Python's collector does.

Imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc


def keep_freed_memory() -> bool:
    """Makes glibc reuse the memory of large arrays that are freed; True if it does, False where there is no glibc.

    As it comes, glibc gives each large array back to the system when it is freed, and every page of the next one is
    fetched and zeroed again, which takes a good part of the time of a small network. It is a setting of
    the whole process, so that programs call this and the library does not. Harmless when called twice.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    # Arrays up to 16 MB come from the heap, and 32 MB of it is kept though it is free: twice and four times that made
    # nothing faster that could be measured (0.99 and 1.00), and a stream of large photos took 40 to 70 MB more.
    # One heap for all threads: with one each, what one has freed is lost to the others (1.8 GB became 1.3 to 1.5).
    mallopt(_M_ARENA_MAX, 1)
    return bool(mallopt(_M_MMAP_THRESHOLD, 1 << 24)) and bool(mallopt(_M_TRIM_THRESHOLD, 1 << 25))


def forget_kernels(*, int8: bool = False) -> None:
    """Bounds what the matrix libraries keep of the layers and shapes they met; call it before the first convolution.

    As they come, oneDNN keeps 1024 compiled kernels, one for every layer and shape, and PyTorch 1024 descriptions of
    convolutions, with memory of their own, in each thread. Photos of many sizes bring new shapes without end, and a
    long stream grows by more than a gigabyte, most of it descriptions. Compiling kernels anew took a fifth of the time
    of a photo when 128 were kept. What the user set in the environment stays.

    Args:
        int8: whether networks will be computed in bytes: those kernels are small, and compiling them anew is most of
            the time of reading, so that more are kept.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "2048" if int8 else "448")
    os.environ.setdefault("LRU_CACHE_CAPACITY", "128")


def settle_memory(precision: str = "auto", device: str = "auto") -> None:
    """Both settings as a program that reads photos wants them; call it before the first network is loaded.

    Args:
        precision, device: what the networks will be loaded with.
    """
    keep_freed_memory()
    from signboard.devices import chooses_bytes  # imports torch, after the first setting

    forget_kernels(int8=chooses_bytes(precision, device))


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Lets the garbage collector rest while libraries and networks are loaded, and never look at what was loaded.

    It would walk through some 200,000 objects again and again, none of which is garbage: a sixth of the time that
    `import torch` takes. It is a matter of the whole process, so that programs do this and the library does not.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def free_memory() -> int | None:
    """Bytes that this process and its children may still take without swapping; None where the system does not say."""
    found = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")))
    with contextlib.suppress(OSError, ValueError):  # a container's own limit
        group = Path("/sys/fs/cgroup")
        found.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return max(0, min(found)) if found else None


def give_back_memory() -> None:
    """Gives the system back what lies free between arrays in use; does nothing where there is no glibc.

    Photos of many sizes leave gaps in the heap that no later array fits. Called once in some tens of photos it costs
    nothing that can be measured.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
