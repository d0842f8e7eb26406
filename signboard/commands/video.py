"""The run over videos: which inputs are videos, and reading and writing them."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from signboard.commands import readers
from signboard.commands.interrupt import Stop, let_go_of_stdout
from signboard.commands.messages import complain
from signboard.errors import ConfigError, SignboardError
from signboard.progress import put
from signboard.video.names import SUFFIXES, is_live, is_video

if TYPE_CHECKING:
    from signboard.output.sink import WriteOptions
    from signboard.reading import Reading
    from signboard.video.clock import GpxTrack
    from signboard.video.following import FollowedSign
    from signboard.video.rows import SignFile


@dataclasses.dataclass(frozen=True)
class VideoOptions:
    """What `signboard run` was asked for, as far as it concerns videos; see its help."""

    sequence: bool
    gpx: Path | None
    start: str | None
    sample_rate: float
    frame_rate: float | None
    memory: float


def has_videos(inputs: Sequence[str], options: VideoOptions) -> bool:
    """Whether this run is one of videos.

    Raises:
        ConfigError: photos and videos are mixed, or an option of videos was given for photos.
    """
    if options.sequence:
        return True
    videos = [name for name in inputs if is_video(name) or _pattern(name)]
    if not videos:
        for name, value in (("--gpx", options.gpx), ("--start", options.start), ("--frame-rate", options.frame_rate)):
            if value is not None:
                raise ConfigError(f"{name}: is for videos, and none was named")
        return False
    if len(videos) < len(inputs):
        other = next(name for name in inputs if name not in videos)
        raise ConfigError(f"{other}: photos and videos are read by separate commands; name videos only, or photos only")
    return True


def run_videos(
    inputs: Sequence[str],
    options: VideoOptions,
    *,
    output: Path | None,
    format_name: str | None,
    annotate: Path | None,
    writing: WriteOptions,
    csv_safe: bool,
    reader_options: dict[str, Any],
    batch_size: int | Literal["auto"],
    workers: int | None,
    quiet: bool,
) -> int:
    """Reads videos and writes their signs; the exit code.

    Raises:
        SignboardError: what was asked for makes no sense or cannot be written.
    """
    names = list(dict.fromkeys(_expanded(inputs)))
    form = _format_name(output, format_name)
    pictures = _annotated(annotate, names, options.sequence)
    start, track = _when_and_where(options, names)
    run = _Run(
        options=options, reader_options=dict(reader_options), batch_size=batch_size, workers=workers, start=start,
        track=track, quiet=quiet, to_terminal=output is None and sys.stdout.isatty(), plain=form == "text",
        named=len(names) > 1,
    )  # fmt: skip
    from signboard.video.rows import SignFile, choose_form

    for name in names:
        if output is not None and output.exists() and Path(name).is_file() and output.samefile(name):
            raise ConfigError(f"{output}: is one of the videos to read; an output must be another file")
    target = output if output is not None else sys.stdout.buffer
    out = SignFile(choose_form(form, csv_safe), target, dataclasses.replace(writing, position=track is not None))
    return run.run(names, out, pictures)


def _pattern(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES and any(char in name for char in "*?[")


def _expanded(inputs: Sequence[str]) -> Iterator[str]:
    import glob

    for name in inputs:
        if _pattern(name) and not Path(name).exists():
            found = sorted(glob.glob(name, recursive=True))  # noqa: PTH207
            yield from found or [name]
        else:
            yield name


def _format_name(output: Path | None, name: str | None) -> str:
    from signboard.video.rows import FORMATS

    if name is None and output is not None:
        found = [key for key, form in FORMATS.items() if output.name.lower().endswith(form.suffixes)]
        if not found:
            raise ConfigError(f"{output}: signs of videos are written as {', '.join(FORMATS)}; say which with --format")
        return found[0]
    if name is not None and name not in FORMATS:
        raise ConfigError(f"--format {name}: signs of videos are written as {', '.join(FORMATS)}")
    return name or "text"


def _annotated(annotate: Path | None, names: Sequence[str], sequence: bool) -> dict[str, Path]:
    """Where each annotated video goes."""
    if annotate is None:
        return {}
    from signboard.output.sink import unique_names
    from signboard.video.overlay import CODECS

    live = [name for name in names if is_live(name) and not sequence]
    if live:
        raise ConfigError(f"--annotate {annotate}: needs a video that can be read twice, not {live[0]}")
    if annotate.suffix.lower() in CODECS and not annotate.is_dir():
        if len(names) > 1:
            raise ConfigError(f"--annotate {annotate}: is one video for {len(names)}; name a folder")
        places = {names[0]: annotate}
    elif annotate.suffix and not annotate.is_dir():
        raise ConfigError(f"--annotate {annotate}: the ending of a video must be one of {' '.join(CODECS)}")
    else:
        annotate.mkdir(parents=True, exist_ok=True)
        files = {
            name: Path(name).name if Path(name).suffix.lower() in CODECS else f"{Path(name).stem or 'video'}.mp4"
            for name in names
        }
        places = {name: annotate / file for name, file in unique_names(files).items()}
    for name, place in places.items():
        if not place.parent.is_dir():
            raise ConfigError(f"--annotate {annotate}: the folder {place.parent} does not exist")
        if place.exists() and Path(name).exists() and place.samefile(name):
            raise ConfigError(f"--annotate {annotate}: would write over the video {name}; name another file or folder")
    return places


def _when_and_where(options: VideoOptions, names: Sequence[str]) -> tuple[datetime.datetime | None, GpxTrack | None]:
    start: datetime.datetime | None = None
    if options.start is not None:
        from signboard.video.clock import parse_time

        try:
            start = parse_time(options.start)
        except ValueError:
            raise ConfigError(f"--start {options.start}: not a time such as 2026-05-01T10:30:00+05:30") from None
        if len(names) > 1:
            raise ConfigError("--start: is for one video; name them one by one")
    if options.gpx is None:
        return start, None
    from signboard.video.clock import GpxTrack

    return start, GpxTrack.load(options.gpx)


@dataclasses.dataclass
class _Run:
    """One run over some videos."""

    options: VideoOptions
    reader_options: dict[str, Any]
    batch_size: int | Literal["auto"]
    workers: int | None
    start: datetime.datetime | None
    track: GpxTrack | None
    quiet: bool
    to_terminal: bool
    plain: bool
    named: bool

    def run(self, names: Sequence[str], out: SignFile, pictures: dict[str, Path]) -> int:
        """Reads and writes every video that is not written yet; the exit code."""
        todo = [name for name in names if not out.has(name)]
        failed = signs = 0
        seconds = 0.0
        begin = time.monotonic()
        code = 0
        reader = None
        with Stop() as stop:
            try:
                for name in todo:
                    try:
                        source = self._open(name)
                    except SignboardError as error:
                        complain(str(error))
                        out.write([self._error(name, str(error))])
                        failed += 1
                        continue
                    if reader is None:
                        # What the signs say is translated once, at the end; frames vote, and need no other readings.
                        reader = readers.make_reader(**{**self.reader_options, "translate": False, "n_best": 1})
                    found, bad, done = self._video(name, source, reader, out, pictures.get(name), stop)
                    signs, seconds = signs + found, seconds + done
                    failed += bad
                    if stop.signal is not None:
                        break
                out.close()
            except BrokenPipeError:
                let_go_of_stdout()  # whoever read our output has seen enough
                return 1
            except SignboardError as error:
                complain(str(error))
                code = 2 if isinstance(error, ConfigError) else 1
                with contextlib.suppress(SignboardError, OSError):
                    out.close()
            # A camera goes on until it is stopped.
            if stop.signal is not None and not code and not all(is_live(name) for name in names):
                code = 128 + stop.signal
                complain("interrupted; videos that were not read to their end are not in the output")
        if not self.quiet and not self.to_terminal and not code:
            spent = max(time.monotonic() - begin, 1e-9)
            pace = f"{seconds / spent:.1f} x real time"
            put(f"{signs} signs on {len(todo) - failed} videos, {failed} failed, {pace}\n")
        return code or (1 if failed else 0)

    def _open(self, name: str) -> Any:
        from signboard.video.source import open_source

        return open_source(name, sequence=self.options.sequence, rate=self.options.frame_rate)

    def _error(self, name: str, error: str, total: int | None = 0, size: tuple[int, int] = (0, 0)) -> Reading:
        from signboard.video.rows import bare_reading

        return bare_reading(name, total, size, error)

    def _video(
        self, name: str, source: Any, reader: Any, out: SignFile, picture: Path | None, stop: Stop
    ) -> tuple[int, bool, float]:
        """Reads one video and writes its rows: signs, whether it is damaged, seconds of it that were read."""
        from signboard.photo import printable
        from signboard.video.chain import follow
        from signboard.video.rows import bare_reading

        start = self.start or (self._creation_time(name) if not source.live else datetime.datetime.now(datetime.UTC))
        if self.track is not None and start is None:
            message = f"{name}: does not say when it was made; --start TIME does"
            source.close()
            complain(message)
            out.write([self._error(name, message)])
            return 0, True, 0.0
        bar = _Bar(name, source.duration, shown=not self.quiet and sys.stderr.isatty() and not self.to_terminal)
        motions: list[Any] | None = [] if picture is not None else None
        signs: list[FollowedSign] = []
        count = 0

        def row(sign: FollowedSign, total: int | None) -> Reading:
            from signboard.video.rows import sign_reading

            return sign_reading(sign, name, count, total, source.size, start=start, track=self.track)

        try:
            for sign in follow(
                reader,
                source,
                rate=self.options.sample_rate,
                memory=self.options.memory,
                batch_size=self.batch_size,
                workers=self.workers,
                motions=motions,
                progress=lambda done, _: bar.show(done, len(signs)),
                stopped=lambda: stop.signal is not None,
            ):
                signs.append(_translated(sign) if self.reader_options["translate"] else sign)
                if source.live:
                    count += 1
                    bar.clear()
                    out.write([row(signs.pop(), None)])
            fault = source.fault() if stop.signal is None else None
        finally:
            source.close()
            bar.clear()
        seconds = bar.done
        rows: list[Reading] = []
        if fault is not None:
            message = f"{name}: {fault}"
            complain(message)
            rows.append(self._error(name, message, None if source.live else len(signs), source.size))
        if source.live:
            out.write(rows)
            return count, fault is not None, seconds
        if stop.signal is not None:
            return 0, False, seconds  # a video is written whole, so that --resume knows
        if picture is not None and signs:
            self._draw(name, picture, signs, motions or [], bar, stop)
        signs.sort(key=lambda sign: sign.order)
        for sign in signs:
            count += 1
            rows.append(row(sign, len(signs)))
        if not signs and fault is None and self.plain and not self.quiet:
            complain(f"{name}: no text found")
        heading = f"== {printable(name)} ==\n" if self.plain and self.named else ""
        out.write(rows or [bare_reading(name, 0, source.size)], heading=heading)
        return len(signs), fault is not None, seconds

    def _creation_time(self, name: str) -> datetime.datetime | None:
        from signboard.video.clock import creation_time

        return None if self.options.sequence else creation_time(name)

    def _draw(
        self, name: str, picture: Path, signs: list[FollowedSign], motions: list[Any], bar: _Bar, stop: Stop
    ) -> None:
        from signboard.video.overlay import annotate_video

        source = self._open(name)
        bar.begin("drawing")
        try:
            annotate_video(
                source,
                picture,
                signs,
                motions,
                progress=lambda done: bar.show(done, len(signs)),
                stopped=lambda: stop.signal is not None,
            )
        finally:
            source.close()
            bar.clear()


def _translated(sign: FollowedSign) -> FollowedSign:
    """The sign with Latin letters and English for its Hindi lines."""
    from signboard.translation import translate_lines

    lines = []
    for line, said in zip(sign.sign.lines, translate_lines([line.text for line in sign.sign.lines]), strict=True):
        if said is not None:
            line = dataclasses.replace(line, romanized=said.romanized, translation=said.english)
        lines.append(line)
    return dataclasses.replace(sign, sign=dataclasses.replace(sign.sign, lines=tuple(lines)))


class _Bar:
    """One line on standard error that is drawn over and over: what is done of a video, how fast, what is left."""

    def __init__(self, name: str, duration: float | None, *, shown: bool) -> None:
        from signboard.photo import printable

        self._name, self._duration, self._shown = printable(Path(name).name or name), duration, shown
        self._begin, self._drawn = time.monotonic(), 0.0
        self.done = 0.0

    def begin(self, what: str) -> None:
        """Starts again for the next job."""
        self._name, self._begin = f"{self._name}, {what}", time.monotonic()

    def show(self, done: float, signs: int) -> None:
        """So many seconds of the video are done, so many signs found."""
        self.done = max(self.done, done)
        now = time.monotonic()
        if not self._shown or now - self._drawn < 0.2:
            return
        from signboard.progress import duration
        from signboard.video.rows import clock

        self._drawn = now
        pace = done / max(now - self._begin, 1e-9)
        total = f"/{clock(self._duration)}" if self._duration else ""
        left = f"  {duration((self._duration - done) / pace)} left" if self._duration and pace > 0 else ""
        line = f"{self._name} {clock(done)}{total}  {pace:.1f} x real time  {signs} signs{left}"
        width = shutil.get_terminal_size().columns - 1
        put("\r\x1b[K" + line[:width])

    def clear(self) -> None:
        """Takes the line away."""
        if self._shown:
            put("\r\x1b[K")
