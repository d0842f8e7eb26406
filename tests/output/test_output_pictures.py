"""Annotated pictures have no boxes for missing glyphs and shaped Devanagari; the report works in a real browser."""

from __future__ import annotations

import dataclasses
import html as html_escapes
import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from output_samples import NAMES, empty, failed, quad, reading
from PIL import Image, ImageFont, features

from signboard.output import html
from signboard.output.annotate import FONT_PATH, _font, annotate, drawable, encode, font_characters, place_labels
from signboard.output.sink import FileSink
from signboard.reading import Line, Reading, Sign, Word


def one_word(text: str, polygon: tuple[tuple[float, float], ...], confidence: float = 0.9) -> Reading:
    word = Word(text, polygon, confidence, 0.9, "latin")
    return Reading("a.jpg", 400, 300, (Sign((Line((word,), polygon),), polygon),))


def test_the_typeface_has_both_scripts() -> None:
    known = font_characters()
    for text in (
        "ABCxyz",
        "0123456789",
        "०१२३४५६७८९",
        "₹।॥",
        "äöüßéèçñàêîôû",
        "कखगघङऋक्षज्ञश्रऑॉँंः",
        ".,:;-–&'\"()/+@#%!?",
    ):
        assert {ord(char) for char in text} <= known
    assert ord("→") not in known and ord("中") not in known and ord("\u0995") not in known


def test_only_what_can_be_drawn_is_drawn() -> None:
    assert drawable("पुलिस थाना") == "पुलिस थाना"
    assert drawable("Exit → 2") == "Exit > 2"
    assert drawable("中国 Road") == "Road"
    assert drawable("㎏ ①") == "kg 1"
    assert drawable("☎ 98") == "Tel. 98"
    assert drawable("中") == ""
    assert {ord(char) for char in drawable("a中b\u0995c😀\x01\n")} <= font_characters()


@pytest.mark.skipif(not features.check("raqm"), reason="this Pillow has no raqm")
def test_devanagari_is_shaped() -> None:
    font = _font(40)
    # A conjunct is one glyph, narrower than its parts side by side; the sign i goes to the left of its consonant.
    assert font.getlength("क्ष") < 0.9 * (font.getlength("क") + font.getlength("ष"))
    # Letter by letter, the sign i would stand on the wrong side.
    basic = ImageFont.truetype(str(FONT_PATH), 40, layout_engine=ImageFont.Layout.BASIC)
    assert bytes(font.getmask("कि")) != bytes(basic.getmask("कि"))


@pytest.mark.parametrize(
    "polygon",
    [
        quad(100, 100, 300, 140),
        quad(100, 0, 300, 20),  # no room above
        quad(-20, -20, 380, 330),  # past every edge
        quad(390, 290, 399, 299),
        ((100.0, 200.0), (180.0, 120.0), (200.0, 140.0), (150.0, 180.0), (120.0, 220.0)),
    ],
)
def test_annotating_keeps_the_photo_and_draws_on_it(polygon: tuple[tuple[float, float], ...]) -> None:
    pixels = np.full((300, 400, 3), 90, np.uint8)
    image = annotate(pixels, one_word("थाना", polygon))
    drawn = np.array(image)
    assert drawn.shape == pixels.shape and (pixels == 90).all()
    assert (drawn != 90).any() and (drawn < 70).all(axis=2).any()  # an outline, and dark letters


def test_the_outline_is_where_the_word_is() -> None:
    pixels = np.full((300, 400, 3), 255, np.uint8)
    drawn = np.array(annotate(pixels, one_word("", quad(100, 100, 300, 140)))).astype(int)
    green = (drawn[:, :, 1] - drawn[:, :, 0] > 60).nonzero()
    assert (green[1].min(), green[1].max(), green[0].min(), green[0].max()) == pytest.approx(
        (100, 300, 100, 140), abs=2
    )
    half = np.array(annotate(pixels[::2, ::2], one_word("", quad(100, 100, 300, 140)), scale=0.5)).astype(int)
    green = (half[:, :, 1] - half[:, :, 0] > 60).nonzero()
    assert (green[1].min(), green[1].max(), green[0].min(), green[0].max()) == pytest.approx((50, 150, 50, 70), abs=2)


def test_words_that_cannot_be_drawn_leave_only_their_outline() -> None:
    pixels = np.full((300, 400, 3), 255, np.uint8)
    with_text = annotate(pixels, one_word("中国", quad(100, 100, 300, 140)))
    without = annotate(pixels, one_word("", quad(100, 100, 300, 140)))
    assert (np.array(with_text) == np.array(without)).all()


def dense(columns: int, rows: int, wide: int, tall: int) -> Reading:
    """A board full of words, side by side and below each other with hardly a gap."""
    lines = []
    for y in range(rows):
        words = []
        for x in range(columns):
            polygon = quad(x * wide + 2, y * tall + 2, (x + 1) * wide - 2, (y + 1) * tall - 2)
            words.append(Word("मार्ग Road"[x % 2 * 6 :].strip(), polygon, 0.9, 0.9, "latin"))
        lines.append(Line(tuple(words), quad(2, y * tall + 2, columns * wide - 2, (y + 1) * tall - 2)))
    return Reading("a.jpg", columns * wide, rows * tall, (Sign(tuple(lines), quad(0, 0, columns * wide, rows * tall)),))


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


@pytest.mark.parametrize(("columns", "rows", "wide", "tall"), [(12, 20, 70, 18), (3, 4, 200, 60), (30, 2, 24, 200)])
def test_labels_never_cover_each_other(columns: int, rows: int, wide: int, tall: int) -> None:
    item = dense(columns, rows, wide, tall)
    labels = place_labels(item, (item.width, item.height))
    assert labels and len(labels) <= len(item.words)
    for number, label in enumerate(labels):
        left, top, right, bottom = label.box
        assert left >= 0 and top >= 0 and right <= item.width + 1 and bottom <= item.height + 1
        for other in labels[:number]:
            assert overlap(label.box, other.box) <= sum(label.box[2:]) - sum(label.box[:2])  # a pixel along an edge
    if tall == 60:
        assert len(labels) == len(item.words)


def test_labels_stand_clear_of_other_words_where_there_is_room() -> None:
    words = tuple(Word("Hotel", quad(40, y, 200, y + 40), 0.9, 0.9, "latin") for y in (100, 145))
    lines = tuple(Line((word,), word.polygon) for word in words)
    item = Reading("a.jpg", 400, 300, (Sign(lines, quad(40, 100, 200, 185)),))
    labels = place_labels(item, (400, 300))
    # The first above its word, the second below it: between them there is no room.
    assert len(labels) == 2 and all(overlap(label.box, (40, 100, 200, 185)) < 100 for label in labels)
    assert labels[0].box[3] <= 101 and labels[1].box[1] >= 184


def test_english_takes_the_place_of_the_hindi() -> None:
    item = reading()
    pixels = np.full((600, 800, 3), (120, 40, 40), np.uint8)
    drawn = np.array(annotate(pixels, item)).astype(int)
    inside = drawn[56:96, 106:324]  # the Hindi line's middle
    plate = (inside > 230).all(axis=2)
    ink = (inside[..., 2] > inside[..., 0] + 60) & (inside[..., 0] < 90)
    assert plate.mean() > 0.5 and ink.sum() > 200
    texts = {label.text for label in place_labels(item, (800, 600))}
    assert texts == {'Police & "Station"', "011-2345"}
    # On a slanted line the plate is slanted too: its corners stay as they were.
    slanted = ((100.0, 100.0), (300.0, 180.0), (285.0, 218.0), (85.0, 138.0))
    word = Word("थाना", slanted, 0.9, 0.9, "devanagari")
    line = Line((word,), slanted, romanized="thana", translation="Police station, all visitors must report here")
    drawn = np.array(annotate(pixels, Reading("a.jpg", 800, 600, (Sign((line,), slanted),)))).astype(int)
    assert (drawn[159, 150:230] > 200).any() and (drawn[105, 280] == (120, 40, 40)).all()
    assert (drawn[215, 100] == (120, 40, 40)).all()


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".webp"])
def test_pictures_are_encoded_by_their_ending_and_carry_no_exif(suffix: str) -> None:
    image = Image.new("RGB", (40, 30), (9, 8, 7))
    image.getexif()[0x010E] = "somewhere"
    back = Image.open(io.BytesIO(encode(image, suffix)))
    kinds = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
    assert back.format == kinds[suffix.lower()] and not dict(back.getexif())


# The report -----------------------------------------------------------------------------------------------------------


def picture(item: Reading) -> bytes | None:
    return None if item.error else encode(Image.new("RGB", (64, 48), (200, 120, 40)), ".jpg")


def write_report(path: Path, items: list[Reading]) -> str:
    sink = FileSink(html.report(picture), path)
    for item in items:
        sink.write(item)
    sink.close()
    return path.read_text(encoding="utf-8")


def test_the_report_needs_nothing_else(tmp_path: Path) -> None:
    page = write_report(
        tmp_path / "report.html", [reading(), empty(), failed(), reading('<script>alert("x")</script>.jpg')]
    )
    assert not re.search(r"(?:src|href)\s*=\s*[\"'](?!data:)", page)
    assert "http://" not in page and "https://" not in page
    assert page.count("<script>") == 1  # ours
    assert "28.6139" not in page


CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

PROBE = """
<script>
const seen = [], probe = (name, values) => {
  for (const [id, value] of Object.entries(values)) {
    const control = document.getElementById(id);
    control.value = value;
    control.dispatchEvent(new Event("input"));
  }
  const shown = [...document.querySelectorAll("article")].filter((a) => a.offsetParent !== null);
  seen.push({
    name, count: document.getElementById("count").textContent,
    shown: shown.map((a) => a.querySelector("h2").textContent),
    words: [...document.querySelectorAll(".w")].filter((w) => w.offsetParent !== null).map((w) => w.textContent),
    hits: [...document.querySelectorAll(".w.hit")].filter((w) => w.offsetParent !== null).map((w) => w.textContent),
    outlines: [...document.querySelectorAll("polygon:not(.off)")].filter((p) => p.getBoundingClientRect().width).length,
  });
};
addEventListener("load", () => {
  const none = { search: "", confidence: "0", state: "" };
  probe("all", none);
  probe("hindi", { ...none, search: "थाना" });
  probe("case", { ...none, search: "sTaTioN" });
  probe("two words", { ...none, search: "police 011" });
  probe("nothing", { ...none, search: "zebra" });
  probe("sure", { ...none, confidence: "50" });
  probe("failed", { ...none, state: "failed" });
  probe("empty", { ...none, state: "empty" });
  probe("all again", none);
  const pictures = [...document.images].map((image) => [image.naturalWidth, image.naturalHeight]);
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = JSON.stringify({ seen, pictures });
  document.body.append(result);
});
</script>
</body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_the_report_in_a_real_browser(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    second = dataclasses.replace(one_word("Hotel", quad(10, 10, 90, 40), 0.3), source="b/<hotel>.jpg")
    page = write_report(tmp_path / "report.html", [reading(), second, empty(), failed(), empty(NAMES[0])])
    probed = tmp_path / "probed.html"
    probed.write_text(page.replace("</body>", PROBE), encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en",
         f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom", probed.as_uri()],
        capture_output=True, timeout=180, check=False, env=os.environ | {"HOME": str(tmp_path)},
    )  # fmt: skip
    dom = done.stdout.decode("utf-8")
    found = re.search(r'<pre id="result">(.*?)</pre>', dom, re.DOTALL)
    assert found, done.stderr.decode("utf-8", "replace")[-2000:]
    result = json.loads(html_escapes.unescape(found.group(1)))
    steps = {step["name"]: step for step in result["seen"]}
    assert steps["all"]["count"] == "5 of 5 photos" and len(steps["all"]["shown"]) == 5
    assert steps["all"]["shown"][1] == "b/<hotel>.jpg" and steps["all"]["shown"][4] == NAMES[0]
    assert steps["hindi"]["shown"] == ["photos/थाना 1.jpg"] and steps["hindi"]["hits"] == ["थाना"]
    assert steps["case"]["hits"] == ['Police & "Station"']
    assert steps["two words"]["count"] == "1 of 5 photos"
    assert steps["nothing"]["shown"] == [] and steps["nothing"]["count"] == "0 of 5 photos"
    assert steps["sure"]["words"] == ["पुलिस", 'Police & "Station"', "011-2345"]
    assert steps["sure"]["outlines"] == 3
    assert steps["failed"]["shown"] == ["photos/<broken>.jpg"]
    assert steps["empty"]["count"] == "2 of 5 photos"
    assert steps["all again"] == steps["all"] | {"name": "all again"} and steps["all"]["outlines"] == 5
    assert result["pictures"] == [[64, 48]] * 4
