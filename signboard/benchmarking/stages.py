"""Where the time of reading goes: seconds in each stage, outside the networks, and the area that is looked at."""

from __future__ import annotations

import functools
import importlib
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from signboard.benchmarking.options import SpeedOptions, make_reader
from signboard.output import jsonl
from signboard.output.sink import FileSink

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
    "crop": ("signboard.pipeline.words:cut",),
    "recogniser network": ("signboard.recognition.recognizer:Recognizer._logits",),
    "language search": ("signboard.recognition.rescoring:Rescorer.search_all",),
    "recognise, the rest": ("signboard.recognition.recognizer:Recognizer.read_lines",),
    "layout": ("signboard.pipeline.result:arrange",),
}
NETWORKS = ("detector network", "recogniser network")


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

        patched: Any = Detector
        patched.probability_maps, patched.detect = counted_look, counted_detect


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


def measure_stages(options: SpeedOptions) -> dict[str, Any]:
    """Seconds a photo by stage, medians over rounds; the processor's outside the networks; the detector's area."""
    clock = StageClock()
    clock.install(STAGES)
    area = SeenArea()
    area.install()
    reader = make_reader(options)
    photos = options.photos
    reader.read(photos[0])
    area.seen = area.whole = 0
    rounds: list[dict[str, float]] = []
    outside: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            clock.seconds.clear()
            started, busy = time.perf_counter(), time.process_time()
            # As `signboard run` opens it.
            writer = FileSink(jsonl.FORMAT, Path(folder) / f"{number}.jsonl")
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
            outside.append(min(wall, busy if options.threads == 1 else wall) - networks)
    result = {stage: statistics.median(entry[stage] for entry in rounds) for stage in rounds[0]}
    result["other"] = result["wall"] - sum(value for stage, value in result.items() if stage != "wall")
    return {
        "photos": len(photos),
        "rounds": options.rounds,
        "seconds": result,
        "outside_networks_seconds": statistics.median(outside) / len(photos),
        "detector_area": area.seen / area.whole,
    }
