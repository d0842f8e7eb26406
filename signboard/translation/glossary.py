"""The sign glossary: its file, its entries, and how spellings and inflections of one word meet the same entry."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
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
_GLIDE = re.compile("([ािीेोक-ह])य([ेी])(?=ं?(?:ग[ाेी]ं?)?(?: |$))")
_GLIDE_VOWEL = {"े": "ए", "ी": "ई"}
_ONE_LETTER = str.maketrans({"ँ": "ं", "ॅ": "े", "ऑ": "ओ", "-": " "} | dict.fromkeys("\u093cःऽ.॰"))
_AND = {"एवं", "व", "तथा"}
_SHORTEN = str.maketrans("ीूईऊ", "िुइउ")
# Letters that sign writers take for each other.
_CONFUSED = str.maketrans("वशषणैौऐऔ", "बससनेोएओ", "्")


@lru_cache(1 << 16)
def fold(text: str) -> str:
    """The spelling key: anusvara for nasals before their row, गये as गए, one word for "and"; no nukta, visarga, dots."""
    text = clean(text).translate(_ONE_LETTER)
    if "ॉ" in text:
        # यहॉ is how यहाँ comes out where the two signs are one piece of type.
        text = re.sub("ॉ(?= |$)", "ां", text).replace("ॉ", "ो")
    if "्" in text:
        text = _NASAL.sub("ं", text)
    if "य" in text:
        text = _GLIDE.sub(lambda m: m[1] + _GLIDE_VOWEL[m[2]], text)
    words = text.split()
    return " ".join("और" if word in _AND and len(words) > 1 else word for word in words)


def fold_looser(text: str) -> str:
    """`fold_loose`, and letters that are taken for each other are one, none doubled: बिक्रेता meets विक्रेता."""
    return re.sub(r"(.)\1+", r"\1", fold_loose(text).translate(_CONFUSED))


def fold_loose(text: str) -> str:
    """`fold`, and long and short i and u are one: कलीनिक meets क्लिनिक's vowels, मिल and मील become the same."""
    return fold(text).translate(_SHORTEN)


# Inflection ---------------------------------------------------------------------------------------------------------

_CONSONANT_END = re.compile("[क-ह]\u093c?$")


def noun_forms(hindi: str) -> Iterable[tuple[str, str]]:
    """(form's spelling, "plural" or "oblique") of a noun by its ending; forms that the language lacks do no harm."""
    if hindi.endswith("आं"):
        yield hindi[:-2] + "एं", "oblique"
        yield hindi[:-2] + "ओं", "plural"
    elif hindi.endswith("ा"):
        stem = hindi[:-1]
        yield stem + "े", "oblique"
        for end in ("ों", "ाएं", "ाओं"):
            yield stem + end, "plural"
    elif hindi.endswith(("ी", "ि")):
        for end in ("ियां", "ियों"):
            yield hindi[:-1] + end, "plural"
    elif hindi.endswith(("ू", "ु")):
        for end in ("ुएं", "ुओं"):
            yield hindi[:-1] + end, "plural"
    elif hindi.endswith("ई"):
        for end in ("इयां", "इयों"):
            yield hindi[:-1] + end, "plural"
    elif _CONSONANT_END.search(hindi):
        for end in ("ें", "ों"):
            yield hindi + end, "plural"
    else:
        for end in ("एं", "ओं"):
            yield hindi + end, "plural"


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


def verb_forms(hindi: str) -> Iterable[tuple[str, str]]:
    """(form's spelling, form) of a verb given as infinitive in -naa; words before it may agree in gender."""
    *before, verb = hindi.split(" ")
    root = verb.removesuffix("ना")
    imperatives: tuple[str, ...]
    participles: tuple[str, ...]
    if root in _IRREGULAR:
        imperatives, participles = _IRREGULAR[root]
    elif _CONSONANT_END.search(root):
        imperatives = tuple(root + end for end in ("ें", "िए", "िएगा", "ो"))
        participles = tuple(root + end for end in ("ा", "े", "ी"))
    else:
        imperatives = tuple(root + end for end in ("एं", "इए", "इएगा", "ओ"))
        participles = (root + "या", root + "ए", root + "ई")
    forms = [(root + end, "infinitive") for end in ("ना", "ने", "नी")]
    forms += [(form, "imperative") for form in imperatives]
    forms += [(root + end, "habitual") for end in ("ता", "ते", "ती", "तीं")]
    forms += [(root + end, "after") for end in ("कर", "के", " कर")]
    forms += [(f"{root} {auxiliary}", "progressive") for auxiliary in ("रहा", "रहे", "रही")]
    stem = {"हो": "हो", "दे": "दे", "ले": "ले"}.get(root, root + ("े" if _CONSONANT_END.search(root) else "ए"))
    forms += [(stem + end, "will") for end in ("गा", "गी", "ंगे", "ंगी")]
    for gender, participle in zip("ाेी", participles, strict=True):
        forms.append((f"{participle} जात{gender}", "passive"))
        for end in ("जाएगा", "जाएगी", "जाएंगे", "जाएंगी", "जावेगा", "जावेगी"):
            forms.append((f"{participle} {end}", "future"))
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


class Glossary:
    """All entries with their forms, looked up by spelling. Immutable after construction."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self._exact = {entry.hindi: Match(entry, "base", entry.english, 0.95) for entry in self.entries}
        self._folded: dict[str, Match] = {}
        self._loose: dict[str, Match] = {}
        self._verbs: dict[str, Match] = {}
        forms: list[Match] = []
        spelled: list[str] = []
        # Entries first, so that no inflected form of one word hides another word.
        for entry in self.entries:
            self._folded.setdefault(fold(entry.hindi), Match(entry, "base", entry.english, 0.9))
        # Verbs next: करें is a command, not several taxes.
        for entry in sorted(self.entries, key=lambda entry: entry.part_of_speech != "verb"):
            for spelling, form in self._forms(entry):
                english = plural(entry.english) if form == "plural" else entry.english
                forms.append(Match(entry, form, english, 0.85))
                spelled.append(fold(spelling))
        for spelling, match in zip(spelled, forms, strict=True):
            self._folded.setdefault(spelling, match)
            if match.entry.part_of_speech == "verb":
                self._verbs.setdefault(spelling, match)
        for key, match in self._folded.items():
            # Short and grammatical words are too easily met by another word: बीना is a name, not बिना.
            if len(key) >= 4 and match.entry.domain != "grammar":
                self._loose.setdefault(key.translate(_SHORTEN), match)
        # A command without its nasal is the commonest mistake of signs, ताला लगाये, but many a noun looks like one.
        bare = [(s[:-1], m) for s, m in self._verbs.items() if m.form == "imperative" and s.endswith("ं")]
        for key, match in bare:
            self._folded.setdefault(key, match)
        self._looser: dict[str, Match] = {}
        for key, match in [*((e.hindi, self._folded[fold(e.hindi)]) for e in self.entries), *bare]:
            looser = fold_looser(key)
            if len(looser) >= 5 and match.entry.domain != "grammar" and match.entry.part_of_speech != "name":
                self._looser.setdefault(looser, match)

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
        match = self._exact.get(text)
        if match is None:
            key = fold(text)
            match = self._folded.get(key)
            if match is None and (found := self._loose.get(key.translate(_SHORTEN))):
                match = replace(found, confidence=0.7)
            if match is None and (found := self._looser.get(fold_looser(key))):
                match = replace(found, confidence=0.6)
        # A verb's dictionary form is its infinitive.
        if match is not None and match.form == "base" and match.entry.part_of_speech == "verb":
            match = Match(match.entry, "infinitive", match.english, match.confidence)
        return match

    def verb(self, text: str) -> Match | None:
        """The verb of which the text is a form, also where a whole phrase of the glossary hides it: प्रतीक्षा करें."""
        return self._verbs.get(fold(text))


@cache
def default_glossary() -> Glossary:
    """The packaged glossary, read once on first use."""
    return Glossary(read_glossary())
