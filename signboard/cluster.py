"""Reads photos on many machines: the same Reader in the actors of a Ray cluster, fed by Ray Data (the extra `ray`).

The machine that starts the run lists the photos and writes the rows, in the photos' order, so that formats, --resume
and the rest work as in a local run. Workers open the photos themselves, from a file system they share or from any
store that fsspec knows (s3://, gs://, ...). When a worker dies, Ray gives its photos to another one; a photo's row
reaches the output once.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from signboard.errors import SignboardError
from signboard.image_files import HEAD, kind_of
from signboard.memory import settle_memory
from signboard.output.jsonl import dumps, from_dict
from signboard.photo import Page
from signboard.reading import Reading

HELP = "--ray needs an extra package: pip install 'signboard[ray]'"
READER = "signboard.reader:Reader"
_BLOCK = 64  # photos that are handed out, and repeated after a failure, together
# On a GPU a worker finds words on so many photos at once, while those of the ones before are read. A block has at least
# four such windows: the GPU waits once at its beginning and once at its end.
_WINDOW, _WINDOWS = 16, 4


class ClusterError(SignboardError):
    """Ray is not installed, its cluster cannot be reached, or all its workers are gone."""


def read_on_cluster(
    photos: Iterable[str | Page],
    *,
    reader_options: dict[str, Any],
    address: str | None = None,
    workers: int | None = None,
    batch_size: int | None = None,
    reader: str = READER,
) -> Iterator[Reading]:
    """Readings of photos in their order, read by the actors of a Ray cluster.

    Args:
        photos: paths (or pages of them) that every worker can open, or URLs for fsspec.
        reader_options: for the workers' `Reader`.
        address: of a running cluster ("auto", "ray://host:10001", "host:6379"); None starts one on this machine.
        workers: actors that read. By default one at first, and more while there is work for them, up to the number of
            the cluster's GPUs, or of its pairs of CPU cores where it has no GPU.
        batch_size: photos that a worker reads together; several such batches are handed to it at once, so that it
            finds words on one while it reads another. None: by device.
        reader: "module:name" of the reader's class.

    Raises:
        ClusterError: see there.
    """
    ray = _ray()
    items = [
        {"number": number, "photo": os.fsencode(photo), "page": photo.number if isinstance(photo, Page) else 0}
        for number, photo in enumerate(photos)
    ]
    if not items:
        return
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, address)
    try:
        yield from _rows(ray, items, reader_options, workers, batch_size, reader)
    finally:
        if ours:
            ray.shutdown()


def is_remote(name: str) -> bool:
    """Whether a name is a URL for fsspec and no local path."""
    scheme, found, _ = name.partition("://")
    return bool(found) and scheme.isalnum()


def list_remote(
    url: str, suffixes: frozenset[str], left_out: Callable[[str], None] = lambda url: None
) -> Iterator[str]:
    """URLs of the photos that a URL names: one file, everything below a folder, sorted, or a pattern.

    What a folder holds is a photo by its ending or, with another ending or none, by its first bytes; `left_out` is told
    what is none.

    Raises:
        ClusterError: the store cannot be reached, its fsspec package is missing, or nothing is there.
    """
    try:
        import fsspec

        store, path = fsspec.core.url_to_fs(url)
        if any(char in path for char in "*?["):
            found = sorted(store.glob(path))
        elif store.isdir(path):
            found = []
            for name in sorted(store.find(path)):
                known = os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122
                if known or kind_of(store.cat_file(name, start=0, end=HEAD)) is not None:
                    found.append(name)
                else:
                    left_out(store.unstrip_protocol(name))
        else:
            found = [path] if store.exists(path) else []
        names = [store.unstrip_protocol(name) for name in found]
    except Exception as error:  # every store has its own errors
        raise ClusterError(f"{url}: {' '.join(str(error).split()) or type(error).__name__}") from None
    if not names:
        raise ClusterError(f"{url}: no photos there")
    yield from names


class _Worker:
    """An actor: loads the networks once, then turns blocks of photos into rows.

    Args:
        reader: "module:name" of the reader's class.
        options: for its constructor.
        batch_size: see `Reader.read_many`.
    """

    def __init__(self, reader: str, options: dict[str, Any], batch_size: int | Literal["auto"]) -> None:
        settle_memory(options.get("precision", "auto"), options.get("device", "auto"))
        module, _, name = reader.partition(":")
        self._reader = getattr(importlib.import_module(module), name)(**options)
        self._batch_size = batch_size

    def __call__(self, block: dict[str, Any]) -> dict[str, Any]:
        photos = [os.fsdecode(photo) for photo in block["photo"]]
        rows = []
        for photo, reading in zip(photos, self._read(photos, [int(page) for page in block["page"]]), strict=True):
            # Bytes have no name of their own: their messages begin with "photo: ".
            error = None if reading.error is None else _named(reading.error, photo)
            rows.append(dumps(replace(reading, source=photo, error=error), position=True))
        return {"number": block["number"], "row": rows}

    def _read(self, photos: Sequence[str], pages: Sequence[int]) -> list[Reading]:
        """A reading of each; when that fails as a whole, of each on its own, so that only the photo at fault fails."""
        failed: dict[int, Reading] = {}

        def sources() -> Iterator[str | bytes | Page]:  # fetched as they are needed: a block may be large
            for i, (photo, page) in enumerate(zip(photos, pages, strict=True)):
                if isinstance(source := _fetch(photo, page), Reading):
                    failed[i] = source
                else:
                    yield source

        try:
            read = iter(list(self._reader.read_many(sources(), batch_size=self._batch_size)))
        except Exception as error:
            if len(photos) > 1:
                return [self._read([photo], [page])[0] for photo, page in zip(photos, pages, strict=True)]
            what = " ".join(f"{type(error).__name__}: {error}".split())
            return [Reading("", 0, 0, error=f"photo: could not be read, {what}")]
        return [failed[i] if i in failed else next(read) for i in range(len(photos))]


def _named(error: str, photo: str) -> str:
    return f"{photo}: {error.removeprefix('photo: ')}" if error.startswith("photo: ") else error


def _fetch(photo: str, page: int) -> str | bytes | Page | Reading:
    """What a worker opens: a local photo's path or a page of it, a remote one's bytes; a reading that says why not."""
    if not is_remote(photo):
        return Page(photo, page) if page else photo
    try:
        import fsspec

        with fsspec.open(photo, "rb") as file:
            return file.read()
    except Exception as error:  # every store has its own errors
        reason = " ".join(str(error).split()) or type(error).__name__
        return Reading(photo, 0, 0, error=f"{photo}: cannot be read, {reason}")


def _rows(
    ray: Any,
    items: list[dict[str, Any]],
    options: dict[str, Any],
    workers: int | None,
    batch_size: int | None,
    reader: str,
) -> Iterator[Reading]:
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0)) if options.get("device", "auto") != "cpu" else 0
    # Two cores a worker: one for the networks, one for opening photos.
    cores = min(2, max(1, int(resources.get("CPU", 1))))
    most = workers or gpus or max(1, int(resources.get("CPU", 1)) // cores)
    together: int | Literal["auto"] = batch_size or (_WINDOW if gpus else "auto")
    block = max(_BLOCK, _WINDOWS * (batch_size or _WINDOW))
    blocks = max(1, min(len(items) // block, 20_000), min(most, len(items)))
    rows = ray.data.from_items(items, override_num_blocks=blocks).map_batches(
        _Worker,
        fn_constructor_args=(reader, options, together),
        batch_size=None,  # a block
        compute=ray.data.ActorPoolStrategy(min_size=workers or 1, max_size=most),
        **({"num_gpus": 1} if gpus else {"num_cpus": cores if most * cores <= resources.get("CPU", 1) else 1}),
    )
    expected = 0
    try:
        for row in rows.iter_rows():
            if row["number"] != expected:
                raise ClusterError(f"the cluster answered photo {row['number']} when photo {expected} was due")
            expected += 1
            yield from_dict(json.loads(row["row"]))
    except ray.exceptions.RayError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ClusterError(f"the cluster failed: {lines[-1] if lines else type(error).__name__}") from None
    if expected != len(items):
        raise ClusterError(f"the cluster answered {expected} of {len(items)} photos")


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError:
        raise ClusterError(HELP) from None
    return ray


def _connect(ray: Any, address: str | None) -> None:
    # Ray puts its own handler of SIGTERM in place of the one that finishes the photo in hand.
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM) if main else None
    try:
        ray.init(address=address or "local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ClusterError(f"--ray {address}: cannot be reached, {reason}") from None
    finally:
        if main and handler is not None:
            signal.signal(signal.SIGTERM, handler)
