"""Each form of labels is read right, and each kind of damage is an error that names file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from signboard.errors import DataError
from signboard.training.adapters import (
    clean_polygon,
    load_scenes,
    load_words,
    read_rgb,
    reading_start,
    script_name,
)

SQUARE = [[1, 2], [31, 2], [31, 12], [1, 12]]


def picture(path: Path, size: tuple[int, int] = (40, 20), colour: tuple[int, int, int] = (200, 100, 50)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def scene_row(**changes: Any) -> dict[str, Any]:
    words = [{"polygon": SQUARE, "text": "Shop", "ignore": False, "script": "english"}]
    return {"image": "images/a.png", "width": 40, "height": 20, "split": "val", "words": words} | changes


def write_rows(folder: Path, rows: list[Any]) -> Path:
    picture(folder / "images/a.png")
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / "labels.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_scenes_jsonl(tmp_path: Path) -> None:
    words = [
        {"polygon": SQUARE, "text": "द\u0928\u093c ", "ignore": False, "script": "Marathi"},
        {"polygon": SQUARE, "text": "", "ignore": False},
        {"polygon": SQUARE, "text": "###"},
    ]
    folder = write_rows(tmp_path / "boards", [scene_row(), "", scene_row(words=words, split="train", level="line")])
    first, second = load_scenes(folder)
    assert (first.width, first.height, first.level, first.split, first.source) == (40, 20, "word", "val", "boards")
    assert first.words[0].polygon.dtype == np.float32
    np.testing.assert_array_equal(first.words[0].polygon, SQUARE)
    assert (first.words[0].text, first.words[0].script, first.words[0].ignore) == ("Shop", "latin", False)
    assert [(word.text, word.script, word.ignore) for word in second.words] == [
        ("द\u0929", "devanagari", False),  # NFC, stripped
        (None, None, False),
        (None, None, True),
    ]
    assert second.level == "line"
    assert [sample.split for sample in load_scenes(folder / "labels.jsonl", split="train")] == ["train"]
    assert read_rgb(first).shape == (20, 40, 3)
    assert read_rgb(first)[0, 0].tolist() == [200, 100, 50]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", r"labels\.jsonl:2: not valid JSON"),
        ("[1]", r"labels\.jsonl:2: a row must be"),
        (scene_row(image="images/gone.png"), r"labels\.jsonl:2: image .*gone\.png is missing"),
        (scene_row(split="dev"), r"labels\.jsonl:2: split 'dev'"),
        (scene_row(width="40"), r"labels\.jsonl:2: 'width' has the wrong type"),
        (scene_row(height=0), r"labels\.jsonl:2: width and height"),
        (scene_row(level="page"), r"labels\.jsonl:2: level 'page'"),
        (scene_row(words=[{"text": "x"}]), r"labels\.jsonl:2 word 0: the row has no 'polygon'"),
        (scene_row(words=[{"polygon": SQUARE, "ignore": 1}]), r"word 0: 'ignore' has the wrong type"),
        (scene_row(words=["x"]), r"labels\.jsonl:2 word 0"),
        (scene_row(words=[{"polygon": SQUARE}, {"polygon": []}]), r"labels\.jsonl:2 word 1: polygon"),
        (scene_row(words=[{"polygon": SQUARE[:2] + SQUARE[:1]}]), r"2 distinct points"),
        (scene_row(words=[{"polygon": [[0, 0], [5, 5], [9, 9]]}]), r"no area"),
        (scene_row(words=[{"polygon": [[0, 0], [5, float("nan")], [9, 9]]}]), r"finite"),
        (scene_row(words=[{"polygon": [[0, 0], ["a", 1], [9, 9]]}]), r"not a list of"),
        ({"image": "images/a.png", "text": "x"}, r"labels\.jsonl:2: the row has no 'words'"),
    ],
)
def test_damaged_scenes(tmp_path: Path, row: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_scenes(write_rows(tmp_path, [scene_row(), row]))


def test_words_jsonl(tmp_path: Path) -> None:
    rows = [
        {"image": "images/a.png", "text": "वाटर", "script": "deva", "split": "train", "sure": False},
        {"image": "images/a.png", "text": "No. 5", "split": "val"},
    ]
    first, second = load_words(write_rows(tmp_path, rows))
    assert (first.text, first.script, first.split, first.sure) == ("वाटर", "devanagari", "train", False)
    assert (second.text, second.script, second.split, second.sure) == ("No. 5", None, "val", True)
    assert [sample.text for sample in load_words(tmp_path, "val")] == ["No. 5"]
    with pytest.raises(DataError, match="no 'test' split, only train, val"):
        load_words(tmp_path, "test")
    with pytest.raises(DataError, match="unknown split 'dev'"):
        load_words(tmp_path, "dev")


def test_damaged_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels\.jsonl:1: the text is empty"):
        load_words(write_rows(tmp_path, [{"image": "images/a.png", "text": "  "}]))
    with pytest.raises(DataError, match="load_scenes"):
        load_words(write_rows(tmp_path, [scene_row()]))
    with pytest.raises(DataError, match="the labels are empty"):
        load_words(write_rows(tmp_path, []))
    with pytest.raises(DataError, match=r"nowhere: no such file or folder; see data/README\.md"):
        load_words(tmp_path / "nowhere")
    (tmp_path / "labels.jsonl").write_bytes(b'{"image": "\xff"}')
    with pytest.raises(DataError, match="not UTF-8"):
        load_words(tmp_path)
    with pytest.raises(DataError, match="unknown form 'pascal'"):
        load_words(tmp_path, form="pascal")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no labels\.jsonl"):
        load_words(tmp_path / "empty")


def test_read_rgb_reports_damage(tmp_path: Path) -> None:
    folder = write_rows(tmp_path, [scene_row(width=41)])
    with pytest.raises(DataError, match=r"a\.png: is 40x20 but its labels are for 41x20"):
        read_rgb(load_scenes(folder)[0])
    words = load_words(write_rows(tmp_path, [{"image": "images/a.png", "text": "x"}]))
    (tmp_path / "images/a.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"a\.png: cannot be decoded"):
        read_rgb(words[0])
    (tmp_path / "images/a.png").unlink()
    with pytest.raises(DataError, match=r"a\.png: no such image"):
        read_rgb(words[0])


def test_exif_rotation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    (tmp_path / "images").mkdir()
    image = Image.new("RGB", (40, 20), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 20, 20))  # the left half ends up on top
    image.save(tmp_path / "images/turned.png", exif=exif)
    (tmp_path / "gt_turned.txt").write_text("0,0,10,10,x\n")
    sample = load_scenes(tmp_path)[0]
    assert (sample.width, sample.height) == (20, 40)
    pixels = read_rgb(sample)
    assert pixels.shape == (40, 20, 3)
    assert (pixels[:20] == 255).all() and (pixels[20:] == 0).all()


def test_icdar_2015(tmp_path: Path) -> None:
    picture(tmp_path / "images/img_2.jpg")
    picture(tmp_path / "images/img_10.jpg")
    (tmp_path / "gt").mkdir()
    (tmp_path / "gt/gt_img_2.txt").write_text(
        "1,2,31,2,31,12,1,12,Joint, Stock\n1,2,31,2,31,12,1,12,###\n", encoding="utf-8-sig"
    )
    (tmp_path / "gt/gt_img_10.txt").write_text('1,2,31,2,31,12,1,12,"Inn"\r\n')
    first, second = load_scenes(tmp_path, split="test")
    assert [sample.image.stem for sample in (first, second)] == ["img_2", "img_10"]
    assert [(word.text, word.ignore) for word in first.words] == [("Joint, Stock", False), (None, True)]
    np.testing.assert_array_equal(first.words[0].polygon, SQUARE)
    assert second.words[0].text == '"Inn"'  # quotes belong to the text in this form
    assert first.split == "test"


@pytest.mark.parametrize("line", ['1, 2, 31, 12, "Foot path"', '1 2 31 12 "Foot path"'])
def test_icdar_2013(tmp_path: Path, line: str) -> None:
    picture(tmp_path / "100.jpg")
    (tmp_path / "gt_100.txt").write_text(line + "\n")
    (sample,) = load_scenes(tmp_path)
    assert sample.words[0].text == "Foot path"
    np.testing.assert_array_equal(sample.words[0].polygon, SQUARE)


def test_damaged_icdar(tmp_path: Path) -> None:
    (tmp_path / "gt_1.txt").write_text("1,2,3,x\n")
    with pytest.raises(DataError, match=r"gt_1\.txt: no image named 1\.\*"):
        load_scenes(tmp_path)
    picture(tmp_path / "1.jpg")
    with pytest.raises(DataError, match=r"gt_1\.txt:1: expected 4 or 8 numbers"):
        load_scenes(tmp_path)
    (tmp_path / "gt_1.txt").write_text("1,2,31,12,ok\n5,5,5,9,flat\n")
    with pytest.raises(DataError, match=r"gt_1\.txt:2: polygon has"):
        load_scenes(tmp_path)


def test_an_empty_image_is_found_when_the_labels_are_read(tmp_path: Path) -> None:
    picture(tmp_path / "word_1.png")
    (tmp_path / "word_2.png").touch()
    (tmp_path / "gt.txt").write_text('word_1.png, "x"\nword_2.png, "y"\n')
    with pytest.raises(DataError, match=r"gt\.txt:2: image .*word_2\.png is empty or no picture"):
        load_words(tmp_path)


def test_icdar_words(tmp_path: Path) -> None:
    picture(tmp_path / "word_1.png")
    picture(tmp_path / "word_2.png")
    (tmp_path / "gt.txt").write_text('word_1.png, "say \\"hi\\""\nword_2.png, "###"\n', encoding="utf-8-sig")
    (sample,) = load_words(tmp_path)
    assert sample.text == 'say "hi"'
    (tmp_path / "gt.txt").write_text('word_1.png, "x"\nword_9.png, "y"\n')
    with pytest.raises(DataError, match=r"gt\.txt:2: image .*word_9\.png is missing"):
        load_words(tmp_path)
    (tmp_path / "gt.txt").write_text("word_1.png\n")
    with pytest.raises(DataError, match=r"gt\.txt:1: expected"):
        load_words(tmp_path)


def test_iiit5k(tmp_path: Path) -> None:
    picture(tmp_path / "train/1_1.png")
    (tmp_path / "traindata.txt").write_text("train/1_1.png\tYou\n")
    assert [(s.text, s.split) for s in load_words(tmp_path)] == [("You", "train")]
    scipy_io = pytest.importorskip("scipy.io", reason="SciPy is optional")
    (tmp_path / "traindata.txt").unlink()
    kind = [("ImgName", object), ("GroundTruth", object)]
    scipy_io.savemat(tmp_path / "traindata.mat", {"traindata": np.array([("train/1_1.png", "HE")], dtype=kind)})
    assert [(s.text, s.split, s.image.name) for s in load_words(tmp_path)] == [("HE", "train", "1_1.png")]  # type: ignore[union-attr]
    scipy_io.savemat(tmp_path / "testdata.mat", {"other": np.zeros(1)})
    with pytest.raises(DataError, match="no table named 'testdata'"):
        load_words(tmp_path / "testdata.mat")


SVT = """<tagset><image><imageName>img/a.jpg</imageName><lex>A,B</lex><taggedRectangles>
<taggedRectangle height="10" width="30" x="1" y="2"><tag>LIVING</tag></taggedRectangle>
</taggedRectangles></image></tagset>"""


def test_svt(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), (0, 0, 0))
    image.paste((0, 255, 0), (1, 2, 31, 12))
    (tmp_path / "img").mkdir()
    image.save(tmp_path / "img/a.jpg", quality=100, subsampling=0)
    (tmp_path / "test.xml").write_text(SVT)
    (scene,) = load_scenes(tmp_path)
    np.testing.assert_array_equal(scene.words[0].polygon, SQUARE)
    (word,) = load_words(tmp_path / "test.xml")
    assert (word.text, word.split, word.box) == ("LIVING", "test", (1, 2, 31, 12))
    crop = read_rgb(word)
    assert crop.shape == (10, 30, 3)
    assert (crop[..., 1] > 200).all()
    (tmp_path / "test.xml").write_text(SVT.replace('x="1"', ""))
    with pytest.raises(DataError, match=r"test\.xml image 1 \(img/a\.jpg\): a taggedRectangle lacks"):
        load_words(tmp_path)
    (tmp_path / "test.xml").write_text("<tagset>")
    with pytest.raises(DataError, match="not valid XML"):
        load_scenes(tmp_path)


def test_lmdb(tmp_path: Path) -> None:
    lmdb = pytest.importorskip("lmdb", reason="lmdb is part of the train extra")
    encoded = picture(tmp_path / "a.png").read_bytes()
    folder = tmp_path / "words"

    def write(records: dict[bytes, bytes]) -> None:
        with lmdb.open(str(folder), map_size=1 << 20) as environment, environment.begin(write=True) as transaction:
            for key, value in records.items():
                transaction.put(key, value)

    write({b"num-samples": b"1", b"image-000000001": encoded, b"label-000000001": "होटल".encode()})
    (sample,) = load_words(folder)
    assert sample.text == "होटल"
    assert read_rgb(sample).shape == (20, 40, 3)
    # A handle is kept open between calls, so the damaged one lies elsewhere.
    folder = tmp_path / "damaged"
    write({b"num-samples": b"2", b"image-000000001": encoded, b"label-000000001": b"x"})
    with pytest.raises(DataError, match="label-000000002: the record or its image is missing"):
        load_words(folder)


def test_repeated_last_point_is_dropped() -> None:
    np.testing.assert_array_equal(clean_polygon([*SQUARE, SQUARE[0]], "f:1"), SQUARE)
    # The closing click of a hand-drawn outline, two pixels off the start: outside, and crossing the first edge.
    np.testing.assert_array_equal(clean_polygon([*SQUARE, [1, 3]], "f:1"), SQUARE)
    np.testing.assert_array_equal(clean_polygon([*SQUARE, [3, 0]], "f:1"), SQUARE)
    # A real fifth corner stays.
    assert len(clean_polygon([*SQUARE, [-9, 7]], "f:1")) == 5


def test_polygons_become_clockwise_and_simple() -> None:
    np.testing.assert_array_equal(clean_polygon([SQUARE[0], *SQUARE[:0:-1]], "f:1"), SQUARE)
    bow_tie = [SQUARE[0], SQUARE[1], SQUARE[3], SQUARE[2]]
    fixed = clean_polygon(bow_tie, "f:1")
    assert {tuple(point) for point in fixed} == {tuple(map(float, point)) for point in SQUARE}


def test_reading_start() -> None:
    wide = np.array(SQUARE, dtype=np.float32)
    for start in (0, 2):  # right way up and on its head
        np.testing.assert_array_equal(reading_start(np.roll(wide, -start, axis=0), "word"), wide)
    for start in (1, 3):  # running along the short side
        np.testing.assert_array_equal(reading_start(np.roll(wide, -start, axis=0), None), wide)
    tall = wide[:, ::-1][[0, 3, 2, 1]].copy()  # 10 wide, 30 high, clockwise from the top-left
    down = np.roll(tall, -1, axis=0)
    np.testing.assert_array_equal(reading_start(down, "word"), down)  # a vertical word is left alone
    np.testing.assert_array_equal(reading_start(down, "I"), tall)  # a tall letter stands


def test_script_names() -> None:
    assert [script_name(name) for name in ("deva", "Hindi", "english", "Telugu", "", None)] == [
        "devanagari",
        "devanagari",
        "latin",
        "telugu",
        None,
        None,
    ]
