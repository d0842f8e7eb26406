"""Crops and scenes: reproducible, within their contract, and with labels that lie where the ink is."""

from __future__ import annotations

import pickle
import shutil
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest

from signboard.errors import DataError
from signboard.recognition.charset import DEFAULT_CHARACTERS
from signboard.synthesis import CropOptions, Face, FontLibrary, ForeignWords, Lexicon, Synthesizer, degrade
from signboard.synthesis.benchmark import measure
from signboard.synthesis.bending import bend_maps
from signboard.synthesis.boards import Board, FlatWord, _Typesetter, make_board, set_line
from signboard.synthesis.foreign import SCRIPTS, foreign_word
from signboard.synthesis.lettering import Setting, Style, paint, sample_night_style, sample_style, set_words, stretch
from signboard.synthesis.scenes import _label, _place_board, background, homography
from signboard.synthesis.sheet import scene_sheet, word_sheet
from signboard.synthesis.words import arch_map, arch_points


def test_samples_depend_on_seed_and_index_only(fonts: FontLibrary, lexicon: Lexicon, synthesizer: Synthesizer) -> None:
    other = pickle.loads(pickle.dumps(Synthesizer(fonts, lexicon, seed=3)))
    for index in (11, 4, 7):  # another order, another object
        first, second = synthesizer.crop(index), other.crop(index)
        assert first.text == second.text and np.array_equal(first.image, second.image)
    a, b = synthesizer.scene(5, 256), other.scene(5, 256)
    assert np.array_equal(a.image, b.image)
    assert [word.text for word in a.words] == [word.text for word in b.words]
    assert not np.array_equal(synthesizer.crop(4).image, Synthesizer(fonts, lexicon, seed=4).crop(4).image)


def test_crops_keep_their_contract(synthesizer: Synthesizer) -> None:
    crops = [synthesizer.crop(index) for index in range(100)]
    for crop in crops:
        height, width, channels = crop.image.shape
        assert crop.image.dtype == np.uint8 and channels == 3 and crop.image.flags.c_contiguous
        assert 20 <= height <= 170 and width >= 8
        assert crop.text == unicodedata.normalize("NFC", crop.text).strip() and crop.text
    shares = [crop.script == "devanagari" for crop in crops]
    assert 0.35 < np.mean(shares) < 0.65
    assert np.mean([" " in crop.text for crop in crops]) < 0.1
    # Letters stand out from the ground nearly everywhere.
    spread = [float(np.percentile(crop.image.mean(2), 98) - np.percentile(crop.image.mean(2), 2)) for crop in crops]
    assert np.mean(np.array(spread) > 25) > 0.95


@pytest.mark.parametrize(("share", "script"), [(0.0, "devanagari"), (1.0, "latin")])
def test_share_of_devanagari(fonts: FontLibrary, lexicon: Lexicon, share: float, script: str) -> None:
    synthesizer = Synthesizer(fonts, lexicon, devanagari=share)
    assert all(synthesizer.crop(index).script != script for index in range(25))


def test_plain_crops_show_two_tones(fonts: FontLibrary, lexicon: Lexicon) -> None:
    options = CropOptions(
        neighbours=0,
        lines=0,
        plain=1,
        hard=0,
        arched=0,
        phrases=0,
        night=0,
        low_contrast=0,
        matrix=0,
        initial=0,
        jumble=0,
    )
    synthesizer = Synthesizer(fonts, lexicon, options=options)
    for index in range(20):
        grey = cv2.cvtColor(synthesizer.crop(index).image, cv2.COLOR_RGB2GRAY)
        _, mask = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        light, dark = grey[mask > 0].mean(), grey[mask == 0].mean()
        assert light - dark > 25, index


def _ink_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    ys, xs = np.nonzero(mask > 60)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def test_word_boxes_hold_the_ink(fonts: FontLibrary) -> None:
    rng = np.random.default_rng(0)
    runs = [fonts.runs(rng, word) for word in ("विद्यालय", "Signs", "42")]
    text = set_words([run for run in runs if run is not None], 48, gap=20)
    assert text is not None and text.boxes.shape == (3, 4)
    for slant in (0.0, 0.25, -0.25):
        shaped = stretch(text, 0.8, 1.1, slant, 1)
        left = 0
        for index, box in enumerate(shaped.boxes):
            x0, y0, x1, y1 = box
            inside = np.zeros_like(shaped.mask)
            inside[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = 1
            end = int(shaped.boxes[index + 1][0]) if index < 2 and slant == 0 else shaped.mask.shape[1]
            if slant == 0:
                column = shaped.mask[:, left:end]
                ink = _ink_box(column)
                assert abs(ink[0] + left - x0) <= 3 and abs(ink[2] + left - x1) <= 3
                assert abs(ink[1] - y0) <= 3 and abs(ink[3] - y1) <= 3
                left = end
        union = np.zeros_like(shaped.mask)
        for x0, y0, x1, y1 in shaped.boxes:
            union[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = 1
        assert shaped.mask[union == 0].sum() <= 0.01 * shaped.mask.sum()


@pytest.mark.parametrize("tracking", [0.0, 9.0])
def test_letter_spacing_widens_and_keeps_the_ink(fonts: FontLibrary, tracking: float) -> None:
    runs = fonts.runs(np.random.default_rng(0), "कार्यालय")
    assert runs is not None
    plain, spaced = (set_words([runs], 48, gap=0, setting=Setting(t)) for t in (0.0, tracking))
    assert plain is not None and spaced is not None
    grown = spaced.mask.shape[1] - plain.mask.shape[1]
    assert abs(grown - 3 * tracking) < 8  # four aksharas, three gaps: का र्या ल य
    assert abs(int(spaced.mask.sum()) - int(plain.mask.sum())) < 0.12 * plain.mask.sum()


def _runs(fonts: FontLibrary, text: str) -> list[tuple[str, Face]]:
    runs = fonts.runs(np.random.default_rng(0), text)
    assert runs is not None
    return runs


def test_a_larger_initial_stands_on_the_baseline_or_hangs(fonts: FontLibrary) -> None:
    runs = _runs(fonts, "HILL")
    plain, large, hanging = (
        set_words([runs], 60, gap=0, setting=setting)
        for setting in (Setting(), Setting(initial=1.5), Setting(initial=1.5, hanging=True))
    )
    assert plain is not None and large is not None and hanging is not None
    height = plain.mask.shape[0]
    for text in (large, hanging):
        assert text.mask.shape[0] == pytest.approx(1.5 * height, abs=3)
    # How far the ink of the last letters is from the mask's lower edge.
    below = [int(np.argmax((text.mask[::-1, -20:] > 128).any(axis=1))) for text in (large, hanging)]
    assert below[0] <= 2
    assert below[1] == pytest.approx(0.25 * height, abs=3)


def test_dancing_letters_are_the_same_for_the_same_generator_and_keep_their_number(fonts: FontLibrary) -> None:
    runs = _runs(fonts, "OHO")
    even = set_words([runs], 60, gap=0, setting=Setting(8))
    first, again, other = (
        set_words([runs], 60, gap=0, setting=Setting(8, jumble=0.15), rng=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert even is not None and first is not None and again is not None and other is not None
    np.testing.assert_array_equal(first.mask, again.mask)
    assert first.mask.shape != other.mask.shape or bool((first.mask != other.mask).any())
    assert first.mask.shape != even.mask.shape or bool((first.mask != even.mask).any())
    for text in (even, first, other):
        assert cv2.connectedComponents((text.mask > 100).astype(np.uint8))[0] - 1 == 3


@pytest.mark.parametrize("kind", ["matrix", "initial", "jumble", "stacked"])
def test_lettering_that_is_asked_for_is_drawn(fonts: FontLibrary, lexicon: Lexicon, tmp_path: Path, kind: str) -> None:
    if kind == "matrix":
        (tmp_path / "Tiny5").mkdir()
        shutil.copyfile(fonts.faces[0].path, tmp_path / "Tiny5" / "Tiny5.ttf")
        shutil.copyfile(fonts.faces[-1].path, tmp_path / "other.ttf")
        fonts = FontLibrary.from_folder(tmp_path)
    plain = {"matrix": 0.0, "initial": 0.0, "jumble": 0.0, "stacked": 0.0, "phrases": 0.3}
    usual = Synthesizer(fonts, lexicon, devanagari=0.0, options=CropOptions(**plain))
    special = Synthesizer(fonts, lexicon, devanagari=0.0, options=CropOptions(**{**plain, kind: 1.0}))
    changed = 0
    for index in range(12):
        crop = special.crop(index)
        np.testing.assert_array_equal(crop.image, special.crop(index).image)
        assert crop.text.casefold() == usual.crop(index).text.casefold()
        changed += crop.image.shape != usual.crop(index).image.shape or bool(
            (crop.image != usual.crop(index).image).any()
        )
    assert changed >= 4  # initials: of words of capitals alone


def test_stacked_letters_become_a_strip_that_is_longer_than_the_word(fonts: FontLibrary, lexicon: Lexicon) -> None:
    options = {"neighbours": 0.0, "lines": 0.0, "bent": 0.0, "matrix": 0.0, "jumble": 0.0, "phrases": 0.0}
    flat = Synthesizer(fonts, lexicon, devanagari=0.0, options=CropOptions(**options, stacked=0.0))
    upright = Synthesizer(fonts, lexicon, devanagari=0.0, options=CropOptions(**options, stacked=1.0))
    longer = words = 0
    for index in range(24):
        crop, usual = upright.crop(index), flat.crop(index)
        if crop.text.isalpha() and len(crop.text) > 3 and crop.text.casefold() == usual.text.casefold():
            words += 1
            ratio, plain = (image.shape[1] / image.shape[0] for image in (crop.image, usual.image))
            longer += ratio > plain
    assert words >= 8 and longer >= 0.8 * words


def test_lamps_lie_on_the_grid_that_is_asked_for() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[5:35, 10:20] = 255  # two columns of six lamps
    style = Style(fill=np.array([255, 60, 50], np.float32), dots=True, pitch=5.0)
    lit = paint(np.zeros((40, 60, 3), np.uint8), mask, style, 30.0, np.random.default_rng(0))[..., 0] > 150
    assert cv2.connectedComponents(lit.astype(np.uint8), connectivity=4)[0] - 1 == 12


@pytest.mark.parametrize("script", SCRIPTS)
def test_words_of_other_scripts_hold_no_letter_that_is_read(script: str) -> None:
    read = set(DEFAULT_CHARACTERS)
    for seed in range(50):
        text = foreign_word(np.random.default_rng(seed), script)
        assert len(text) > 1 and not read & set(text)
        assert all(unicodedata.category(c) != "Cn" for c in text)


def test_crops_of_other_scripts_have_no_text(
    fonts: FontLibrary, lexicon: Lexicon, font_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"no typeface of another script; run scripts/fetch_fonts\.py"):
        ForeignWords(font_folder)
    with pytest.raises(DataError, match="other scripts need their typefaces"):
        Synthesizer(fonts, lexicon).foreign_crop(0)
    # Any face will do here: what it cannot draw it draws as boxes.
    shutil.copyfile(fonts.faces[0].path, tmp_path / "NotoSansTamil-tamil-700-normal.ttf")
    words = ForeignWords(tmp_path)
    assert {script: [face.weight for face in faces] for script, faces in words.faces.items()} == {"tamil": [700]}
    synthesizer = Synthesizer(fonts, lexicon, seed=3, foreign=words)
    for index in range(10):
        crop = synthesizer.foreign_crop(index)
        assert (crop.text, crop.script) == ("", "other")
        assert crop.image.dtype == np.uint8 and float(crop.image.std()) > 3
        np.testing.assert_array_equal(crop.image, synthesizer.foreign_crop(index).image)


@pytest.mark.parametrize(("bend", "turn"), [(0.0, 0.7), (1.6, 0.0), (-2.2, 0.3), (4.0, -0.5)])
def test_a_bent_strip_lies_whole_in_its_box_and_keeps_its_size(bend: float, turn: float) -> None:
    strip = np.full((20, 120), 255, np.uint8)
    map_x, map_y = bend_maps(120, 20, bend, turn)
    picture = cv2.remap(strip, map_x, map_y, cv2.INTER_LINEAR)
    assert abs(float((picture > 127).sum()) / strip.size - 1) < 0.06
    rows, columns = np.nonzero(picture > 127)
    assert rows.min() <= 2 and columns.min() <= 2
    assert rows.max() >= picture.shape[0] - 3 and columns.max() >= picture.shape[1] - 3
    inside = (map_y > 0) & (map_y < 19)
    begin, middle = (np.argwhere(inside & (abs(map_x - x) < 3)).mean(axis=0) for x in (3, 60))
    # From the beginning of the strip to its middle, on its circle and turned: columns, rows.
    angle, radius = 57 * abs(bend) / 120, 120 / abs(bend) if bend else np.inf
    x, y = (radius * np.sin(angle), np.sign(bend) * radius * (np.cos(angle) - 1)) if bend else (57.0, 0.0)
    expected = [x * np.sin(turn) + y * np.cos(turn), x * np.cos(turn) - y * np.sin(turn)]
    np.testing.assert_allclose(middle - begin, expected, atol=1.5)


@pytest.mark.parametrize("bend", [0.3, -0.3, 1.2, -1.2])
def test_arched_points_follow_the_arched_picture(bend: float) -> None:
    width, height = 300, 50
    for point in ((20.5, 10.5), (150.5, 25.5), (280.5, 40.5)):
        strip = np.zeros((height, width), np.uint8)
        cv2.circle(strip, (int(point[0]), int(point[1])), 4, 255, -1)
        map_x, map_y, _ = arch_map(width, height, bend)
        ys, xs = np.nonzero(cv2.remap(strip, map_x, map_y, cv2.INTER_LINEAR) > 100)
        found = np.array([xs.mean() + 0.5, ys.mean() + 0.5])
        assert np.abs(found - arch_points(np.array([point]), width, height, bend)[0]).max() < 1.2


@pytest.mark.parametrize("arched", [False, True])
def test_line_polygons_cover_the_ink(fonts: FontLibrary, arched: bool) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        style = Style(fill=np.zeros(3, np.float32))
        line = set_line(rng, _Typesetter(rng, fonts), "शर्मा मेडिकल Store", 40, 420, style=style, arched=arched)
        assert line is not None
        assert line.mask.shape[1] <= 420 * 1.1
        cover = np.zeros_like(line.mask)
        for word in line.words:
            assert len(word.polygon) == 4 or (arched and len(word.polygon) % 2 == 0 and 8 <= len(word.polygon) <= 14)
            cv2.fillPoly(cover, [np.round(word.polygon).astype(np.int32)], 1)
        assert line.mask[cover == 0].sum() < 0.02 * line.mask.sum()
        # Tight: the ink reaches to within a few pixels of each straight word's polygon.
        if not arched:
            for word in line.words:
                x0, y0 = np.maximum(np.floor(word.polygon.min(0)), 0).astype(int)
                x1, y1 = np.ceil(word.polygon.max(0)).astype(int)
                box = _ink_box(line.mask[y0:y1, x0:x1])
                assert box[0] <= 6 and box[1] <= 6 and x1 - x0 - box[2] <= 16 and y1 - y0 - box[3] <= 6


def test_board_is_warped_with_its_polygons() -> None:
    """A white bar on a black board lands where its polygon says, through any homography."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        flat = np.zeros((120, 300, 3), np.uint8)
        polygon = np.array([[40, 30], [220, 30], [220, 80], [40, 80]], np.float64)
        flat[30:80, 40:220] = 255
        image = np.zeros((400, 400, 3), np.uint8)
        matrix = homography(rng, 300, 120, (200, 200), 400, 1.0)
        ((placed, text),) = _place_board(rng, image, Board(flat, (FlatWord(polygon, "x"),)), matrix)
        cover = np.zeros((400, 400), np.uint8)
        cv2.fillPoly(cover, [np.round((placed - 0.5) * 16).astype(np.int32)], 1, shift=4)
        white = image[:, :, 0] > 127
        assert text == "x"
        assert (white & (cover > 0)).sum() / (white | (cover > 0)).sum() > 0.96


def test_scene_labels_keep_their_contract(synthesizer: Synthesizer) -> None:
    words = 0
    for index in range(8):
        scene = synthesizer.scene(index, 320)
        assert scene.image.shape == (320, 320, 3) and scene.image.dtype == np.uint8
        for word in scene.words:
            words += 1
            assert word.polygon.dtype == np.float32 and word.polygon.shape[1:] == (2,) and len(word.polygon) >= 4
            assert word.polygon.min() >= 0 and word.polygon.max() <= 320
            x, y = word.polygon.astype(np.float64).T
            assert (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() > 0  # clockwise with y down
            assert (word.script == "") == (word.text == "")
    assert words > 15


def test_signs_set_into_a_photo_stay_clear_of_its_words(synthesizer: Synthesizer) -> None:
    rng = np.random.default_rng(3)
    photo = cv2.resize(rng.integers(60, 200, (12, 12, 3), dtype=np.uint8), (320, 320), interpolation=cv2.INTER_CUBIC)
    before = photo.copy()
    taken = [(40.0, 40.0, 200.0, 120.0)]
    words = 0
    for index in range(12):
        scene = synthesizer.onto(photo, taken, index)
        assert scene.image.shape == photo.shape and scene.image.dtype == np.uint8
        np.testing.assert_array_equal(photo, before)
        for word in scene.words:
            words += 1
            (x0, y0), (x1, y1) = word.polygon.min(0), word.polygon.max(0)
            assert x0 >= 0 and x1 <= 320 and y0 >= 0 and y1 <= 320
            assert x1 <= 40 or x0 >= 200 or y1 <= 40 or y0 >= 120
        again = synthesizer.onto(photo, taken, index)
        np.testing.assert_array_equal(again.image, scene.image)
    assert words > 20
    full = synthesizer.onto(photo, [(0.0, 0.0, 320.0, 320.0)], 0)
    assert full.words == ()


def test_label_of_a_cut_word_has_no_text() -> None:
    inside = np.array([[10, 10], [60, 10], [60, 30], [10, 30]], np.float64)
    label = _label(inside, "abc", 100)
    assert label is not None and label.text == "abc" and label.script == "latin"
    cut = _label(inside + np.array([60, 0]), "abc", 100)
    assert cut is not None and cut.text == "" and cut.polygon.max() <= 100
    assert _label(inside + np.array([88, 0]), "abc", 100) is None
    small = _label(inside * np.array([1, 0.25]), "abc", 100)
    assert small is not None and small.text == ""


def test_every_style_leaves_the_letters_visible(fonts: FontLibrary) -> None:
    rng = np.random.default_rng(0)
    runs = fonts.runs(rng, "SIGN")
    assert runs is not None
    text = set_words([runs], 60, gap=0)
    assert text is not None
    mask = cv2.copyMakeBorder(text.mask, 30, 30, 30, 30, cv2.BORDER_CONSTANT)
    ground = np.full((*mask.shape, 3), 235, np.uint8)
    fill = np.array([20, 40, 140], np.float32)
    styles = [sample_style(rng, np.array([235.0] * 3, np.float32), fill, plain=0.0) for _ in range(60)]
    for style in styles:
        painted = paint(ground, mask, style, 44, rng).astype(int)
        assert painted.shape == ground.shape
        assert np.abs(painted - 235).max(2)[cv2.dilate(mask, np.ones((5, 5))) > 128].mean() > 30
    dark = np.full_like(ground, 20)
    for _ in range(8):
        lit = paint(dark, mask, sample_night_style(rng), 44, rng)
        assert lit[mask > 128].mean() > lit[mask == 0].mean() + 20


def test_relief_is_light_and_shade_in_the_colour_of_the_ground() -> None:
    mask = np.zeros((80, 120), np.uint8)
    mask[20:60, 30:90] = 255
    ground = np.full((80, 120, 3), (120, 100, 90), np.uint8)
    red = np.array([250, 0, 0], np.float32)
    raised, cut = (
        paint(ground, mask, Style(fill=red, relief=relief, opacity=0.0), 40, np.random.default_rng(0)).astype(int)
        for relief in (0.6, -0.6)
    )
    for painted in (raised, cut):
        assert (painted[40, 60] == ground[40, 60]).all() and (painted[5, 5] == ground[5, 5]).all()
    # Light from the upper left falls on the upper edge of what stands out, and on the lower edge of what is cut in.
    assert raised[20, 60, 0] > 140 > 100 > raised[60, 60, 0] and cut[20, 60, 0] < 100 < 140 < cut[60, 60, 0]


def test_what_has_faded_is_nearer_to_what_is_around() -> None:
    picture = np.full((100, 160, 3), 200, np.uint8)
    picture[40:60, 50:110] = 40
    made = degrade.faded(picture, 0.3, 12.0)
    assert made.shape == picture.shape and made.dtype == np.uint8
    before, after = (int(x[50, 130, 0]) - int(x[50, 100, 0]) for x in (picture, made))
    assert 0.25 * before < after < 0.8 * before
    assert (degrade.faded(picture, 1.0, 12.0) == picture).all()


def test_boards_and_backgrounds_have_their_size(fonts: FontLibrary, lexicon: Lexicon) -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        width, height = int(rng.integers(60, 500)), int(rng.integers(24, 260))
        board = make_board(rng, fonts, lexicon, width, height, 0.5)
        assert board.image.shape == (height, width, 3)
        assert background(rng, 200).shape == (200, 200, 3)


def test_sheets_and_rates(synthesizer: Synthesizer, fonts: FontLibrary) -> None:
    crops = [synthesizer.crop(index) for index in range(5)]
    assert word_sheet(crops, fonts, columns=3, cell=(100, 60)).shape == (120, 300, 3)
    scenes = [synthesizer.scene(index, 160) for index in range(3)]
    assert scene_sheet(scenes, columns=2, cell=90).shape == (180, 180, 3)
    rate = measure(synthesizer.crop, 5, 1)
    assert rate.count == 5 and rate.wall > 0 and "CPU" in str(rate)


@pytest.mark.parametrize("kind", ["words", "scenes"])
def test_make_synthetic_writes_what_training_reads(
    kind: str, font_folder: Path, fonts: FontLibrary, tmp_path: Path
) -> None:
    import importlib.util

    from signboard.training.adapters import load_scenes, load_words

    script = Path(__file__).parents[2] / "scripts" / "make_synthetic.py"
    spec = importlib.util.spec_from_file_location("make_synthetic", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    output = tmp_path / "set"
    arguments = [kind, "--count", "3", "--size", "256", "--fonts", str(font_folder), "--output", str(output)]
    assert module.main(arguments) == 0
    assert (output / "sheet.png").exists()
    samples = load_words(output) if kind == "words" else load_scenes(output)
    assert len(samples) == 3
    assert module.main(arguments) == 1  # never over an older set
