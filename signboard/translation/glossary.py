"""The sign glossary: its file, its entries, and how spellings and inflections of one word meet the same entry."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from signboard.errors import DataError
from signboard.translation.english import plural
from signboard.translation.transliteration import clean

GLOSSARY = Path(__file__).resolve().parent / "glossary.tsv"
HEADER = ("hindi", "english", "part of speech", "domain")
PARTS_OF_SPEECH = frozenset(
    {
        "noun", "verb", "adjective", "adverb", "postposition", "preposition", "conjunction", "pronoun", "particle",
        "number", "unit", "abbreviation", "title", "name", "phrase", "verb form",
        "either",  # a common noun that is a name as often: विकास is development, and a man
    }
)  # fmt: skip
DOMAINS = frozenset(
    {
        "warning", "road", "railway", "facility", "school", "hospital", "office", "bank", "shop", "trade", "food",
        "religion", "place", "name", "direction", "grammar", "general", "colour", "day", "abbreviation", "unit",
    }
)  # fmt: skip
#: The most words an entry may have.
LONGEST = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the glossary."""

    hindi: str
    english: str
    part_of_speech: str
    domain: str


@dataclass(frozen=True, slots=True)
class Match:
    """An entry as it was met in a text.

    Attributes:
        entry: the glossary's line.
        form: "base"; for nouns "plural", "oblique" (singular before a postposition, or plural); for verbs
            "infinitive", "imperative", "habitual", "progressive", "will", "passive" (is done), "future"
            (will be done), "after" (having done).
        english: English for that form where the form alone decides it (plurals), else the entry's.
        confidence: 0 to 1: 0.95 as written in the glossary, less for a variant spelling, less again for a loose one.
    """

    entry: Entry
    form: str
    english: str
    confidence: float


# Spelling -----------------------------------------------------------------------------------------------------------

# A nasal consonant with virama before a consonant of its own row is what the anusvara abbreviates: हिन्दी, हिंदी.
_NASAL = re.compile("ङ्(?=[क-घ])|ञ्(?=[च-झ])|ण्(?=[ट-ढ])|न्(?=[त-ध])|म्(?=[प-भ])")
# The glide in गये, नयी is written or not, at the end of a word.
_GLIDE = re.compile("([ािीेोक-ह])य([ेी])(?=ं?(?:ग[ाेी]ं?)?(?: |$))", re.MULTILINE)
# यहॉ is how यहाँ comes out where the two signs are one piece of type.
_JOINED = re.compile("ॉ(?= |$)", re.MULTILINE)
_GLIDE_VOWEL = {"े": "ए", "ी": "ई"}
# (from, to), one after the other.
_ONE_LETTER = (("ँ", "ं"), ("ॅ", "े"), ("ऑ", "ओ"), ("-", " "), *((mark, "") for mark in "\u093cःऽ.॰"))
_AND = {"एवं", "व", "तथा"}
# Letters that sign writers take for each other.
_CONFUSED = (*zip("ीूईऊवशषणैौऐऔ", "िुइउबससनेोएओ", strict=True), ("्", ""))


@lru_cache(1 << 16)
def fold(text: str) -> str:
    """The spelling key: anusvara for nasals before their row, गये as गए, one word for "and"; no nukta, visarga, dots."""
    return fold_all([" ".join(text.split())])[0]


def fold_all(texts: Iterable[str]) -> list[str]:
    """`fold` for many texts without line breaks, all in one pass."""
    text = _replaced(clean("\n".join(texts)), _ONE_LETTER)
    text = _JOINED.sub("ां", text).replace("ॉ", "ो")
    lines = (line.split() for line in _GLIDE.sub(_glide, _NASAL.sub("ं", text)).split("\n"))
    return [
        " ".join(words if _AND.isdisjoint(words) or len(words) == 1 else ["और" if w in _AND else w for w in words])
        for words in lines
    ]


def _glide(match: re.Match[str]) -> str:
    return match[1] + _GLIDE_VOWEL[match[2]]


def _loose(folded: str) -> str:
    """Long and short i and u are one, letters that are taken for each other too, none doubled: बिक्रेता meets विक्रेता."""
    return re.sub(r"(.)\1+", r"\1", _replaced(folded, _CONFUSED))


def _replaced(text: str, pairs: Iterable[tuple[str, str]]) -> str:
    for old, new in pairs:
        text = text.replace(old, new)
    return text


# Inflection ---------------------------------------------------------------------------------------------------------

_CONSONANTS = (*map(chr, range(ord("क"), ord("ह") + 1)), "\u093c")
# (ends of a noun, how many letters go, ends of the oblique, ends of the plural): the first that fits holds.
_NOUN_ENDS: tuple[tuple[tuple[str, ...], int, tuple[str, ...], tuple[str, ...]], ...] = (
    (("आं",), 2, ("एं",), ("ओं",)),
    (("ा",), 1, ("े",), ("ों", "ाएं", "ाओं")),
    (("ी", "ि"), 1, (), ("ियां", "ियों")),
    (("ू", "ु"), 1, (), ("ुएं", "ुओं")),
    (("ई",), 1, (), ("इयां", "इयों")),
    (_CONSONANTS, 0, (), ("ें", "ों")),
    (("",), 0, (), ("एं", "ओं")),
)


def noun_forms(hindi: str) -> Iterable[tuple[str, str]]:
    """(form's spelling, "plural" or "oblique") of a noun by its ending; forms that the language lacks do no harm."""
    _, cut, oblique, plurals = next(row for row in _NOUN_ENDS if hindi.endswith(row[0]))
    stem = hindi[: len(hindi) - cut]
    yield from ((stem + end, "oblique") for end in oblique)
    yield from ((stem + end, "plural") for end in plurals)


def adjective_forms(hindi: str) -> Iterable[str]:
    """Oblique and feminine of an adjective in -aa."""
    if hindi.endswith(("ा", "ां")):
        stem = hindi.removesuffix("ं").removesuffix("ा")
        nasal = "ं" if hindi.endswith("ं") else ""
        yield stem + "े" + nasal
        yield stem + "ी" + nasal


_IRREGULAR = {
    # root: (imperatives, past participles)
    "कर": (("करें", "कीजिए", "करिए", "करो", "कीजिएगा"), ("किया", "किए", "की")),
    "दे": (("दें", "दीजिए", "दीजिएगा"), ("दिया", "दिए", "दी")),
    "ले": (("लें", "लीजिए", "लीजिएगा"), ("लिया", "लिए", "ली")),
    "पी": (("पिएं", "पियें", "पीएं", "पीजिए", "पियो"), ("पिया", "पिए", "पी")),
    "हो": (("हों", "होइए", "हो"), ("हुआ", "हुए", "हुई")),
    "जा": (("जाएं", "जाइए", "जाओ", "जाइएगा"), ("गया", "गए", "गई")),
    "छू": (("छुएं", "छूएं", "छुइए", "छुओ"), ("छुआ", "छुए", "छुई")),
}  # fmt: skip


_VERB_ENDS = {
    "infinitive": ("ना", "ने", "नी"), "habitual": ("ता", "ते", "ती", "तीं"), "after": ("कर", "के", " कर"),
    "progressive": (" रहा", " रहे", " रही"),
}  # fmt: skip
#: Behind a participle of each gender: will be.
_WILL_BE = ("जाएगा जावेगा", "जाएंगे जाएगा", "जाएगी जाएंगी जावेगी")


def verb_forms(hindi: str) -> Iterable[tuple[str, str]]:
    """(form's spelling, form) of a verb given as infinitive in -naa; words before it may agree in gender."""
    *before, verb = hindi.split(" ")
    root = verb.removesuffix("ना")
    consonant = root.endswith(_CONSONANTS)
    regular = (("ें", "िए", "िएगा", "ो"), ("ा", "े", "ी")) if consonant else (("एं", "इए", "इएगा", "ओ"), ("या", "ए", "ई"))
    imperatives, participles = _IRREGULAR.get(root) or [tuple(root + end for end in ends) for ends in regular]
    forms = [(root + end, form) for form, ends in _VERB_ENDS.items() for end in ends]
    forms += [(form, "imperative") for form in imperatives]
    stem = root if root in ("हो", "दे", "ले") else root + ("े" if consonant else "ए")
    forms += [(stem + end, "will") for end in ("गा", "गी", "ंगे", "ंगी")]
    for gender, participle, wills in zip("ाेी", participles, _WILL_BE, strict=True):
        forms.append((f"{participle} जात{gender}", "passive"))
        forms += [(f"{participle} {will}", "future") for will in wills.split()]
    heads = [before]
    for i, word in enumerate(before):
        if word.endswith("ा"):
            heads += [[*before[:i], word[:-1] + end, *before[i + 1 :]] for end in ("ी", "े")]
    for head in heads:
        for spelling, form in forms:
            yield " ".join([*head, spelling]), form


# The file -----------------------------------------------------------------------------------------------------------


def read_glossary(path: Path = GLOSSARY) -> tuple[Entry, ...]:
    """Reads the glossary file: a header, then hindi, english, part of speech, domain separated by tabs.

    Raises:
        DataError: the file is missing, or a line (named by its number) is not as it should be.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot read the glossary: {error.strerror}; install the package again") from error
    if not lines or tuple(lines[0].split("\t")) != HEADER:
        raise DataError(f"{path}:1: the first line must be {' <tab> '.join(HEADER)}")
    entries, seen = [], set()
    for number, line in enumerate(lines[1:], 2):
        fields = line.split("\t")
        if len(fields) != 4 or not all(fields):
            raise DataError(f"{path}:{number}: expected four fields separated by tabs")
        entry = Entry(*fields)
        if entry.part_of_speech not in PARTS_OF_SPEECH:
            raise DataError(f"{path}:{number}: unknown part of speech {entry.part_of_speech!r}")
        if entry.domain not in DOMAINS:
            raise DataError(f"{path}:{number}: unknown domain {entry.domain!r}")
        if clean(entry.hindi) != entry.hindi:
            raise DataError(f"{path}:{number}: {entry.hindi!r} is not in NFC")
        if entry.hindi in seen:
            raise DataError(f"{path}:{number}: {entry.hindi!r} is in the glossary twice")
        seen.add(entry.hindi)
        entries.append(entry)
    return tuple(entries)


#: Forms that are met in loose spellings, too.
_LOOSELY_SPELLED = ("base", "plural", "oblique", "imperative")
#: An entry, its form, and how sure.
_Found = tuple[Entry, str, float]


class Glossary:
    """All entries with their forms, looked up by spelling. Immutable after construction."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self._exact = {entry.hindi: (entry, "base", 0.95) for entry in self.entries}
        # Entries first, so that no inflected form of one word hides another word; verbs next: करें is a command, not
        # several taxes.
        self._folded: dict[str, _Found] = {}
        for key, entry in zip(fold_all(entry.hindi for entry in self.entries), self.entries, strict=True):
            self._folded.setdefault(key, (entry, "base", 0.9))
        order = sorted(self.entries, key=lambda entry: entry.part_of_speech != "verb")
        forms = [(spelling, (entry, form, 0.85)) for entry in order for spelling, form in self._forms(entry)]
        self._verbs: dict[str, _Found] = {}
        for key, (_, found) in zip(fold_all(spelling for spelling, _ in forms), forms, strict=True):
            self._folded.setdefault(key, found)
            if found[0].part_of_speech == "verb":
                self._verbs.setdefault(key, found)
        # A command without its nasal is the commonest mistake of signs, ताला लगाये, but many a noun looks like one.
        for key, found in self._verbs.items():
            if found[1] == "imperative" and key.endswith("ं"):
                self._folded.setdefault(key[:-1], found)
        # Short words, grammatical ones and names are too easily met by another word: बीना is a name, not बिना.
        self._loose: dict[str, _Found] = {}
        likely = {key: found for key, found in self._folded.items() if found[1] in _LOOSELY_SPELLED}
        for key, found in zip(_loose("\n".join(likely)).split("\n"), likely.values(), strict=True):
            if len(key) >= 4 and found[0].domain != "grammar" and found[0].part_of_speech != "name":
                self._loose.setdefault(key, found)

    @staticmethod
    def _forms(entry: Entry) -> Iterable[tuple[str, str]]:
        if entry.part_of_speech in ("noun", "either"):
            yield from noun_forms(entry.hindi)
        elif entry.part_of_speech in ("adjective", "pronoun") and " " not in entry.hindi:
            yield from ((form, "base") for form in adjective_forms(entry.hindi))
        elif entry.part_of_speech == "verb":
            yield from verb_forms(entry.hindi)

    def __len__(self) -> int:
        return len(self.entries)

    def lookup(self, text: str) -> Match | None:
        """The entry for a word or phrase: as written, spelled otherwise, inflected, or with i and u of any length."""
        text = clean(text)
        found = self._exact.get(text) or self._folded.get(key := fold(text))
        if found is None:
            loose = self._loose.get(_loose(key))
            found = (*loose[:2], 0.65) if loose else None
        return _match(*found) if found else None

    def verb(self, text: str) -> Match | None:
        """The verb of which the text is a form, also where a whole phrase of the glossary hides it: प्रतीक्षा करें."""
        found = self._verbs.get(fold(text))
        return _match(*found) if found else None


def _match(entry: Entry, form: str, confidence: float) -> Match:
    if form == "base" and entry.part_of_speech == "verb":
        form = "infinitive"  # a verb's dictionary form
    return Match(entry, form, plural(entry.english) if form == "plural" else entry.english, confidence)


@cache
def default_glossary() -> Glossary:
    """The packaged glossary, read once on first use."""
    return Glossary(read_glossary())
