"""Measure signboard: start-up, stages, one by one against batches, memory, and the ratio to other programs.

    python scripts/benchmark.py --photos DIR [--parts startup,stages,batch,memory] [--json out.json]
    python scripts/benchmark.py --photos DIR --parts soak --soak-photos 2000
    python scripts/benchmark.py --set DIR --parts peers [--python rapidocr=/path/to/python]

startup  CPU time of `signboard --help` beyond the interpreter's, and `signboard run` on one photo in a new process
stages   seconds a photo in each stage, one photo at a time; what the stages leave unexplained is "other"; the time
         outside the networks, and how much of the photo's area the detector's network sees
batch    photos a second with read_many against read in a loop, taken in turn, and whether both read the same
memory   peak of a process that reads 12-megapixel photos
soak     memory while thousands of photos of mixed sizes stream through
peers    seconds a photo and accuracy beside RapidOCR and others, taken in turn (needs a labelled --set), with one
         thread and with two

Every part runs in a process of its own. Figures are medians over rounds. Use an idle machine: shares and ratios of
things that ran in turn survive a busy one, seconds do not.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

PARTS = ("startup", "stages", "batch", "memory", "soak", "peers")
DEFAULT_PARTS = "startup,stages,batch,memory"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")

# Where each stage's time is spent, as the reader calls it: "module:attribute".
STAGES = {
    "decode": ("signboard.pipeline.schedule:load_photo",),
    "resize": (
        "signboard.detection.detector:resize_for_network",
        "signboard.recognition.recognizer:resize_crop",
    ),
    "detector network": ("signboard.detection.detector:Detector.probability_maps",),
    "polygons": ("signboard.detection.detector:polygons_from_map",),
    "detect, the rest": ("signboard.detection.detector:Detector.detect",),
    "crop": ("signboard.pipeline.words:rectify",),
    "recogniser network": ("signboard.recognition.recognizer:Recognizer._logits",),
    "language search": ("signboard.recognition.rescoring:Rescorer.search_all",),
    "recognise, the rest": ("signboard.recognition.recognizer:Recognizer.read_lines",),
    "layout": ("signboard.pipeline.result:arrange",),
}
NETWORKS = ("detector network", "recogniser network")

LEAST_EXPLAINED = 90  # per cent of the wall time that the stages must add up to


# ---- parts that run in a child -----------------------------------------------------------------------------------


class StageClock:
    """Adds up the time inside functions, each without the timed functions that it calls itself."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._running: list[list[float]] = []  # of each open call: the seconds of timed calls inside it

    def wrap(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            inner = [0.0]
            self._running.append(inner)
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                passed = time.perf_counter() - started
                self._running.pop()
                self.seconds[stage] += passed - inner[0]
                if self._running:
                    self._running[-1][0] += passed

        return timed

    def install(self, stages: dict[str, tuple[str, ...]]) -> None:
        """Time every function of every stage from now on; a LookupError names one that is not there."""
        for stage, places in stages.items():
            for place in places:
                owner, name = find_function(stage, place)
                setattr(owner, name, self.wrap(stage, getattr(owner, name)))


class SeenArea:
    """Counts the pixels that the detector's network sees, and those of each photo at the size it is looked at."""

    def __init__(self) -> None:
        self.seen = self.whole = 0

    def install(self) -> None:
        """Count from now on."""
        from signboard.detection.detector import Detector, network_size

        look, detect = Detector.probability_maps, Detector.detect

        def counted_look(detector: Any, batch: Any) -> Any:
            self.seen += batch.shape[0] * batch.shape[1] * batch.shape[2]
            return look(detector, batch)

        def counted_detect(detector: Any, photos: Sequence[Any], **settings: Any) -> Any:
            for photo in photos:
                height, width = network_size(*photo.shape[:2], side=settings.get("side") or detector.side)
                self.whole += height * width
            return detect(detector, photos, **settings)

        Detector.probability_maps = counted_look  # type: ignore[method-assign]
        Detector.detect = counted_detect  # type: ignore[method-assign]


def find_function(stage: str, place: str) -> tuple[Any, str]:
    """What holds the function at "module:attribute", and the function's name in it.

    Raises:
        LookupError: it is not there; the table of stages must follow the reader.
    """
    module_name, _, attribute = place.partition(":")
    *path, name = attribute.split(".")
    try:
        owner = functools.reduce(getattr, path, importlib.import_module(module_name))
        getattr(owner, name)
    except (ImportError, AttributeError):
        raise LookupError(f"stage {stage}: there is no {place}; bring STAGES up to date") from None
    return owner, name


def make_reader(options: dict[str, Any]) -> Any:
    """The reader that is measured, in a process set up as `signboard run` does."""
    import torch

    torch.set_num_threads(options["threads"])
    from signboard.memory import settle_memory
    from signboard.reader import Reader

    settle_memory(options["precision"], options["device"])
    return Reader(device=options["device"], precision=options["precision"], **options["weights"])


def measure_stages(options: dict[str, Any]) -> dict[str, Any]:
    """Seconds a photo by stage, medians over rounds; the processor's outside the networks; the detector's area."""
    clock = StageClock()
    clock.install(STAGES)
    area = SeenArea()
    area.install()
    reader = make_reader(options)
    photos = options["photos"]
    reader.read(photos[0])
    area.seen = area.whole = 0
    rounds: list[dict[str, float]] = []
    outside: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options["rounds"]):
            clock.seconds.clear()
            started, busy = time.perf_counter(), time.process_time()
            writer = row_writer(Path(folder) / f"{number}.jsonl")
            write = clock.wrap("write", writer.write)
            for photo in photos:
                write(reader.read(photo))
            clock.wrap("write", writer.close)()
            wall = time.perf_counter() - started
            busy = time.process_time() - busy
            stages = {stage: clock.seconds[stage] / len(photos) for stage in (*STAGES, "write")}
            rounds.append({**stages, "wall": wall / len(photos)})
            networks = sum(clock.seconds[stage] for stage in NETWORKS)
            # Outside the networks one thread works, so that wall and processor time are the same on an idle machine.
            outside.append(min(wall, busy if options["threads"] == 1 else wall) - networks)
    result = {stage: statistics.median(entry[stage] for entry in rounds) for stage in rounds[0]}
    result["other"] = result["wall"] - sum(value for stage, value in result.items() if stage != "wall")
    return {
        "photos": len(photos),
        "rounds": options["rounds"],
        "seconds": result,
        "outside_networks_seconds": statistics.median(outside) / len(photos),
        "detector_area": area.seen / area.whole,
    }


def row_writer(path: Path) -> Any:
    """A writer of JSON lines into `path`, as `signboard run` opens it."""
    from signboard.output import jsonl
    from signboard.output.sink import FileSink

    return FileSink(jsonl.FORMAT, path, overwrite=True)


def measure_batch(options: dict[str, Any]) -> dict[str, Any]:
    """Photos a second one by one and batched, taken in turn; on CUDA also how much of the time the GPU idles."""
    reader = make_reader(options)
    photos = options["photos"]
    many = {"batch_size": options["batch_size"], "workers": options["workers"]}
    single = [reader.read(photo) for photo in photos[:2]]
    list(reader.read_many(photos[: min(8, len(photos))], **many))
    times: dict[str, list[float]] = {"one_by_one": [], "batched": []}
    different = 0
    for _ in range(options["rounds"]):
        started = time.perf_counter()
        single = [reader.read(photo) for photo in photos]
        times["one_by_one"].append(time.perf_counter() - started)
        started = time.perf_counter()
        batched = list(reader.read_many(photos, **many))
        times["batched"].append(time.perf_counter() - started)
        different = sum(a.text != b.text for a, b in zip(single, batched, strict=True))
    result: dict[str, Any] = {
        "photos": len(photos),
        "rounds": options["rounds"],
        "failed": sum(reading.error is not None for reading in single),
        "one_by_one_per_second": len(photos) / statistics.median(times["one_by_one"]),
        "batched_per_second": len(photos) / statistics.median(times["batched"]),
        # A ratio a round: neighbours in time saw the same machine.
        "ratio": statistics.median(a / b for a, b in zip(times["one_by_one"], times["batched"], strict=True)),
        "different_texts": different,
    }
    if str(options["device"]).startswith("cuda") or (options["device"] == "auto" and _has_cuda()):
        result["gpu_idle_one_by_one"] = gpu_idle_share(lambda: [reader.read(photo) for photo in photos])
        result["gpu_idle_batched"] = gpu_idle_share(lambda: list(reader.read_many(photos, **many)))
    return result


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def gpu_idle_share(work: Callable[[], object]) -> float:
    """The share of the wall time of `work` in which no kernel and no copy ran on the GPU."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        wall = time.perf_counter() - started
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profiler.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    )
    return 1 - covered(spans) / 1e6 / wall  # the profiler counts microseconds


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """The length of the union of intervals, sorted by their start."""
    total, reach = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, reach))
        reach = max(reach, end)
    return total


def measure_memory(options: dict[str, Any]) -> dict[str, Any]:
    """Peak MiB of a process that reads large photos one by one, then in batches."""
    with tempfile.TemporaryDirectory() as folder:
        paths = _resized(options["photos"][:4], Path(folder), [12e6])
        imported = _peak()
        reader = make_reader(options)
        loaded = _peak()
        failed = sum(reader.read(path).error is not None for path in paths)
        one_by_one = _peak()
        many = reader.read_many(paths * 4, batch_size=options["batch_size"], workers=options["workers"])
        failed += sum(reading.error is not None for reading in many)
        return {
            "megapixels": 12,
            "failed": failed,
            "before_mib": imported,
            "loaded_mib": loaded,
            "one_by_one_mib": one_by_one,
            "batched_mib": _peak(),
        }


def measure_soak(options: dict[str, Any]) -> dict[str, Any]:
    """Memory at a tenth, a half and the end of a long stream of photos of mixed sizes, and its peak."""
    count = options["soak_photos"]
    with tempfile.TemporaryDirectory() as folder:
        paths = _resized(options["photos"][:48], Path(folder), [0.1e6, 0.3e6, 1e6, 2e6, 4e6, 8e6, 12e6])
        reader = make_reader(options)
        stream = (paths[index % len(paths)] for index in range(count))
        marks = {max(1, count // 10): "tenth", max(1, count // 2): "half", count: "end"}
        result: dict[str, Any] = {"photos": count, "different_photos": len(paths)}
        failed, started = 0, time.perf_counter()
        readings = reader.read_many(stream, batch_size=options["batch_size"], workers=options["workers"])
        for done, reading in enumerate(readings, 1):
            failed += reading.error is not None
            if done in marks:
                result[f"{marks[done]}_mib"] = _resident()
                print(f"soak: {done} of {count}, {_resident():.0f} MiB", file=sys.stderr)
        result |= {"per_second": count / (time.perf_counter() - started), "peak_mib": _peak(), "failed": failed}
        return result


def _resized(photos: Sequence[str], folder: Path, areas: Sequence[float]) -> list[str]:
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
    from compare import peak_memory

    return peak_memory(children=False)


def _resident() -> float:
    """MiB in memory now; the peak where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, ValueError):
        return _peak()


CHILD_PARTS = {"stages": measure_stages, "batch": measure_batch, "memory": measure_memory, "soak": measure_soak}


# ---- parts that the parent measures ------------------------------------------------------------------------------


def measure_startup(options: dict[str, Any]) -> dict[str, Any]:
    """CPU seconds of `--help` beyond the bare interpreter, and wall seconds of reading one photo in a new process."""
    run = [sys.executable, "-c", "from signboard.cli import app; app(prog_name='signboard')"]
    empty, help_times, photo_times, photo_cpu, torch_cpu = [], [], [], [], []
    for _ in range(max(5, options["rounds"])):
        empty.append(_run([sys.executable, "-c", "pass"])[0])
        help_times.append(_run([*run, "--help"])[0])
    for _ in range(max(3, options["rounds"])):
        cpu, wall = _run([*run, "run", options["photos"][0], "--quiet"])
        photo_times.append(wall)
        photo_cpu.append(cpu)
        torch_cpu.append(_run([sys.executable, "-c", "import torch"])[0])
    return {
        "interpreter_cpu_seconds": statistics.median(empty),
        "help_cpu_seconds": statistics.median(help_times),
        "help_beyond_interpreter": statistics.median(b - a for a, b in zip(empty, help_times, strict=True)),
        "run_one_photo_seconds": statistics.median(photo_times),
        "run_one_photo_first_seconds": photo_times[0],
        "run_one_photo_cpu_seconds": statistics.median(photo_cpu),
        "import_torch_cpu_seconds": statistics.median(torch_cpu),
    }


def _run(command: list[str]) -> tuple[float, float]:
    """(CPU, wall) seconds of a process.

    Raises:
        RuntimeError: it failed.
    """
    started, before = time.perf_counter(), os.times()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    wall, after = time.perf_counter() - started, os.times()
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(f"{' '.join(command[-3:])} ended with code {done.returncode}: {lines[-1] if lines else ''}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, wall


def measure_peers(options: dict[str, Any]) -> dict[str, Any]:
    """Accuracy and seconds a photo of every system, with the ratio to the first of them, for each number of threads."""
    return {"systems": [result for threads in options["peer_threads"] for result in _peers(options, threads)]}


def _peers(options: dict[str, Any], threads: int) -> list[dict[str, Any]]:
    import compare

    workers = compare.start_workers(options["systems"], threads, options["pythons"], {"weights": options["weights"]})
    if not workers:
        raise RuntimeError("none of the systems is installed here")
    try:
        results = []
        for path in options["sets"]:
            results += compare.compare_set(Path(path), options["split"], workers, options["count"])
    finally:
        for worker in workers:
            worker.close()
    print(f"{threads} thread{'s' * (threads > 1)}\n\n{compare.table(results)}\n")
    for result in results:
        result["threads"] = threads
        mine = next((r for r in results if r["set"] == result["set"] and r["name"] == "signboard"), None)
        if mine and mine.get("seconds_a_photo") and result.get("seconds_a_photo"):
            result["times_signboards_seconds"] = result["seconds_a_photo"] / mine["seconds_a_photo"]
            if result is not mine:
                share = mine["seconds_a_photo"] / result["seconds_a_photo"]
                print(f"{result['set']}: signboard takes {share:.2f} of the time of {result['system']}")
    return results


def in_child(part: str, options: dict[str, Any]) -> dict[str, Any]:
    """Run a part in a new process and return what it measured."""
    limits = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--child", part],
        input=json.dumps(options),
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {limit: str(options["threads"]) for limit in limits},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{part} ended with code {done.returncode}; see above")
    return json.loads(done.stdout.splitlines()[-1])


# ---- tables ------------------------------------------------------------------------------------------------------


def report(part: str, figures: dict[str, Any]) -> str:
    """A part's figures as Markdown."""
    from signboard.training.evaluation import markdown_table

    if part == "stages":
        seconds = figures["seconds"]
        wall = seconds["wall"]
        rows = [
            (stage, f"{1000 * s:.1f}", f"{100 * s / wall:.1f} %") for stage, s in seconds.items() if stage != "wall"
        ]
        rows.append(("wall", f"{1000 * wall:.1f}", "100.0 %"))
        table = markdown_table(("stage", "ms a photo", "share"), rows)
        explained = 100 * (1 - abs(seconds["other"]) / wall)
        note = "" if explained >= LEAST_EXPLAINED else f" (less than {LEAST_EXPLAINED} %: bring STAGES up to date)"
        head = f"{figures['photos']} photos one by one, median of {figures['rounds']} rounds"
        lines = [f"The stages are {explained:.1f} % of the wall time{note}."]
        if "detector_area" in figures:
            lines.append(f"Outside the networks: {1000 * figures['outside_networks_seconds']:.1f} ms a photo.")
            lines.append(f"The detector's network sees {figures['detector_area']:.2f} times the area of the photo.")
        return f"{head}\n\n{table}\n\n" + "\n".join(lines)
    rows = [(name.replace("_", " "), _cell(value)) for name, value in figures.items()]
    return markdown_table(("figure", "value"), rows)


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 100 else f"{value:.0f}"


# ---- command line ------------------------------------------------------------------------------------------------


def find_photos(places: Sequence[Path], count: int) -> list[str]:
    """The first `count` photos of files and folders, sorted; repeated from the start where there are fewer."""

    def walk() -> Iterator[Path]:
        for place in places:
            if place.is_dir():
                yield from sorted(path for path in place.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
            else:
                yield place

    found = [str(path) for path in walk()]
    return [found[index % len(found)] for index in range(count)] if found else []


def _numbers(value: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in value.split(","))
    if min(numbers) < 1:
        raise ValueError
    return numbers


def _batch_size(value: str) -> int | str:
    return value if value == "auto" else int(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, action="append", default=[], help="file or folder; may be repeated")
    parser.add_argument("--set", type=Path, action="append", default=[], dest="sets", help="labelled set for peers")
    parser.add_argument("--split", choices=("train", "val", "test"))
    parser.add_argument("--parts", default=DEFAULT_PARTS, help=f"of {', '.join(PARTS)}; default {DEFAULT_PARTS}")
    parser.add_argument("--count", type=int, default=64, help="photos in each round (default 64)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="processor threads")
    parser.add_argument(
        "--peer-threads", type=_numbers, default=(1, 2), help="threads of each run beside peers (default 1,2)"
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, mps or auto")
    parser.add_argument("--precision", default="auto", help="as in signboard run")
    parser.add_argument("--batch-size", type=_batch_size, default="auto", help="a number or auto")
    parser.add_argument("--workers", type=int, help="threads that open photos")
    parser.add_argument("--soak-photos", type=int, default=2000)
    parser.add_argument("--systems", default="signboard,rapidocr,tesseract", help="for peers, separated by commas")
    parser.add_argument("--python", action="append", default=[], metavar="SYSTEM=PATH", help="interpreter of a system")
    parser.add_argument("--weights-detector", help="card, instead of the shipped one; not for startup")
    parser.add_argument("--weights-recognizer", help="card, instead of the shipped one; not for startup")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--child", choices=tuple(CHILD_PARTS), help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.child:
        print(json.dumps(CHILD_PARTS[args.child](json.load(sys.stdin))))
        return 0
    parts = args.parts.split(",")
    if set(parts) - set(PARTS) or min(args.count, args.rounds, args.threads, args.soak_photos) < 1:
        parser.error(f"--parts takes some of {', '.join(PARTS)}; numbers must be at least 1")
    if "peers" in parts and not args.sets:
        parser.error("peers needs a labelled --set")
    if not all("=" in item for item in args.python):
        parser.error("--python takes SYSTEM=PATH")
    photos = find_photos(args.photos, args.count)
    if not photos and set(parts) - {"peers"}:
        parser.error("no photos; name a file or folder with --photos")
    missing = [photo for photo in photos if not Path(photo).is_file()]
    if missing:
        parser.error(f"{missing[0]}: no such photo")
    weights = {"detector": args.weights_detector, "recognizer": args.weights_recognizer}
    options = {
        "weights": {key: value for key, value in weights.items() if value},
        "photos": photos,
        "sets": [str(path) for path in args.sets],
        "split": args.split,
        "count": args.count,
        "rounds": args.rounds,
        "threads": args.threads,
        "peer_threads": args.peer_threads,
        "device": args.device,
        "precision": args.precision,
        "batch_size": args.batch_size,
        "workers": args.workers,
        "soak_photos": args.soak_photos,
        "systems": args.systems.split(","),
        "pythons": dict(item.split("=", 1) for item in args.python),
    }
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {args.threads} threads, {args.device}"
    figures: dict[str, Any] = {"machine": machine, "command": " ".join(sys.argv)}
    print(f"{machine}\n")
    status = 0
    for part in parts:
        print(f"### {part.capitalize()}\n", flush=True)
        try:
            if part in CHILD_PARTS:
                figures[part] = in_child(part, options)
            else:
                figures[part] = {"startup": measure_startup, "peers": measure_peers}[part](options)
        except RuntimeError as error:
            print(f"{part}: {error}", file=sys.stderr)
            status = 1
            continue
        if part != "peers":
            print(report(part, figures[part]) + "\n", flush=True)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
