"""Score the whole reader on pictures drawn for the purpose, whose truth is known: a line a kind on stdout.

    python scripts/evaluate_drawn.py numbers walls upside-down words [--fonts fonts] [--mistakes out.jsonl]

numbers      prices, phone numbers, PINs, times, number plates, dates and distances in digits of both scripts
walls        facades, fences, tiles, bricks, grilles, keyboards and the like that say nothing: how many say something
upside-down  boards the right way up, upside down, and on either side
words        words that fill their picture, without a margin
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

LATIN = (
    "Roboto-latin-400", "Roboto-latin-700", "Lato-latin-700", "PTSerif-latin-400", "RobotoSlab-latin-700",
    "Oswald-latin-400", "Montserrat-latin-700", "OpenSans-latin-400", "BarlowCondensed-latin-700", "Ubuntu-latin-700",
)  # fmt: skip
# Faces that have both scripts and draw Devanagari digits.
DEVANAGARI = (
    "Mukta-devanagari-400", "Mukta-devanagari-700", "NotoSansDevanagari-devanagari-400",
    "NotoSansDevanagari-devanagari-700", "TiroDevanagariHindi-devanagari-400", "Baloo2-devanagari-500",
    "Lohit-Devanagari", "NotoSerifDevanagari-Bold", "Laila-devanagari-500", "Martel-devanagari-700",
    "Kalam-devanagari-400",
)  # fmt: skip
_DIGITS = str.maketrans("0123456789", "०१२३४५६७८९")
COLOURS = (((20, 20, 20), (240, 240, 235)), ((255, 255, 255), (10, 70, 40)), ((250, 220, 40), (25, 25, 30)),
           ((255, 255, 255), (170, 20, 25)), ((20, 40, 120), (250, 250, 250)))  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A picture and what is to be read on it."""

    picture: Image.Image
    text: str
    about: str


class Lettering:
    """A typeface at a size, made of the files that hold its scripts."""

    def __init__(self, fonts: Path, name: str, size: int) -> None:
        files = sorted(fonts.glob(f"*/{name}*.ttf"), key=lambda path: ("italic" in path.name, path.name))[:1]
        if not files:
            raise SystemExit(f"{fonts}: no file {name}*.ttf; scripts/fetch_fonts.py fetches typefaces")
        first = files[0]
        for script in ("latin", "latin-ext", "devanagari"):
            path = first.with_name(first.name.replace("-latin-", f"-{script}-").replace("-devanagari-", f"-{script}-"))
            if path != first and path.is_file():
                files.append(path)
        files.append(Path(str(Path(__file__).parents[1] / "signboard/output/fonts/Mukta-SemiBold.ttf")))
        self.size = size
        self._fonts = [ImageFont.truetype(str(path), size) for path in files]
        self._empty = [bytes(font.getmask("\U0010ffff")) for font in self._fonts]

    def _runs(self, text: str) -> Iterator[tuple[ImageFont.FreeTypeFont, str]]:
        run, last = "", self._fonts[0]
        for c in text:
            font = last
            if not c.isspace():
                fitting = (f for f, e in zip(self._fonts, self._empty, strict=True) if bytes(f.getmask(c)) != e)
                font = last if bytes(last.getmask(c)) != self._empty[self._fonts.index(last)] else next(fitting, last)
            if font is not last and run:
                yield last, run
                run = ""
            run, last = run + c, font
        if run:
            yield last, run

    def box(self, text: str) -> tuple[float, float, float, float]:
        """The ink of `text` whose baseline begins at (0, 0)."""
        x, boxes = 0.0, []
        for font, run in self._runs(text):
            left, top, right, bottom = font.getbbox(run, anchor="ls")
            boxes.append((x + left, top, x + right, bottom))
            x += font.getlength(run)
        table = np.array(boxes)
        return (*table[:, :2].min(axis=0).tolist(), *table[:, 2:].max(axis=0).tolist())

    def write(self, picture: Image.Image, at: tuple[float, float], text: str, ink: tuple[int, int, int]) -> None:
        """Draw `text` with its baseline beginning at `at`."""
        draw = ImageDraw.Draw(picture)
        x, y = at
        for font, run in self._runs(text):
            draw.text((x, y), run, ink, font, anchor="ls")
            x += font.getlength(run)


def card(face: Lettering, lines: Sequence[str], ink: Any, ground: Any, margin: int = 60) -> Image.Image:
    """Lines of text below one another with a margin around them."""
    boxes = [face.box(line) for line in lines]
    step = round(1.6 * face.size)
    width = round(max(box[2] for box in boxes)) + 2 * margin
    top = round(-min(box[1] for box in boxes[:1]))
    picture = Image.new("RGB", (width, 2 * margin + top + round(boxes[-1][3]) + step * (len(lines) - 1)), ground)
    for row, line in enumerate(lines):
        face.write(picture, (margin, margin + top + step * row), line, ink)
    return picture


# Numbers -------------------------------------------------------------------------------------------------------------


def _grouped(value: int) -> str:
    """With commas as India sets them: 1,00,000."""
    text = str(value)
    head, tail = text[:-3], text[-3:]
    parts = []
    while head:
        parts.insert(0, head[-2:])
        head = head[:-2]
    return ",".join([*parts, tail])


def number(kind: str, rng: random.Random) -> str:
    """A number as signs write it."""
    if kind == "price":
        value = rng.choice(
            [rng.randint(10, 999), 50 * rng.randint(20, 199), 500 * rng.randint(20, 199), 5000 * rng.randint(20, 999)]
        )
        text = _grouped(value) if rng.random() < 0.8 else f"{rng.randint(5, 250)}.{rng.choice(['00', '50', '75'])}"
        sign = rng.choice(["₹ ", "₹", "", ""])
        return sign + text + ("/-" if rng.random() < 0.15 and "." not in text else "")
    if kind == "phone":
        d = [rng.choice("6789"), *(rng.choice("0123456789") for _ in range(9))]
        text = "".join(d)
        return rng.choice(
            [text, f"{text[:5]} {text[5:]}", f"+91 {text[:5]} {text[5:]}", f"{text[:5]}-{text[5:]}",
             f"011-{rng.randint(22000000, 29999999)}", f"0522 {rng.randint(2200000, 2999999)}"]
        )  # fmt: skip
    if kind == "pin":
        text = f"{rng.randint(110001, 855999)}"
        return text if rng.random() < 0.6 else f"{text[:3]} {text[3:]}"
    if kind == "time":

        def hour(half: str) -> str:
            return f"{rng.randint(1, 12)}:{rng.choice(['00', '15', '30', '45'])}{half}"

        return rng.choice([hour(""), hour(" AM"), f"{hour(' AM')} - {hour(' PM')}", f"{hour('')} - {hour('')}"])
    if kind == "plate":
        state = rng.choice(["DL", "MH", "UP", "KA", "HR", "RJ"])
        letters = "".join(rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(2))
        return f"{state} {rng.randint(10, 99)} {letters} {rng.randint(1000, 9999)}"
    if kind == "date":
        return rng.choice("/-.").join(
            [f"{rng.randint(1, 28):02}", f"{rng.randint(1, 12):02}", str(rng.randint(1995, 2030))]
        )
    if kind == "distance":
        return rng.choice(
            [
                "½ km",
                f"{rng.randint(1, 250)} km",
                f"{rng.randint(1, 20)}.{rng.randint(1, 9)} km",
                f"{50 * rng.randint(1, 18)} m",
            ]
        )
    raise ValueError(kind)


def numbers(fonts: Path, seed: int, count: int) -> Iterator[Drawn]:
    """`count` numbers of each kind in Latin, and of those that are written so also in Devanagari digits."""
    for script, faces in (("latin", LATIN), ("devanagari", DEVANAGARI)):
        for kind in ("price", "phone", "pin", "time", "plate", "date", "distance"):
            if script == "devanagari" and kind in ("plate", "time", "distance"):
                continue
            rng = random.Random(f"{seed} {script} {kind}")
            for i in range(count):
                text = number(kind, rng)
                text = text.translate(_DIGITS) if script == "devanagari" else text
                size = rng.choice([40, 44, 56, 68, 80])
                face = Lettering(fonts, faces[i % len(faces)], size)
                ink, ground = COLOURS[i % len(COLOURS)]
                yield Drawn(card(face, [text], ink, ground), text, f"{kind} {script} {faces[i % len(faces)]} {size}")


# Walls ---------------------------------------------------------------------------------------------------------------

WALLS = ("windows", "round_windows", "arches", "balconies", "fence", "railing", "tiles", "bricks", "grille",
         "chain_link", "keyboard", "knitwear", "foliage", "shutter")  # fmt: skip


def wall(kind: str, rng: random.Random) -> Image.Image:
    """A picture of one of `WALLS`: repeating shapes, uneven light, noise, perhaps seen askew. Nothing is written."""
    width, height = rng.choice([(1280, 960), (960, 1280), (1024, 768), (800, 600)])

    def tone(low: int, high: int) -> tuple[int, int, int]:
        base = rng.randint(low, high)
        return tuple(max(0, min(255, base + rng.randint(-25, 25))) for _ in range(3))  # type: ignore[return-value]

    light, dark = tone(150, 235), tone(20, 90)
    ground, shape = (light, dark) if rng.random() < 0.7 else (dark, light)
    picture = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(picture)
    w, h = rng.randint(25, 90), rng.randint(30, 110)
    dx, dy = round(w * rng.uniform(1.2, 2.2)), round(h * rng.uniform(1.2, 2.0))
    line = rng.randint(2, 7)
    for row, y in enumerate(range(rng.randint(-h, 30), height, dy)):
        shift = (row % 2) * dx // 2 if kind in ("bricks", "chain_link", "knitwear") else 0
        for x in range(rng.randint(-w, 0) if kind == "foliage" else -shift, width, dx):
            box = (x, y, x + w, y + h)
            if kind == "windows":
                draw.rectangle(box, shape, outline=tone(90, 250), width=line)
                draw.line((x + w // 2, y, x + w // 2, y + h), ground, line)
                if h > w:
                    draw.line((x, y + h // 2, x + w, y + h // 2), ground, line)
            elif kind == "round_windows":
                draw.ellipse(box, ground, outline=shape, width=2 * line)
            elif kind == "arches":
                draw.pieslice((x, y, x + w, y + w), 180, 360, shape)
                draw.rectangle((x, y + w // 2, x + w, y + h), shape)
            elif kind == "balconies":
                draw.rectangle((x, y, x + w, y + h * 2 // 3), shape)
                for bar in range(x, x + w, max(4, w // 8)):
                    draw.line((bar, y + h * 2 // 3, bar, y + h), shape, 2)
                draw.line((x, y + h, x + w, y + h), shape, line)
            elif kind == "tiles":
                draw.rectangle((x, y, x + dx - line, y + dy - line), tone(90, 220))
            elif kind == "bricks":
                draw.rectangle((x, y // 2, x + dx - line, y // 2 + dy // 2 - line), tone(80, 170))
            elif kind == "grille":
                draw.line((x, 0, x, height), shape, line)
                draw.line((0, y, width, y), shape, line)
                draw.ellipse((x - w // 3, y - w // 3, x + w // 3, y + w // 3), outline=shape, width=line)
            elif kind == "chain_link":
                draw.polygon(
                    [(x, y + h // 2), (x + w // 2, y), (x + w, y + h // 2), (x + w // 2, y + h)],
                    outline=shape,
                    width=line,
                )
            elif kind == "keyboard":
                draw.rounded_rectangle(
                    (x, y, x + round(dx * 0.85), y + round(dy * 0.85)), 8, shape, outline=tone(90, 160), width=2
                )
            elif kind == "knitwear":
                draw.line((x, y, x + w // 2, y + h // 2, x + w, y), shape, 2 * line, joint="curve")
            elif kind == "foliage":
                a, b = rng.randint(0, width), rng.randint(0, height)
                draw.ellipse((a, b, a + rng.randint(8, w), b + rng.randint(8, h)), tone(40, 170))
    if kind == "fence":
        for x in range(0, width, dx):
            draw.polygon(
                [
                    (x, height),
                    (x, height // 3),
                    (x + w // 2, height // 3 - w // 2),
                    (x + w, height // 3),
                    (x + w, height),
                ],
                shape,
            )
        for y in (height // 2, 3 * height // 4):
            draw.rectangle((0, y, width, y + h // 3), shape)
    elif kind == "railing":
        for top in range(rng.randint(50, 200), height, rng.randint(200, 400)):
            for x in range(0, width, max(10, dx // 2)):
                draw.line((x, top, x, top + 2 * h), shape, line)
            draw.rectangle((0, top, width, top + line), shape)
            draw.rectangle((0, top + 2 * h, width, top + 2 * h + line), shape)
    elif kind == "shutter":
        for y in range(0, height, max(8, h // 3)):
            draw.rectangle((0, y, width, y + max(2, h // 9)), shape)
    lean = rng.uniform(-0.15, 0.15)
    if abs(lean) > 0.05:
        how = (1, lean, 0, 0, 1 + lean / 2, 0, 0, lean / height)
        seen = Image.Transform.PERSPECTIVE
        picture = picture.transform((width, height), seen, how, Image.Resampling.BILINEAR, fillcolor=ground)
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.5)))).astype(np.float32)
    noise = np.random.default_rng(rng.randrange(2**31))
    pixels *= np.linspace(rng.uniform(0.6, 1.0), 1.0, width)[None, :, None]
    pixels += noise.normal(0, rng.uniform(2, 9), pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def walls(seed: int, count: int) -> Iterator[Drawn]:
    """`count` of each kind."""
    for kind in WALLS:
        for i in range(count):
            yield Drawn(wall(kind, random.Random(f"{seed} {kind} {i}")), "", kind)


# Boards and words ----------------------------------------------------------------------------------------------------

BOARDS = (
    ("POLICE STATION", "पुलिस थाना", "Sector 12"), ("CITY HOSPITAL", "शहर अस्पताल"), ("EXIT", "निकास"),
    ("MAIN STREET",), ("Sharma Sweets", "शर्मा मिष्ठान"), ("NO PARKING",), ("Platform 4", "प्लेटफार्म ४"),
    ("Ticket Counter", "टिकट खिड़की"), ("WELCOME TO AGRA", "आगरा में स्वागत है"), ("Books & Stationery",),
    ("Delhi 45 km", "Jaipur 210 km"),
)  # fmt: skip
SINGLE = ("EXIT", "42", "STOP", "Hotel", "OPEN", "निकास", "MUSEUM", "Bakery", "दवाखाना", "24", "Library", "METRO")


def boards_to_turn(fonts: Path, seed: int) -> Iterator[Drawn]:
    """Each of `BOARDS`, upright."""
    for i, lines in enumerate(BOARDS):
        rng = random.Random(f"{seed} {i}")
        faces = ("Mukta-devanagari-700", "NotoSansDevanagari-devanagari-700", "Laila-devanagari-500")
        ink, ground = COLOURS[i % len(COLOURS)]
        picture = card(
            Lettering(fonts, faces[i % 3], rng.choice([48, 60, 76])), lines, ink, ground, rng.randint(90, 160)
        )
        yield Drawn(picture, " ".join(lines), "board")


def tight_words(fonts: Path) -> Iterator[Drawn]:
    """Each of `SINGLE` in three typefaces, cut at its ink."""
    for i, text in enumerate(SINGLE):
        for k, name in enumerate(("NotoSansDevanagari-devanagari-700", "Mukta-devanagari-400", "Laila-devanagari-500")):
            face = Lettering(fonts, name, (200, 80, 120)[k])
            left, top, right, bottom = face.box(text)
            ink, ground = COLOURS[(i + k) % len(COLOURS)]
            picture = Image.new("RGB", (round(right - left), round(bottom - top)), ground)
            face.write(picture, (-left, -top), text, ink)
            yield Drawn(picture, text, f"{name} {text}")


def numbers_and_more(name: str, fonts: Path, seed: int, count: int) -> Iterator[Drawn]:
    """The pictures of one kind."""
    if name == "numbers":
        return numbers(fonts, seed, count)
    if name == "walls":
        return walls(seed, max(1, count // 3))
    if name == "words":
        return tight_words(fonts)
    upright = list(boards_to_turn(fonts, seed))
    turned = [
        Drawn(d.picture.rotate(angle, expand=True), d.text, f"turned by {angle}")
        for angle in (180, 90, 270)
        for d in upright
    ]
    return iter([*upright, *turned])


def is_right(name: str, drawn: Drawn, text: str) -> bool:
    """Whether what was read is what was drawn; spaces in numbers and the order of boards on their side do not count."""
    if name == "numbers":
        return "".join(text.split()) == "".join(drawn.text.split())
    if name == "upside-down":
        return Counter(text.split()) == Counter(drawn.text.split())
    return text == drawn.text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="+", choices=("numbers", "walls", "upside-down", "words"))
    parser.add_argument("--fonts", type=Path, default=Path("fonts"), help="typefaces, see scripts/fetch_fonts.py")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=18, help="pictures of each number and script; three times walls")
    parser.add_argument("--without", nargs="*", default=[], metavar="STEP", help="mending steps to leave out")
    parser.add_argument("--mistakes", type=Path, help="write every mistake here, one JSON object a line")
    args = parser.parse_args(arguments)
    from signboard import Reader

    reader = Reader(without=args.without)
    mistakes = []
    print("| pictures | about | right | of |\n| --- | --- | --- | --- |")
    for name in args.kinds:
        right, of = Counter[str](), Counter[str]()
        started = time.perf_counter()
        for drawn in numbers_and_more(name, args.fonts, args.seed, args.count):
            about = " ".join(drawn.about.split()[:2]) if name == "numbers" else drawn.about
            about = name if name == "words" else about
            text = " ".join(reader.read(np.asarray(drawn.picture)).text.split())
            of[about] += 1
            right[about] += is_right(name, drawn, text)
            if not is_right(name, drawn, text):
                mistakes.append({"kind": name, "about": drawn.about, "drawn": drawn.text, "read": text})
        for about in of:
            print(f"| {name} | {about} | {right[about]} | {of[about]} |")
        print(f"| {name} | all | {right.total()} | {of.total()} |")
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    if args.mistakes:
        lines = [json.dumps(mistake, ensure_ascii=False) + "\n" for mistake in mistakes]
        args.mistakes.write_text("".join(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
