"""Hindi of signs into English: the glossary where it holds the whole text, else a network; names in Latin letters."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from signboard.translation.english import SMALL, upper_first
from signboard.translation.glossary import Glossary, default_glossary
from signboard.translation.likeness import similarity
from signboard.translation.result import Part, Translation
from signboard.translation.sentence import Sentence
from signboard.translation.speaker import Speaker, Speech, default_speaker
from signboard.translation.spelling import latin, name
from signboard.translation.transliteration import (
    WORD,
    Spelling,
    Transliterator,
    default_transliterator,
    fill,
    romanizable,
)
from signboard.translation.units import FORBIDDEN, KEPT, MARATHI_NO, NEGATION, Unit, split
from signboard.translation.wording import inflect

#: A lost "not" turns a warning round: these words say one, in English and in Hindi.
_ENGLISH_NO = re.compile(
    r"\b(no|not|non|never|without|nor|none|nobody|nothing|prohibited|forbidden|banned|ban|cannot|avoid|prohibition|un\w+|in\w+"
    r"|free|dis\w+|closed|stop|restricted|quit|\w+less)\b|n['’]t\b"
)  # fmt: skip
_PLAIN_NO = re.compile(r"\b(no|not|never|prohibited|forbidden|cannot|without)\b|n['’]t\b")
_HINDI_NO = NEGATION | MARATHI_NO | FORBIDDEN | {"नही", "नहि", "नाही", "बिना", "बगैर", "बिन", "नो"}
#: Segments longer than this are no phrase of a sign; they are cut.
_LONGEST = 24


class Translator:
    """Glossary, network and spelling together. Immutable after construction; threads may share it.

    Args:
        glossary: the sign glossary; None for the packaged one.
        transliterator: spells what the glossary lacks; None for the packaged weights.
        speaker: the network; None for the packaged weights. Where there are none, patterns speak.
    """

    def __init__(
        self,
        glossary: Glossary | None = None,
        transliterator: Transliterator | None = None,
        speaker: Speaker | None = None,
    ) -> None:
        self.glossary = glossary or default_glossary()
        self.transliterator = transliterator or default_transliterator()
        self.speaker = speaker if speaker is not None else default_speaker()

    def translate(self, text: str) -> Translation:
        """One text, of one line or several; see `translate_many`."""
        return self.translate_many([text])[0]

    def translate_many(self, texts: Sequence[str]) -> list[Translation]:
        """Texts into English, in order; all phrases and all unknown words are one batch.

        Text without Devanagari comes back as it is. Nothing raises: other scripts, emoji, overlong text pass through.
        """
        split_ = [_shorten(split(text, self.glossary)) for text in texts]
        ready = [romanizable(text) for text in texts]
        segments = [piece for pieces in split_ for piece in pieces if not isinstance(piece, str)]
        wanted = {word for text in ready for word in WORD.findall(text)}
        wanted |= {word for units in segments for unit in units for word in WORD.findall(unit.text)}
        words = sorted(wanted)
        spelled = dict(zip(words, self.transliterator.spell_words(words), strict=True))
        written = {word: latin(word, spelling) for word, spelling in spelled.items()}
        alone = [_by_glossary(units) or _own_english(units, spelled) for units in segments]
        asked = [units for units, known in zip(segments, alone, strict=True) if known is None]
        said = iter(self.speaker.say(asked) if self.speaker is not None else [None] * len(asked))
        phrases = []
        for units, known in zip(segments, alone, strict=True):
            phrases.append(known or _phrase(units, next(said), spelled))
        remaining = iter(phrases)
        return [
            _assemble(text, pieces, remaining, fill(line, written))
            for text, pieces, line in zip(texts, split_, ready, strict=True)
        ]

    def romanize(self, text: str) -> str:
        """The text with every Devanagari word in Latin letters as people write them."""
        return self.romanize_many([text])[0]

    def romanize_many(self, texts: Sequence[str]) -> list[str]:
        """`romanize` for many texts, as one batch."""
        ready = [romanizable(text) for text in texts]
        words = sorted({word for text in ready for word in WORD.findall(text)})
        spelled = self.transliterator.spell_words(words)
        written = {word: latin(word, s) for word, s in zip(words, spelled, strict=True)}
        return [fill(text, written) for text in ready]


@dataclass(frozen=True, slots=True)
class _Phrase:
    """English for one segment; `begins` False keeps its first letter as it is."""

    english: str
    parts: list[Part]
    confidence: float
    begins: bool = True


def _phrase(units: list[Unit], said: Speech | None, spelled: Mapping[str, Spelling]) -> _Phrase:
    """The network's English; that of the patterns where there is no network, or it lost or made a negation."""
    if said is None:
        return _patterned(units, spelled)
    names = {i: name(unit.text, spelled) for i, unit in enumerate(units) if unit.kind == "unknown"}
    phrase = _spoken(units, said, names)
    denied = any(_denies(units, i) for i in range(len(units)))
    english = phrase.english.lower()
    if denied != bool((_ENGLISH_NO if denied else _PLAIN_NO).search(english)) or not english or not said.ended:
        return _patterned(units, spelled)
    return phrase


def _shorten(pieces: list[list[Unit] | str]) -> list[list[Unit] | str]:
    """The pieces with overlong segments cut."""
    out: list[list[Unit] | str] = []
    for piece in pieces:
        if isinstance(piece, str) or len(piece) <= _LONGEST:
            out.append(piece)
            continue
        for start in range(0, len(piece), _LONGEST):
            out += [piece[start : start + _LONGEST], " "] if start + _LONGEST < len(piece) else [piece[start:]]
    return out


def _denies(units: Sequence[Unit], i: int) -> bool:
    """Whether the unit says "no": its English does, or it is a negation; मत before a verb is "not", else "vote"."""
    unit = units[i]
    if unit.negative or _PLAIN_NO.search(unit.english.lower()):
        return unit.text != "मत" or (i + 1 < len(units) and units[i + 1].kind in ("verb", "verb form", "unknown"))
    return unit.text in _HINDI_NO and unit.text != "मत"


def _by_glossary(units: list[Unit]) -> _Phrase | None:
    """The phrase where one entry of the glossary is all of it, or everything is kept."""
    if all(unit.kind in KEPT for unit in units):
        parts = [Part(u.text, u.english, "transliterated" if u.kind == "letters" else "kept", 0.95) for u in units]
        return _Phrase(" ".join(u.english for u in units), parts, 0.95, False)
    if len(units) != 1 or units[0].match is None or units[0].form in ("habitual", "passive", "future"):
        return None
    unit = units[0]
    english = _plain(unit)
    sure = unit.match.confidence if unit.match else 0.0
    return _Phrase(english, [Part(unit.text, english, "glossary", sure)], sure)


def _plain(unit: Unit) -> str:
    """The unit's own English standing alone, with "do not" before a verb that has a negation."""
    english = " ".join(unit.english.replace("~", "").split())
    if unit.kind == "verb" and unit.negative:
        return f"do not {english}"
    return english


def _spoken(units: list[Unit], said: Speech, names: Mapping[int, Part]) -> _Phrase:
    """The network's words with copies filled in, in sentence or title case, and its parts."""
    words: list[str] = []
    own: list[bool] = []  # words that keep their capitals
    english = dict.fromkeys(range(len(units)), "")
    source = dict.fromkeys(range(len(units)), "network")
    behind: list[tuple[int, str]] = []  # what follows the object of a verb
    last = -1
    for token, copied, near in said.tokens:
        if copied is not None:
            last = copied
            u = units[copied]
            if copied in names:
                text, source[copied] = names[copied].english, names[copied].source
            else:
                first, _, rest = u.english.partition("~")
                text, source[copied] = first.strip(), "kept" if u.kind in KEPT else "glossary"
                if rest.strip():
                    behind.append((copied, rest.strip()))
            english[copied] = text
            words.append(text)
            own.append(True)
        elif token == "~":
            if behind:
                words.append(behind.pop()[1])
                own.append(True)
        elif token.startswith("+"):
            if last >= 0 and words:
                words[-1] = english[last] = inflect(words[-1], token)
        else:
            words.append(token)
            own.append(False)
            if source[near] == "network":
                english[near] = f"{english[near]} {token}".strip()
    words += [rest for _, rest in behind]
    own += [True] * len(behind)
    named = any(
        source[i] in ("transliterated", "place", "loanword") or units[i].kind in ("name", "title") for i in english
    )
    plain = {w for w, mine in zip(words, own, strict=True) if not mine} - SMALL - {"'s", ",", "&"}
    # A name and what it is of: Gupta General Store. A sentence about it: Welcome to Agra.
    titled = named and not any(u.kind in ("verb", "adverb", "phrase", "verb form") for u in units) and len(plain) <= 1
    out: list[str] = []
    for i, word in enumerate(words):
        if titled and word not in ("'s", ",") and (word not in SMALL or not i):
            word = " ".join(w if w in SMALL else upper_first(w) for w in word.split(" "))
        out.append(word)
    text = re.sub(r" (,|'s\b)", r"\1", " ".join(out))
    sure = said.confidence
    parts = []
    for i, unit in enumerate(units):
        confidence = names[i].confidence if i in names and source[i] != "network" else sure
        parts.append(Part(unit.text, english[i], source[i], round(confidence, 3)))
    spelled = [p.confidence for i, p in names.items() if source[i] != "network"]
    return _Phrase(text, parts, sure * math.prod(spelled) ** (1 / max(len(units), 1)) if spelled else sure)


def _patterned(units: list[Unit], spelled: Mapping[str, Spelling]) -> _Phrase:
    """English by the sentence patterns of signs."""
    sentence = Sentence(units, spelled)
    english = sentence.english()
    parts = [Part(u.text, u.out, u.source, round(u.confidence, 3)) for u in units]
    weights = [len(u.text) for u in units]
    sure = sum(u.confidence * w for u, w in zip(units, weights, strict=True)) / max(sum(weights), 1)
    return _Phrase(english, parts, sure * sentence.sure)


def _own_english(units: list[Unit], spelled: Mapping[str, Spelling]) -> _Phrase | None:
    """The Latin half of a line that says the same thing in both scripts, राजीव चौक RAJIV CHOWK; else None."""
    latin = [i for i, u in enumerate(units) if u.kind == "latin" and any(c.isalpha() for c in u.text)]
    hindi = [i for i, u in enumerate(units) if u.kind not in ("latin", "number")]
    if not latin or not hindi or not (latin[0] > hindi[-1] or latin[-1] < hindi[0]):
        return None
    said = " ".join(u.text for u in units if u.kind == "latin")
    sayings = []
    for i in hindi:
        words = [spelled[w].text for w in WORD.findall(units[i].text)]
        sayings.append((units[i].english, " ".join(words)))
    if similarity(sayings, said) < 0.6:
        return None
    parts = [Part(u.text, u.text if u.kind == "latin" else "", "kept", 0.9) for u in units]
    return _Phrase(said, parts, 0.9, False)


def _assemble(text: str, pieces: list[list[Unit] | str], phrases: Iterator[_Phrase], romanized: str) -> Translation:
    """The translation of one text from its segments' phrases, taken in order, and the marks between them."""
    if not pieces:
        kept = (Part(text, text, "kept", 1.0),) if text.strip() else ()
        return Translation(text, text, romanized, kept, 1.0 if kept else 0.0)
    out, parts, weights = "", [], []
    for piece in pieces:
        if isinstance(piece, str):
            mark = re.sub("[:]-+", ":", piece).replace("।", ".").replace("॥", ".").replace("\t", " ")
            if mark.strip() in ("-", "–", "—"):
                mark = " - "
            out = out.rstrip(" ") + mark + ("" if mark[-1] in " \n(" else " ")
            if mark[-1] == "(":
                out = out.rstrip(" (") + " ("
            continue
        phrase = next(phrases)
        # A comma or a colon does not start a sentence, but names keep their capitals.
        starts = not out.rstrip(" ") or out.rstrip(" ")[-1] in ".!?|\n([)]-"
        out += upper_first(phrase.english) if starts and phrase.begins else phrase.english
        parts += phrase.parts
        weights.append((phrase.confidence, sum(len(u.text) for u in piece)))
    total = sum(w for _, w in weights)
    confidence = sum(c * w for c, w in weights) / max(total, 1)
    english = re.sub(r" +([.,:;!?)])", r"\1", re.sub(" {2,}", " ", out)).strip(" ,")
    return Translation(text, english, romanized, tuple(parts), round(confidence, 3))


# Module-level use ---------------------------------------------------------------------------------------------------


@cache
def default_translator() -> Translator:
    """The packaged glossary and weights; made once on first use."""
    return Translator()


def translate(text: str) -> Translation:
    """English for a Hindi text of a sign, with the source of every part; see `Translator.translate_many`."""
    return default_translator().translate(text)


def romanize(text: str) -> str:
    """The Devanagari words in Latin letters as people write them: शर्मा मिष्ठान भंडार -> sharma mishthan bhandar."""
    return default_translator().romanize(text)
