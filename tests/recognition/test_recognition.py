"""The recogniser: charset and visual order round-trip, CTC by hand, batches equal singles, one batch overfits."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from signboard.backbones import BACKBONES
from signboard.backbones.int8 import Ranges
from signboard.recognition import Charset, Recognizer, RecognizerConfig, RecognizerNetwork, script_of
from signboard.recognition.charset import DEFAULT_CHARACTERS, DEVANAGARI, normalize, to_logical, to_visual
from signboard.recognition.ctc import Frames, ctc_loss, greedy_decode, spaces
from signboard.recognition.int8 import ByteRecognizer
from signboard.recognition.recognizer import WIDTHS, CropReading, crop_width, most_agreed, normalize_crops

CONSONANTS = [c for c in DEVANAGARI if "\u0915" <= c <= "\u0939"]
CLUSTERS = st.lists(st.sampled_from(CONSONANTS), min_size=1, max_size=3).map("\u094d".join)
AKSHARAS = st.tuples(CLUSTERS, st.sampled_from(["", "ा", "ि", "ी", "ु", "े", "ो", "ं", "िं", "्"])).map("".join)


@given(st.lists(st.one_of(AKSHARAS, st.sampled_from(list("aZ9 -।अइ"))), max_size=10).map("".join))
def test_visual_order_round_trips(text: str) -> None:
    text = normalize(text)
    assert to_logical(to_visual(text)) == text


def test_the_vowel_sign_i_stands_left_of_its_cluster() -> None:
    assert to_visual("हिन्दी") == "िहन्दी"
    assert to_visual("शक्ति") == "शिक्त"
    assert to_visual("राष्ट्रिय") == "रािष्ट्रय"
    assert to_visual("फ़िल्म") == "ि" + unicodedata.normalize("NFC", "फ़") + "ल्म"


def test_the_charset_has_no_doubles_and_is_nfc() -> None:
    assert len(set(DEFAULT_CHARACTERS)) == len(DEFAULT_CHARACTERS)
    assert all(unicodedata.normalize("NFC", c) == c for c in DEFAULT_CHARACTERS)
    assert not Charset().missing("Straße N° 5, ₹450/- शर्मा मिष्ठान्न भंडार ॐ ९८७६ । ळ ऱ ॲ Ça Ÿ Œuvre ÑÁ")


@given(st.text(alphabet=DEFAULT_CHARACTERS.replace("\u093f", ""), max_size=20))
def test_encoding_round_trips(text: str) -> None:
    charset = Charset()
    assert charset.decode(charset.encode(text)) == normalize(text)


def test_a_charset_with_doubles_is_refused_and_missing_characters_are_named() -> None:
    with pytest.raises(ValueError, match="more than once"):
        Charset("abca")
    assert Charset("abc").missing("cab d") == {" ", "d"}


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("दिल्ली", "devanagari"),
        ("Delhi", "latin"),
        ("011-23", "digits"),
        ("A-१", "latin"),
        ("दिल्ली-Delhi", "mixed"),
        ("!!", "other"),
        ("", "other"),
        ("९८", "digits"),
    ],
)
def test_scripts(text: str, script: str) -> None:
    assert script_of(text) == script


def test_greedy_decoding_by_hand() -> None:
    charset = Charset("ab")
    best = np.array([[0, 1, 1, 0, 1, 2], [0, 0, 0, 0, 0, 0]])
    probability = np.array([[0.9, 0.5, 0.8, 0.7, 0.6, 0.9], [0.99] * 6], np.float32)
    # What comes second: neighbours of the blank's frames are no others.
    second = np.array([[1, 0, 2, 1, 2, 0], [1] * 6])
    frames = Frames(best, probability, second, 1.0 - probability)
    (text, confidence), empty = greedy_decode(frames, charset)
    assert text == "aab"
    assert confidence == pytest.approx(0.8 * 0.6 * 0.9)
    assert empty == ("", 0.0)


def test_a_character_that_was_nearly_read_makes_a_reading_less_sure() -> None:
    charset = Charset("abc")
    best = np.array([[1, 0, 2, 0, 0]])
    probability = np.array([[1.0, 0.7, 1.0, 0.9, 0.99]], np.float32)
    for second, expected in (
        ([0, 3, 0, 1, 1], 0.7),  # c between a and b
        ([0, 3, 0, 3, 3], 0.7),
        ([0, 2, 0, 3, 1], 0.9),  # b beside b is no other; c behind
        ([0, 1, 0, 2, 2], 1.0),
        ([2, 0, 3, 0, 0], 1.0),  # in frames of letters another letter takes from the letter's own
    ):
        frames = Frames(best, probability, np.array([second]), 1.0 - probability)
        assert greedy_decode(frames, charset) == [("ab", pytest.approx(expected))]


def test_the_two_likeliest_classes_of_each_frame() -> None:
    probabilities = torch.tensor([[[0.1, 0.6, 0.3], [0.7, 0.05, 0.25]]])
    frames = Frames.of(probabilities.log())
    assert frames.best.tolist() == [[1, 0]] and frames.second.tolist() == [[2, 2]]
    assert frames.probability.tolist() == [pytest.approx([0.6, 0.7])]
    assert frames.second_probability.tolist() == [pytest.approx([0.3, 0.25])]


def test_unsure_crops_are_read_again_with_a_border(monkeypatch: pytest.MonkeyPatch) -> None:
    recognizer = Recognizer(RecognizerNetwork(RecognizerConfig(width=0.125, mixer=32, mixer_layers=1)), again=0.6)
    # By grey level: the readings of a crop as it is, and of one with a border.
    readings = {
        10: (CropReading("sure", 0.9), CropReading("other", 1.0)),
        20: (CropReading("unsure", 0.5), CropReading("better", 0.7)),
        30: (CropReading("unsure", 0.5), CropReading("worse", 0.4)),
        40: (CropReading("", 0.0), CropReading("noise", 0.3)),
    }
    shapes = []

    def read(crops: list[np.ndarray], *, tall: bool = False, seen: object = None) -> list[CropReading]:
        assert not tall or not crops
        shapes.extend(crop.shape[:2] for crop in crops)
        assert all(len(np.unique(crop)) == 1 for crop in crops)  # the border repeats the crop
        return [readings[int(crop[0, 0, 0])][crop.shape[0] != 20] for crop in crops]

    straightened = []
    monkeypatch.setattr(recognizer, "_read", read)
    monkeypatch.setattr(
        recognizer, "_straightened", lambda crop, before, looks: straightened.append((before, len(looks))) or before
    )
    crops = [np.full((20, 50, 3), level, np.uint8) for level in readings]
    assert recognizer.read_crops(crops) == [("sure", 0.9), ("better", 0.7), ("unsure", 0.5), ("", 0.0)]
    # The unsure ones again, for what else they show.
    assert shapes == [(20, 50)] * (4 + 3) + [(20 + 2 * 2, 50 + 2 * 5)] * 2
    assert straightened == [(("unsure", 0.5), 2), (("", 0.0), 1)]


def test_unsure_crops_are_read_in_their_tall_form_and_strips_lying_on_their_sides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = RecognizerConfig(width=0.125, mixer=32, mixer_layers=1, tall=64)
    recognizer = Recognizer(RecognizerNetwork(config), again=0.6)
    # (grey level, tall, height, width) of what is asked for; sure of the tall square, and of the strip's left side up.
    asked: list[tuple[int, bool, int, int]] = []

    def read(crops: list[np.ndarray], *, tall: bool = False, seen: object = None) -> list[CropReading]:
        results = []
        for crop in crops:
            height, width = crop.shape[:2]
            asked.append((int(crop[0, 0, 0]), tall, height, width))
            lying = width > 3 * height
            sure = (tall and height == width) or (lying and crop[0, 0, 0] == 30 and crop[0, -1, 0] == 30)
            results.append(CropReading("sure" if sure else "unsure", 0.9 if sure else 0.1))
        return results

    monkeypatch.setattr(recognizer, "_read", read)
    square, wide, strip = (np.full(shape, 20, np.uint8) for shape in ((40, 40, 3), (20, 100, 3), (80, 20, 3)))
    strip[:, :] = 20
    strip[:, -1] = 30  # the right column: above the word when the strip is turned to the left
    assert recognizer.read_crops([square, wide, strip]) == [("sure", 0.9), ("unsure", 0.1), ("sure", 0.9)]
    assert {(20, True, 40, 40), (20, True, 80, 20)} <= set(asked)
    assert all(width < 2.6 * height for _, tall, height, width in asked if tall)
    assert {(30, False, 20, 80), (20, False, 20, 80)} <= set(asked)  # on either side
    asked.clear()
    recognizer.read_lines([square, np.full((32, 32, 3), 20, np.uint8)])  # the second has no more rows than are shown
    assert asked == [(20, False, 40, 40), (20, False, 32, 32), (20, True, 40, 40)]


@pytest.mark.parametrize("tall", [False, True])
def test_the_network_in_bytes_makes_of_floats_what_the_network_does(tall: bool) -> None:
    torch.manual_seed(0)
    network = RecognizerNetwork(
        RecognizerConfig(width=0.125, mixer=32, mixer_layers=1, height=48, grid_layers=1, tall=80)
    ).eval()
    crops = torch.randint(0, 256, (2, 80 if tall else 48, 96, 3), dtype=torch.uint8)
    with torch.inference_mode():
        expected, _ = network(normalize_crops(crops))
        found = ByteRecognizer(network, Ranges())
        torch.testing.assert_close(found(crops), expected, rtol=1e-3, atol=1e-3)
        # Batches of other sizes beside it change nothing.
        others = [found.places(crops[:1, :, :32]), found.places(crops), found.places(crops[:, :, 32:])]
        torch.testing.assert_close(found.logits(others)[1], expected, rtol=1e-3, atol=1e-3)


def test_the_text_with_most_confidence_in_all_counts() -> None:
    readings = [("NIGHTS", 0.6), ("Lights", 0.4), ("LIGHTS", 0.5), ("", 0.0)]
    assert most_agreed([CropReading(*reading) for reading in readings]) == CropReading("LIGHTS", 0.5)


def test_ctc_loss_equals_the_probability_of_all_alignments() -> None:
    """Two frames, target "a": the alignments are aa, -a, a-."""
    p = torch.tensor([[[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]]])
    expected = -np.log(0.5 * 0.3 + 0.2 * 0.3 + 0.5 * 0.6)
    assert float(ctc_loss(p.log(), torch.tensor([1]), torch.tensor([1]))) == pytest.approx(expected, rel=1e-5)
    # An empty word: blanks in all frames. It counts as an eighth, and is learned from.
    logits = p.log().clone().requires_grad_()
    nothing = ctc_loss(logits, torch.tensor([], dtype=torch.long), torch.tensor([0]))
    assert float(nothing.detach()) == pytest.approx(-float(p[..., 0].log().sum()) / 8, rel=1e-5)
    nothing.backward()
    assert logits.grad is not None and float(logits.grad[..., 0].max()) < 0


@pytest.mark.parametrize("name", sorted(set(BACKBONES) - {"resnet50", "resnet101", "resnet152", "vgg19", "resnet34"}))
@pytest.mark.parametrize("height", [32, 48])
def test_every_family_keeps_the_width(name: str, height: int) -> None:
    network = RecognizerNetwork(
        RecognizerConfig(backbone=name, width=0.125, mixer=32, mixer_layers=1, height=height)
    ).train()
    logits, early = network(torch.randn(2, 3, height, 96))
    assert network.frame_width == 4
    assert logits.shape == (2, 24, len(DEFAULT_CHARACTERS) + 1)
    assert early is not None and early.shape == logits.shape
    logits.mean().backward()
    first = next(p for p in network.backbone.parameters() if p.ndim == 4)
    assert first.grad is not None and float(first.grad.abs().sum()) > 0


def test_crops_together_equal_crops_alone_in_any_order() -> None:
    torch.manual_seed(0)
    recognizer = Recognizer(RecognizerNetwork(RecognizerConfig(width=0.125, mixer=32, mixer_layers=1)))
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (int(h), int(w), 3), dtype=np.uint8) for h, w in rng.integers(10, 200, (12, 2))]
    together = recognizer.read_crops(crops)
    alone = [recognizer.read_crops([crop])[0] for crop in crops]
    backwards = recognizer.read_crops(crops[::-1])[::-1]
    for a, b, c in zip(together, alone, backwards, strict=True):
        assert a[0] == b[0] == c[0]
        assert a[1] == pytest.approx(b[1], abs=1e-4) and a[1] == pytest.approx(c[1], abs=1e-4)
        assert (a[0] == "") == (a[1] == 0.0)
    assert recognizer.read_crops([]) == []


def test_a_crop_of_two_words_says_where_they_part(monkeypatch: pytest.MonkeyPatch) -> None:
    recognizer = Recognizer(RecognizerNetwork(RecognizerConfig(width=0.125, mixer=32, mixer_layers=1)))
    logits = torch.full((1, 8, len(recognizer.charset)), -9.0)
    for frame, character in enumerate("a  bbb"):
        space = character == " "
        logits[0, frame, recognizer.charset.space if space else recognizer.charset.encode(character)[0]] = 9.0
    logits[0, 6:, 0] = 9.0
    monkeypatch.setattr(recognizer, "_logits", lambda batches: [logits for _ in batches])
    crop = np.zeros((32, 32, 3), np.uint8)
    (reading,) = recognizer.read_lines([crop])
    assert reading.text == "a b" and reading.gaps == (0.25,)
    assert recognizer.read_crops([crop]) == [("a b", reading.confidence)]


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_widths_are_few(height: int, width: int) -> None:
    assert crop_width(height, width, 32, 512) in [w for w in WIDTHS if w <= 512]


def test_one_batch_overfits() -> None:
    torch.manual_seed(0)
    charset = Charset("abc")
    network = RecognizerNetwork(RecognizerConfig(width=0.125, mixer=32, mixer_layers=1, characters="abc")).train()
    words = ["ab", "ca", "bb", "cab"]
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(0, 1, (4, 3, 32, 48)).astype(np.float32))
    target = torch.tensor([c for w in words for c in charset.encode(w)])
    length = torch.tensor([len(w) for w in words])
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    for _ in range(80):
        logits, early = network(x)
        loss = ctc_loss(logits, target, length) + ctc_loss(early, target, length)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert [t for t, _ in greedy_decode(Frames.of(logits.detach()), charset)] == words


@pytest.mark.parametrize(
    ("path", "places"),
    [
        ("aa-_--b-", (0.4375,)),  # "_" stands for the space, "-" for the blank
        ("_a--b-_-", ()),  # spaces before the first and behind the last character part nothing
        ("a_-_b_cc", (0.1875, 0.6875)),  # two spaces in a row are one
        ("--------", ()),
    ],
)
def test_spaces_of_a_path_part_its_words(path: str, places: tuple[float, ...]) -> None:
    classes = np.array(["-_abc".index(c) for c in path])
    assert spaces(classes, 1) == pytest.approx(places)


def test_passes_on_a_processor_hold_powers_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    recognizer = Recognizer(RecognizerNetwork(RecognizerConfig(width=0.125, mixer=32, mixer_layers=1)))
    sizes: list[int] = []
    logits = recognizer._logits
    monkeypatch.setattr(recognizer, "_logits", lambda batches: (sizes.extend(map(len, batches)), logits(batches))[1])
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (20, width, 3), dtype=np.uint8) for width in [60] * 11 + [30]]
    together = recognizer.read_lines(crops)
    assert sorted(sizes) == [1, 1, 2, 8]
    assert [reading.text for reading in together] == [recognizer.read_lines([crop])[0].text for crop in crops]
