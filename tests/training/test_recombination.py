"""Words taken apart between their letters: where they are cut, what comes of the parts, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

import signboard.output
from signboard.errors import ConfigError
from signboard.recognition import Recognizer
from signboard.recognition.charset import Charset
from signboard.training.config import RecognizerTrainConfig
from signboard.training.crops import Crop, stretched, whole_crop
from signboard.training.recognizer_task import RecognizerTask
from signboard.training.recombination import letter_cuts, recombine, with_cuts

FONTS = Path(signboard.output.__file__).parent / "fonts"


def bars(*columns: tuple[int, int], width: int = 80) -> np.ndarray:
    """A white strip with a black bar from one column to another for each letter."""
    strip = np.full((32, width, 3), 255, np.uint8)
    for a, b in columns:
        strip[6:26, a:b] = 0
    return strip


def path(charset: Charset, *letters: tuple[str, int], frames: int = 20) -> np.ndarray:
    """The best path of `frames` frames that emits each letter at a frame."""
    best = np.zeros(frames, np.int64)
    for letter, frame in letters:
        best[frame] = charset.encode(letter)[0]
    return best


def drawn(text: str) -> Crop:
    """A word as a sign would have it, in the package's typeface."""
    font = ImageFont.truetype(str(next(FONTS.glob("*.ttf"))), 40)
    picture = Image.new("RGB", (int(font.getlength(text)) + 16, 60), (30, 60, 120))
    ImageDraw.Draw(picture).text((8, 2), text, fill=(240, 240, 230), font=font)
    return whole_crop(np.asarray(picture), text)


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.load(language=False)


def test_cuts_lie_in_the_gaps_and_not_half_way_between_the_frames() -> None:
    charset = Charset()
    strip = bars((4, 30), (36, 40), (46, 76))  # a narrow letter between wide ones
    cuts = letter_cuts(strip, path(charset, ("O", 4), ("l", 9), ("M", 14)), "OlM", charset)
    assert len(cuts) == 2
    assert 30 <= cuts[0] * 80 < 36 and 40 <= cuts[1] * 80 < 46


def test_words_that_are_read_otherwise_or_stand_too_close_have_no_cuts() -> None:
    charset = Charset()
    strip = bars((4, 30), (36, 40), (46, 76))
    best = path(charset, ("O", 4), ("l", 9), ("M", 14))
    assert letter_cuts(strip, best, "OIM", charset) == ()
    assert letter_cuts(strip, best, "OlMs", charset) == ()
    assert letter_cuts(strip, path(charset, ("O", 9), ("l", 10), ("M", 11), frames=40), "OlM", charset) == ()


def test_syllables_are_kept_whole() -> None:
    charset = Charset()
    # Signs are read in visual order: the i before its consonant. "हिन्दी" has two syllables, so one cut.
    best = path(charset, ("ि", 2), ("ह", 4), ("न", 9), ("्", 10), ("द", 12), ("ी", 15))
    cuts = letter_cuts(bars((4, 26), (34, 76)), best, "हिन्दी", charset)
    assert len(cuts) == 1 and 26 <= cuts[0] * 80 < 34


def test_what_is_put_together_reads_as_its_label_says(recognizer: Recognizer) -> None:
    crops = with_cuts([drawn(word) for word in ("HOTELS", "Garden", "2486", "किताब")], recognizer)
    assert [len(crop.cuts) for crop in crops] == [5, 5, 3, 2]
    rng = np.random.default_rng(0)
    made = [recombine(crop, rng) for crop in crops for _ in range(20)]
    read = [text for text, _ in recognizer.read_crops([crop.image for crop in made])]
    right = sum(text == crop.text for text, crop in zip(read, made, strict=True))
    assert right >= 0.85 * len(made), [(t, c.text) for t, c in zip(read, made, strict=True) if t != c.text]
    native = [text == crop.text for text, crop in zip(read, made, strict=True) if crop.script == "devanagari"]
    assert len(native) == 20 and sum(native) >= 15
    texts = {crop.text for crop in made}
    assert len(texts) > 30  # parts, and other orders
    assert any(text not in "HOTELS Garden 2486 किताब" for text in texts) and any(text in "HOTELS" for text in texts)
    for crop in made:
        assert crop.quad.min() >= 0 and (crop.quad.max(axis=0) <= crop.image.shape[1::-1]).all()
        assert not crop.cuts


def test_only_the_ends_of_a_made_word_have_room_beside_them(recognizer: Recognizer) -> None:
    (crop,) = with_cuts([drawn("HOTELS")], recognizer)
    rng = np.random.default_rng(1)
    for _ in range(200):
        text = recombine(crop, rng).text
        assert "H" not in text[1:] and "S" not in text[:-1]


def test_words_that_cannot_be_taken_apart_stay_whole(recognizer: Recognizer) -> None:
    short, phrase, wrong = drawn("ON"), drawn("MAIN ROAD"), drawn("HOTELS")
    wrong = Crop(wrong.image, wrong.quad, "STATION", wrong.script)
    made = with_cuts([short, phrase, wrong], recognizer)
    assert [crop.cuts for crop in made] == [(), (), ()]
    with pytest.raises(ValueError, match="cuts"):
        recombine(made[0], np.random.default_rng(0))


def test_remix_needs_weights_that_find_the_letters(tmp_path: Path) -> None:
    folder = tmp_path / "words"
    (folder / "images").mkdir(parents=True)
    Image.fromarray(drawn("HOTELS").image).save(folder / "images" / "0.png")
    (folder / "labels.jsonl").write_text('{"image": "images/0.png", "text": "HOTELS", "split": "train"}\n')
    options = {"output": tmp_path, "steps": 1, "batch_size": 16, "data": [{"path": folder}], "recombine": 1}
    with pytest.raises(ConfigError, match=r"recombine.*start_from"):
        RecognizerTask(RecognizerTrainConfig.model_validate(options))
    card = Path(signboard.output.__file__).parents[1] / "weights" / "recognizer.json"
    shape = {
        "width": 0.5,
        "mixer": 192,
        "mixer_layers": 4,
        "height": 48,
        "grid_layers": 2,
        "tall": 80,
        "start_from": card,
    }
    task = RecognizerTask(RecognizerTrainConfig.model_validate(options | shape))
    assert "between letters: 1" in task.describe()
    batches, again = task.source.pool(0), task.source.pool(0)
    for one, other in zip(batches, again, strict=True):
        assert one["text"] == other["text"] and torch.equal(one["image"], other["image"])
    texts = {text for batch in batches for text in batch["text"]}
    assert len(texts) > 20 and all(set(text) <= set("HOTELS") for text in texts)


def test_stretching_moves_letters_and_keeps_the_size() -> None:
    crop = bars((4, 30), (36, 40), (46, 76))
    one, same, other = (stretched(crop, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one.shape == crop.shape and one.dtype == np.uint8
    assert (one == same).all() and (one != other).any() and (one != crop).any()
    # The letters are still three, in their order.
    for made in (one, other):
        dark = made[16, :, 0] < 128
        assert np.count_nonzero(np.diff(dark.astype(int)) == 1) == 3
