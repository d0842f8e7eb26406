"""First and last letters that were cut off: which words are asked about, and what is believed."""

from __future__ import annotations

import numpy as np
import pytest

from signboard.pipeline.mending.lost_letters import RestoreLostLetters, one_letter_more
from signboard.pipeline.mending.step import mend_words
from signboard.pipeline.words import ReadWord
from signboard.recognition import LanguageModel
from signboard.recognition.recognizer import CropReading

BOX = np.array([[20, 40], [140, 40], [140, 70], [20, 70]], np.float32)


def test_words_that_lack_a_letter() -> None:
    language = LanguageModel.load()
    assert language.lacks_letter("BUILDE")[1] and language.lacks_letter("ASUAL")[0]
    assert language.lacks_letter("स्टेश")[1]
    for text in ("station", "qzxvj", "KE", "4x", "", "हिन्दी", "12"):
        assert language.lacks_letter(text) == (False, False), text


def test_one_letter_more() -> None:
    assert one_letter_more("BUILDE", "builder", before=False) and one_letter_more("asual", "CASUAL,", before=True)
    assert not one_letter_more("BUILDE", "builder", before=True)
    assert not one_letter_more("BUILDE", "builders", before=False)
    assert not one_letter_more("BUILDE", "BUILDE", before=False)
    assert not one_letter_more("BUILDE", "BUILDE R", before=False)
    assert one_letter_more("हिन्द", "हिन्दी", before=False)


@pytest.mark.parametrize(
    ("wider", "expected"), [(("BUILDER", 0.9), "BUILDER"), (("BUILDEA", 0.9), "BUILDE"), (("BUILDE", 0.9), "BUILDE")]
)
def test_a_lost_last_letter_is_found(wider: tuple[str, float], expected: str) -> None:
    shown: list[int] = []

    def read(crops: list[np.ndarray]) -> list[CropReading]:
        shown.extend(crop.shape[1] for crop in crops)
        return [CropReading(*wider)] * len(crops)

    picture = np.full((120, 200, 3), 90, np.uint8)
    words = [ReadWord("BUILDE", 0.9, BOX), ReadWord("station", 0.9, BOX + 300), ReadWord("BUILDE", 0.2, BOX)]
    step = RestoreLostLetters(LanguageModel.load(), 30)
    (mended,) = mend_words([step], [picture], [words], read)
    assert [word.text for word in mended] == [expected, "station", "BUILDE"]
    assert max(x for x, _ in mended[0].polygon) == pytest.approx(160 if expected == "BUILDER" else 140, abs=1)
    # Asked about is the first word alone, before it and behind it: it and 0.8 of its height more.
    assert len(shown) == 2 and all(125 < width < 145 for width in shown)
