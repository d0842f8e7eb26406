"""What words may say instead, on request."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from signboard import Reader, SignboardError
from signboard.geometry import ImageArray
from signboard.output.jsonl import from_dict, to_dict
from signboard.pipeline.alternatives import alternatives
from signboard.pipeline.words import ReadWord
from signboard.reading import Alternative
from signboard.recognition import Recognizer

BOX = np.array([[10, 10], [70, 10], [70, 34], [10, 34]], np.float32)


class Lists:
    """Stands for a recogniser that offers the same texts for every crop."""

    height = 48

    def n_best(self, crops: Sequence[ImageArray], n: int) -> list[list[tuple[str, float]]]:
        assert all(crop.shape[0] == self.height for crop in crops)
        return [[("CAFE", 0.61), ("CAFÉ", 0.3), ("CASE", 0.1234567)][:n] for _ in crops]


def test_the_words_own_text_is_not_among_its_alternatives() -> None:
    picture = np.zeros((60, 90, 3), np.uint8)
    words = [ReadWord("CAFE", 0.6, BOX), ReadWord("CASE", 0.5, BOX), ReadWord("", 0.0, BOX)]
    found = alternatives(picture, words, Lists(), 2)  # type: ignore[arg-type]
    assert [[a.text for a in some] for some in found] == [["CAFÉ", "CASE"], ["CAFE", "CAFÉ"], ["CAFE", "CAFÉ"]]
    assert found[0][1] == Alternative("CASE", 0.1235)
    assert alternatives(picture, [], Lists(), 2) == []  # type: ignore[arg-type]


def _blurred(text: str) -> ImageArray:
    image = np.full((64, 40 + 26 * len(text), 3), 235, np.uint8)
    cv2.putText(image, text, (20, 46), cv2.FONT_HERSHEY_DUPLEX, 1.2, (30, 30, 30), 2, cv2.LINE_AA)
    return cv2.GaussianBlur(cv2.resize(image, None, fx=0.3, fy=0.3), (0, 0), 1.3).astype(np.uint8)


def test_unsure_words_have_several_readings_the_likeliest_first() -> None:
    (readings,) = Recognizer.load().n_best([_blurred("CHILLER")], 3)
    assert 1 <= len(readings) <= 3 and len({text for text, _ in readings}) == len(readings)
    confidences = [confidence for _, confidence in readings]
    assert confidences == sorted(confidences, reverse=True) and all(0 <= c <= 1 for c in confidences)
    (one,) = Recognizer.load().n_best([_blurred("CHILLER")], 1)
    assert one == readings[:1]


def test_rows_keep_alternatives_and_ordinary_readers_have_none() -> None:
    picture = cv2.copyMakeBorder(_blurred("CHILLER"), 60, 60, 80, 80, cv2.BORDER_REPLICATE)
    asked, plain = Reader(n_best=4).read(picture), Reader().read(picture)
    assert asked.text == plain.text
    assert any(word.alternatives for word in asked.words)
    assert all(not word.alternatives for word in plain.words)
    assert "alternatives" not in str(to_dict(plain))
    assert all(word.text not in [a.text for a in word.alternatives] for word in asked.words)
    assert to_dict(from_dict(to_dict(asked))) == to_dict(asked)


def test_what_cannot_be_asked_for_is_said() -> None:
    with pytest.raises(SignboardError, match="n_best: must be at least 1, not 0"):
        Reader(n_best=0)
    with pytest.raises(SignboardError, match="n_best: needs a recogniser with a language model"):
        Reader(n_best=2, recognizer=Recognizer.load(language=False))
