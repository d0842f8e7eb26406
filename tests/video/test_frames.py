"""Where frames come from, how the camera moved between them, and which are read."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from video_fakes import PATCHES, SIZE, PatchReader, pan, patch, texture, write_video

from signboard.reading import Reading
from signboard.video import follow
from signboard.video.motion import estimate_motion, move, small_grey
from signboard.video.names import is_video
from signboard.video.selection import pick_frames, sharpness
from signboard.video.source import Capture, PictureSequence, VideoError, open_source

RED, BLUE, GREEN = PATCHES


class Frames:
    """A source of given frames at given times."""

    live, rate, duration, name, size = False, 10.0, None, "frames", (0, 0)

    def __init__(self, frames: list[np.ndarray | None], times: list[float] | None = None) -> None:
        self.frames, self.times = frames, times or [index / 10 for index in range(len(frames))]
        self.index, self.retrieved = -1, 0

    def grab(self) -> float | None:
        self.index += 1
        return self.times[self.index] if self.index < len(self.frames) else None

    def retrieve(self) -> np.ndarray | None:
        self.retrieved += 1
        return self.frames[self.index]

    def fault(self) -> str | None:
        return None

    def close(self) -> None:
        pass


# Motion --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("turn", "zoom", "shift"), [(0, 1.0, (0, 0)), (0, 1.0, (60, -22)), (4, 1.0, (12, 8)), (-2, 1.12, (-25, 10))]
)
def test_the_camera_s_motion_is_found(turn: float, zoom: float, shift: tuple[float, float]) -> None:
    scene = cv2.GaussianBlur(texture(1500, 1100), (0, 0), 2)
    matrix = cv2.getRotationMatrix2D((640, 360), turn, zoom)
    matrix[:, 2] += shift
    first = scene[:720, :1280]
    second = cv2.warpAffine(scene, matrix, (1280, 720), borderMode=cv2.BORDER_REFLECT)
    motion = estimate_motion(small_grey(first), small_grey(second), 1280 / 480)
    assert motion.sure
    points = np.array([[200.0, 150], [1000, 150], [1000, 600], [200, 600]])
    # Pixel centres are at whole numbers in OpenCV's frame and at halves in ours.
    expected = move(points - 0.5, np.vstack([matrix, [0, 0, 1]])) + 0.5
    assert np.abs(move(points, motion.matrix) - expected).max() < 2.5


def test_something_that_passes_is_not_the_camera() -> None:
    scene = texture(700, 300)
    frames = []
    for left in (0, 60):
        frame = scene.copy()
        frame[60:200, 100 + left : 300 + left] = 40
        cv2.circle(frame, (200 + left, 130), 40, (250, 250, 250), -1)
        frames.append(small_grey(frame))
    motion = estimate_motion(*frames, 700 / 480)
    assert motion.sure and np.abs(motion.matrix - np.eye(3)).max() < 0.5


def test_a_long_way_without_corners_to_follow_is_found_by_phase() -> None:
    scene = cv2.GaussianBlur(texture(900, 400), (0, 0), 9)
    first, second = small_grey(scene[:, :480]), small_grey(scene[:, 90:570])
    motion = estimate_motion(first, second, 1.0)
    assert motion.sure and motion.matrix[0, 2] == pytest.approx(-90, abs=6)


def test_a_cut_to_another_scene_is_not_sure() -> None:
    assert not estimate_motion(small_grey(texture(640, 400, 1)), small_grey(texture(640, 400, 2)), 640 / 480).sure
    assert not estimate_motion(small_grey(texture(640, 400)), small_grey(texture(400, 640)), 1.0).sure


# Choice --------------------------------------------------------------------------------------------------------------


def test_blur_is_less_sharp() -> None:
    frame = texture(640, 400)[..., 0]
    assert sharpness(cv2.GaussianBlur(frame, (0, 0), 2)) < 0.5 * sharpness(frame)


def test_the_sharpest_of_each_half_second_is_read() -> None:
    scene = texture(900, 300)
    frames: list[np.ndarray | None] = list(pan(scene, range(0, 400, 20)))
    sharp = {3, 6, 9, 12, 19}
    frames = [
        frame if index in sharp or frame is None else cv2.GaussianBlur(frame, (0, 0), 3)
        for index, frame in enumerate(frames)
    ]
    picks = list(pick_frames(Frames(frames, [index / 8 for index in range(20)]), rate=2.0))
    assert [pick.index for pick in picks] == [3, 6, 9, 12, 19]
    shifts = [float(pick.motion.matrix[0, 2]) for pick in picks]
    assert shifts[1:] == pytest.approx([-60, -60, -60, -140], abs=4)
    assert all(pick.motion.sure for pick in picks)


@pytest.mark.parametrize(
    ("step", "blurred", "least", "most"), [(4, False, 20, 26), (4, True, 30, 40), (40, False, 40, 40)]
)
def test_no_more_frames_are_looked_at_than_it_takes(step: int, blurred: bool, least: int, most: int) -> None:
    """Half of them where the camera goes slowly and they are sharp: for the first there are no others to go by."""
    frames: list[np.ndarray | None] = list(pan(texture(2000, 300), range(0, 40 * step, step)))
    if blurred:
        frames[4:] = [frame if frame is None else cv2.GaussianBlur(frame, (0, 0), 3) for frame in frames[4:]]
    source = Frames(frames, [index / 8 for index in range(40)])
    picks = list(pick_frames(source, rate=2.0))
    assert least <= source.retrieved <= most and 8 <= len(picks) <= 10


def test_a_picture_that_stays_the_same_is_read_now_and_then() -> None:
    still = next(iter(pan(texture(400, 300), [0])))
    source = Frames([still] * 120)
    picks = list(pick_frames(source, rate=2.0))
    assert [round(pick.time) for pick in picks] == [0, 5, 10]
    assert picks[0].until == pytest.approx(4.5, abs=0.6) and picks[-1].until == pytest.approx(11.9, abs=0.5)
    noisy = [
        np.clip(still + np.random.default_rng(k).normal(0, 6, still.shape), 0, 255).astype(np.uint8) for k in range(40)
    ]
    assert len(list(pick_frames(Frames(list(noisy)), rate=2.0))) == 1


def test_a_word_that_appears_on_a_still_picture_is_read() -> None:
    still = next(iter(pan(texture(400, 300), [0])))
    changed = still.copy()
    patch(changed, RED, 100, 100)
    picks = list(pick_frames(Frames([still] * 20 + [changed] * 20), rate=2.0))
    assert [pick.time for pick in picks] == [0.0, pytest.approx(2.0, abs=0.4)]


def test_not_every_frame_is_unpacked_unless_it_is_asked_for() -> None:
    frames: list[np.ndarray | None] = list(pan(texture(900, 300), np.linspace(0, 400, 90)))
    times = [index / 30 for index in range(90)]
    source = Frames(frames, times)
    assert len(list(pick_frames(source, rate=2.0))) == 6
    assert source.retrieved <= 25
    motions: list[tuple[int, float, np.ndarray]] = []
    list(pick_frames(Frames(frames, times), rate=2.0, motions=motions))
    assert [index for index, _, _ in motions] == list(range(90))
    assert motions[-1][2][0, 2] == pytest.approx(400, abs=8)


def test_lost_frames_and_jumps_in_time() -> None:
    frames: list[np.ndarray | None] = list(pan(texture(900, 300), range(0, 400, 40)))
    times = [0.0, 0.1, 0.2, 7.0, 7.05, 7.1, 30.0, 30.5, 31.0, 90.0]
    frames[3] = None
    picks = list(pick_frames(Frames(frames, times), rate=2.0))
    assert [int(pick.time) for pick in picks] == [0, 7, 30, 30, 31, 90]


def test_large_frames_are_read_smaller_and_told_in_their_own_pixels() -> None:
    frame = texture(5120, 1600)
    patch(frame, RED, 2000, 600, 400, 200)
    (pick,) = pick_frames(Frames([frame]))
    assert pick.pixels is not None and pick.pixels.shape == (800, 2560, 3) and (pick.width, pick.height) == (5120, 1600)
    (sign,) = follow(PatchReader(), Frames([frame]))
    assert sign.sign.polygon[0] == pytest.approx((2000, 600), abs=4)
    assert sign.sign.polygon[2] == pytest.approx((2400, 800), abs=4)


# Sources -------------------------------------------------------------------------------------------------------------


def test_what_is_a_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert all(is_video(name) for name in ("walk.mp4", "a/b.MOV", "rtsp://camera/1", "RTSP://x", "0", "12", "x.webm"))
    assert not any(is_video(name) for name in ("a.jpg", "photos", "-", "http://x/y", "1234", "٣", "video"))
    (tmp_path / "7").touch()
    (tmp_path / "odd.mp4").mkdir()
    assert not is_video("7") and not is_video("odd.mp4")


def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = write_video(tmp_path / "गली.mp4", pan(texture(900, 300), range(0, 300, 10)), rate=15)
    source = open_source(str(path))
    times = list(iter(source.grab, None))
    assert len(times) == 30 and times == pytest.approx([k / 15 for k in range(30)], abs=0.002)
    assert source.rate == 15 and source.duration == pytest.approx(2.0) and source.fault() is None
    source.close()


def test_colours_and_size_are_right(tmp_path: Path) -> None:
    frame = texture(*SIZE)
    patch(frame, RED, 100, 100)
    source = open_source(str(write_video(tmp_path / "a.mp4", [frame] * 3)))
    source.grab()
    pixels = source.retrieve()
    source.close()
    assert pixels is not None and pixels.shape == (240, 320, 3) and source.size == (320, 240)
    assert np.abs(pixels[105:118, 110:150].mean(axis=(0, 1)) - RED).max() < 25


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello" * 300)
    (tmp_path / "folder.d").mkdir()
    for name, why in (
        ("none.mp4", "no such file"),
        ("empty.mp4", "empty file"),
        ("text.mp4", "not a video"),
        ("folder.d", "is a folder"),
        ("a\nb.mp4", "no such file"),
    ):
        with pytest.raises(VideoError, match=why) as caught:
            open_source(str(tmp_path / name))
        assert "\n" not in str(caught.value) and str(caught.value).startswith(str(tmp_path))
    with pytest.raises(VideoError, match="no such camera"):
        open_source("97")


def test_a_file_that_lost_its_end_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "a.avi"
    write_video(path, (rng.integers(0, 255, (240, 320, 3)).astype(np.uint8) for _ in range(60)), rate=10, kind="MJPG")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    source = open_source(str(path))
    frames = len(list(iter(source.grab, None)))
    assert 5 < frames < 40
    assert source.fault() is not None and "damaged, it ends after" in str(source.fault())
    source.close()


def test_a_playlist_that_is_called_a_video_opens_nothing(tmp_path: Path) -> None:
    write_video(tmp_path / "secret.mp4", [texture(*SIZE)] * 3)
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/{tmp_path}/x.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError):
        open_source(str(tmp_path / "list.mp4"))


def test_times_that_run_backwards_are_counted_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Backwards:
        def __init__(self, *_: Any) -> None:
            self.times = iter([40.0, 80.0, 80.0, 10.0, float("nan"), 400.0])

        def isOpened(self) -> bool:
            return True

        def grab(self) -> bool:
            self.now = next(self.times, None)
            return self.now is not None

        def get(self, key: int) -> float | None:
            return {cv2.CAP_PROP_FPS: 10.0, cv2.CAP_PROP_FRAME_COUNT: 6.0}.get(key) or self.now

    monkeypatch.setattr(cv2, "VideoCapture", Backwards)
    (tmp_path / "a.mp4").write_bytes(b"some bytes")
    source = Capture(str(tmp_path / "a.mp4"), live=False)
    times = list(iter(source.grab, None))
    assert times[:5] == pytest.approx([0.0, 0.04, 0.14, 0.24, 0.34]) and times[5] == pytest.approx(0.36)
    assert all(b > a for a, b in itertools.pairwise(times))


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    for number in (10, 9, 11, 14):
        Image.fromarray(texture(64, 48, number)).save(tmp_path / f"f_{number}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    source = PictureSequence(str(tmp_path), 2.0)
    times, firsts = [], []
    while (now := source.grab()) is not None:
        times.append(now)
        pixels = source.retrieve()
        assert pixels is not None
        firsts.append(pixels)
    assert times == [0.0, 0.5, 1.0, 2.5] and source.duration == 3.0
    assert (firsts[1] == texture(64, 48, 10)).all()
    for name in ("x_first.png", "x.png"):
        Image.fromarray(texture(64, 48)).save(tmp_path / name)
    unnumbered = PictureSequence(str(tmp_path), 2.0)
    assert list(iter(unnumbered.grab, None)) == [0, 0.5, 1, 1.5, 2, 2.5]


def test_bad_pictures_of_a_folder_are_left_out(tmp_path: Path) -> None:
    Image.fromarray(texture(64, 48)).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"broken")
    Image.fromarray(texture(128, 96)).save(tmp_path / "3.png")
    source = PictureSequence(str(tmp_path), 1.0)
    shapes = []
    while source.grab() is not None:
        pixels = source.retrieve()
        shapes.append(None if pixels is None else pixels.shape)
    assert shapes == [(48, 64, 3), None, (48, 64, 3)]
    assert "1 of 3 frames cannot be opened" in str(source.fault()) and "2.png" in str(source.fault())
    for name, why in (("none", "no such folder"), ("1.png", "is no folder")):
        with pytest.raises(VideoError, match=why):
            PictureSequence(str(tmp_path / name), 1.0)
    empty = tmp_path / "sub"
    empty.mkdir()
    with pytest.raises(VideoError, match="no pictures"):
        PictureSequence(str(empty), 1.0)


class Camera(Frames):
    """Pans over a sign; without end when asked for."""

    live = True

    def __init__(self, *, endless: bool = False) -> None:
        scene = texture(2000, 300)
        patch(scene, RED, 150, 100)
        super().__init__(list(pan(scene, range(0, 1600, 4))))
        self.endless = endless

    def grab(self) -> float | None:
        now = super().grab()
        if now is None and self.endless:
            self.index = len(self.frames) - 1
            now = self.times[-1] + 1.0
            self.times.append(now)
        return now


def test_from_a_camera_the_newest_frame_is_read() -> None:
    camera, seen = Camera(), []

    class Slow(PatchReader):
        def read(self, pixels: np.ndarray) -> Reading:
            begin = camera.index
            while camera.index < min(begin + 30, len(camera.frames)):
                time.sleep(0.001)
            return super().read(pixels)

    list(follow(Slow(), camera, rate=20.0, progress=lambda done, count: seen.append(done)))
    assert 2 <= len(seen) <= 15  # of the 400 that were chosen
    assert seen == sorted(seen) and seen[-1] == 39.9


def test_stopping_ends_a_camera_and_gives_what_was_seen() -> None:
    counts: list[int] = []
    signs = list(
        follow(
            PatchReader(), Camera(endless=True), rate=20.0, progress=lambda done, count: counts.append(count),
            stopped=lambda: len(counts) >= 5,
        )
    )  # fmt: skip
    assert counts == [1, 2, 3, 4, 5]
    assert all(sign.sign.text == "HOTEL" for sign in signs)


def test_the_decoder_is_quiet(tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("hello" * 300)
    program = f"from signboard.video import open_source\nopen_source({str(path)!r})"
    # In a process of its own: the decoder asks for its log level once.
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout == "" and result.stderr.startswith("Traceback") and "moov" not in result.stderr
