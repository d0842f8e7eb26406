"""How videos are scored: each sign once and right, words of photos that a camera moves over, the pace."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from signboard.benchmarking import videos
from signboard.benchmarking.videos import SignScore, WordCount, count_words, score_signs
from signboard.synthesis import street_videos
from signboard.synthesis.street_videos import KINDS, MadeVideo

MADE = MadeVideo(Path("a.mp4"), ["POST OFFICE", "WAY OUT", "WAY OUT"], "pan")


@pytest.mark.parametrize(
    ("found", "counts"),
    [
        (["POST OFFICE", "Way Out", "WAY OUT"], (3, 3, 3, 0)),
        (["POST OFFIOE", "WAY OUT", "WAY OUT"], (3, 3, 2, 0)),
        (["POST OFFICE", "WAY OUT"], (3, 2, 2, 0)),
        (["POST OFFICE", "POST OFFICE", "WAY OUT", "WAY OUT"], (3, 2, 3, 1)),  # once too often
        (["POST OFFICE", "WAY OUT", "WAY OUT", "XYZ 12"], (3, 3, 3, 1)),
        ([], (3, 0, 0, 0)),
    ],
)
def test_signs_are_counted(found: list[str], counts: tuple[int, int, int, int]) -> None:
    score = score_signs(MADE, found)
    assert (score.signs, score.once, score.right, score.extra) == counts


def test_the_table_adds_up_and_names_what_went_wrong() -> None:
    scores = {"pan": score_signs(MADE, ["POST OFFIOE", "WAY OUT"]), "bus": SignScore(1, 1, 1, 0)}
    table = videos.sign_table(scores)
    assert "| pan | 3 | 2 | 1 | 0 |" in table and "| all | 4 | 75.0 % | 50.0 % | 0 |" in table
    assert "pan: 'POST OFFICE' read as 'POST OFFIOE'" in table and "pan: missed 'WAY OUT'" in table


def test_words_of_labels_photo_and_video_are_compared() -> None:
    words = count_words(["Post", "Office", "Out"], ["POST", "Office"], ["post", "post", "Office", "new"])
    assert words == WordCount(3, 2, 2, 1)
    assert (words.lost, words.new) == (("out",), ("new",))
    assert "3 words; read on the photo at 1280 x 720 66.7 %, on the video 66.7 %; 1 words" in str(words)
    assert (words + words).labelled == 6
    # Twice on the photo as it was read: twice on the video is no double.
    assert count_words(["Out"], ["out", "out"], ["out", "out"]).doubled == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_video_is_made_with_its_signs(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(street_videos, "make_video", lambda path, scene, points, **look: shown.append((points, look)))
    made = street_videos.make(kind, tmp_path, np.random.default_rng(1))
    ((points, look),) = shown
    assert made.kind == kind and made.signs and all(made.signs)
    assert points[-1][0] > 1 and look["size"] == street_videos.SIZE
    if kind in ("twins", "repeats"):
        assert len(set(made.signs)) < len(made.signs)


def test_the_pace_is_of_rounds_behind_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[Path] = []

    def read(reader: Any, path: Path, progress: Any) -> tuple[list[Any], float, float]:
        rounds.append(path)
        progress(0.5, 1)
        progress(1.0, 2)
        return [], 0.5, 2.0

    monkeypatch.setattr(videos, "read_video", read)
    monkeypatch.setattr(videos, "make_video", lambda path, *_, **__: path)
    paces = list(videos.measure_speed(SimpleNamespace(), 2.0, 3, 0))
    assert len(rounds) == 4 and len(paces) == 3
    assert all((pace.video, pace.frames, pace.wall) == (2.0, 2, 0.5) for pace in paces)
    assert "4.00 x real time" in str(paces[0])
