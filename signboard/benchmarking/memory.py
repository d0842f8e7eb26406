"""Memory: the peak on large photos, and whether it stays flat while thousands stream through."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from signboard.benchmarking.options import SpeedOptions, make_reader
from signboard.training.peer_systems import peak_memory


def measure_memory(options: SpeedOptions) -> dict[str, Any]:
    """Peak MiB of a process that reads large photos one by one, then in batches."""
    with tempfile.TemporaryDirectory() as folder:
        paths = resized_copies(options.photos[:4], Path(folder), [12e6])
        imported = _peak()
        reader = make_reader(options)
        loaded = _peak()
        failed = sum(reader.read(path).error is not None for path in paths)
        one_by_one = _peak()
        many = reader.read_many(paths * 4, batch_size=options.batch_size, workers=options.workers)
        failed += sum(reading.error is not None for reading in many)
        return {
            "megapixels": 12,
            "failed": failed,
            "before_mib": imported,
            "loaded_mib": loaded,
            "one_by_one_mib": one_by_one,
            "batched_mib": _peak(),
        }


def measure_soak(options: SpeedOptions) -> dict[str, Any]:
    """Memory at a tenth, a half and the end of a long stream of photos of mixed sizes, and its peak."""
    count = options.soak_photos
    with tempfile.TemporaryDirectory() as folder:
        paths = resized_copies(options.photos[:48], Path(folder), [0.1e6, 0.3e6, 1e6, 2e6, 4e6, 8e6, 12e6])
        reader = make_reader(options)
        stream = (paths[index % len(paths)] for index in range(count))
        marks = {max(1, count // 10): "tenth", max(1, count // 2): "half", count: "end"}
        result: dict[str, Any] = {"photos": count, "different_photos": len(paths)}
        failed, started = 0, time.perf_counter()
        readings = reader.read_many(stream, batch_size=options.batch_size, workers=options.workers)
        for done, reading in enumerate(readings, 1):
            failed += reading.error is not None
            if done in marks:
                result[f"{marks[done]}_mib"] = resident()
                print(f"soak: {done} of {count}, {resident():.0f} MiB", file=sys.stderr)
        result |= {"per_second": count / (time.perf_counter() - started), "peak_mib": _peak(), "failed": failed}
        return result


def resized_copies(photos: Sequence[str], folder: Path, areas: Sequence[float]) -> list[str]:
    """Copies of photos as JPEG, the first with the first number of pixels, the second with the second, and so on.

    They are made in a process of their own, whose memory is not that of the reader.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_write_resized, photos, folder, areas).result()


def _write_resized(photos: Sequence[str], folder: Path, areas: Sequence[float]) -> list[str]:
    from PIL import Image, ImageOps

    paths = []
    for index, photo in enumerate(photos):
        with Image.open(photo) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        scale = (areas[index % len(areas)] / (image.width * image.height)) ** 0.5
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        path = folder / f"{index}.jpg"
        image.resize(size).save(path, quality=90)
        paths.append(str(path))
    return paths


def _peak() -> float:
    """MiB: this process's own peak, without the one that made the photos."""
    return peak_memory(children=False)


def resident(process: int | str = "self") -> float:
    """MiB that a process has in memory now; this one's peak where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, ValueError):
        return _peak()
