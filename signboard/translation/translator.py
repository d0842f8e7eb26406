"""Hindi of signs into English: the glossary where it holds the whole text, else a network; names in Latin letters."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from signboard.translation.faithful import faithful
from signboard.translation.gloss import agreeing, gloss, plaque
from signboard.translation.glossary import Glossary, default_glossary
from signboard.translation.grammar import SMALL, inflect, uncounted, upper_first
from signboard.translation.result import Part, Translation
from signboard.translation.speaker import Speaker, Speech
from signboard.translation.spelling import SAME, latin, name, similarity
from signboard.translation.transliteration import (
    WORD,
    Spelling,
    Transliterator,
    default_transliterator,
    fill,
    romanizable,
    to_iso15919,
)
from signboard.translation.units import KEPT, MARATHI_NO, UNHEARD, Unit, mark_names, split

#: Share of phrases of words set side by side that are right, of those whose every word is sure.
_WORD_BY_WORD = 0.35
#: An article before another determiner, and small words said twice.
_DOUBLED = re.compile(r"(?i)\b(?:the|an?) (?=(?:this|your|our|any|every)\b)|\b(the|your|for|from|to) (?=\1\b)")


class Translator:
    """Glossary, network and spelling together. Immutable after construction; threads may share it.

    Args:
        glossary: the sign glossary; None for the packaged one.
        transliterator: spells what the glossary lacks; None for the packaged weights.
        speaker: the network; None for the packaged weights.
    """

    def __init__(
        self,
        glossary: Glossary | None = None,
        transliterator: Transliterator | None = None,
        speaker: Speaker | None = None,
    ) -> None:
        self.glossary = glossary or default_glossary()
        self.transliterator = transliterator or default_transliterator()
        self.speaker = speaker or Speaker.load()

    def translate(self, text: str) -> Translation:
        """One text, of one line or several; see `translate_many`."""
        return self.translate_many([text])[0]

    def translate_many(self, texts: Sequence[str]) -> list[Translation]:
        """Texts into English, in order; all phrases and all unknown words are one batch.

        Text without Devanagari comes back as it is. Nothing raises: other scripts, emoji, overlong text pass through.
        """
        split_ = [split(text, self.glossary) for text in texts]
        ready = [romanizable(text) for text in texts]
        segments = [piece for pieces in split_ for piece in pieces if not isinstance(piece, str)]
        spelled = self._spell([*ready, *(unit.text for units in segments for unit in units)])
        for units in segments:
            mark_names(units)
        alone = [_by_glossary(units) or _own_english(units, spelled) or _by_rules(units, spelled) for units in segments]
        asked = [units for units, known in zip(segments, alone, strict=True) if known is None]
        said = iter(self.speaker.say(asked))
        phrases = [known or _phrase(units, next(said), spelled) for units, known in zip(segments, alone, strict=True)]
        remaining = iter(phrases)
        return [
            _assemble(text, pieces, remaining, line)
            for text, pieces, line in zip(texts, split_, self._romanized(ready, spelled), strict=True)
        ]

    def romanize_many(self, texts: Sequence[str]) -> list[str]:
        """The texts with every Devanagari word in Latin letters as people write them, as one batch."""
        ready = [romanizable(text) for text in texts]
        return self._romanized(ready, self._spell(ready))

    def records(self, texts: Iterable[str], scheme: str, n_best: int) -> Iterator[dict[str, Any]]:
        """One JSON-ready dict a text, in order, made in batches: what the command line prints and the server answers.

        Args:
            scheme: "spelled" as people write Hindi in Latin letters, "iso15919" the scholarly way.
            n_best: more than 1 also lists so many spellings of each word, likeliest first.
        """
        lines = iter(texts)
        while batch := list(itertools.islice(lines, 512)):
            for text, translation in zip(batch, self.translate_many(batch), strict=True):
                record = dataclasses.asdict(translation)
                del record["matched_line"], record["continues"]
                if scheme == "iso15919":
                    record["romanized"] = to_iso15919(text)
                if n_best > 1:
                    words = dict.fromkeys(WORD.findall(romanizable(text)))
                    spellings = {word: self.transliterator.n_best(word, n_best) for word in words}
                    record["spellings"] = {word: list(map(dataclasses.asdict, ss)) for word, ss in spellings.items()}
                yield record

    def _spell(self, texts: Iterable[str]) -> dict[str, Spelling]:
        words = sorted({word for text in texts for word in WORD.findall(text)})
        return dict(zip(words, self.transliterator.spell_words(words), strict=True))

    def _romanized(self, ready: Sequence[str], spelled: Mapping[str, Spelling]) -> list[str]:
        written = {word: latin(word, spelled[word]) for text in ready for word in WORD.findall(text)}
        return [fill(text, written) for text in ready]


@dataclass(frozen=True, slots=True)
class _Phrase:
    """English for one segment; `begins` False keeps its first letter as it is."""

    english: str
    parts: list[Part]
    confidence: float
    begins: bool = True


def _names(units: Sequence[Unit], spelled: Mapping[str, Spelling]) -> dict[int, Part]:
    """English for the units that the glossary lacks, by their place."""
    return {i: name(unit.text, spelled, not unit.named) for i, unit in enumerate(units) if unit.kind == "unknown"}


def _phrase(units: list[Unit], said: Speech, spelled: Mapping[str, Spelling]) -> _Phrase:
    """The network's English; the glossary's words where it was not faithful."""
    names = _names(units, spelled)
    phrase = _spoken(units, said, names)
    return phrase if faithful(units, said, phrase.english) else _glossed(units, names)


def _by_rules(units: list[Unit], spelled: Mapping[str, Spelling]) -> _Phrase | None:
    """The glossary's words where the network has not learned what is said: what was done, or may be; else None."""
    unheard = any(unit.form in UNHEARD for unit in units) or plaque(units)
    return _glossed(units, _names(units, spelled)) if unheard else None


def _by_glossary(units: list[Unit]) -> _Phrase | None:
    """The phrase where one entry of the glossary is all of it, or everything is kept."""
    if all(unit.kind in KEPT for unit in units):
        parts = [Part(u.text, u.english, "transliterated" if u.kind == "letters" else "kept", 0.95) for u in units]
        return _Phrase(" ".join(u.english for u in units), parts, 0.95, False)
    unit, match = units[0], units[0].match
    if len(units) != 1 or match is None or match.form in {"habitual", "passive", "future"} | UNHEARD:
        return None
    words = unit.english.replace("~", "").split()
    english = "do not " * (unit.kind == "verb" and unit.negative) + " ".join(words)
    return _Phrase(english, [Part(unit.text, english, "glossary", match.confidence)], match.confidence)


def _spoken(units: list[Unit], said: Speech, names: Mapping[int, Part]) -> _Phrase:
    """The network's words with copies filled in, in sentence or title case, and its parts."""
    words: list[str] = []
    english = [""] * len(units)
    source = ["network"] * len(units)
    behind: list[str] = []  # what follows the object of a verb
    last = -1
    tokens = [*said.tokens, ("", None, 0)]
    for (token, copied, near), (following, next_copied, _) in itertools.pairwise(tokens):
        if copied is not None:
            last = copied
            if copied in names:
                text, source[copied] = names[copied].english, names[copied].source
            else:
                said_so = following.startswith("+")
                owns = next_copied is not None and units[next_copied].kind == "noun"
                text = units[copied].english if said_so else agreeing(units, copied, owns)
                text, _, rest = (piece.strip() for piece in text.partition("~"))
                source[copied] = "kept" if units[copied].kind in KEPT else "glossary"
                behind += [rest] if rest else []
            english[copied] = text
            words.append(text)
        elif token == "~":
            words += [behind.pop()] if behind else []
        elif token.startswith("+"):
            if last >= 0:
                got = token == "+ed" and units[last].english.startswith("get ~ ")  # done, and not got done
                words[-1] = english[last] = behind.pop() if got and behind else inflect(words[-1], token)
        else:
            token = "is" if token == "are" and words and uncounted(words[-1]) else token
            words.append(token)
            if source[near] == "network":
                english[near] = f"{english[near]} {token}".strip()
    text = re.sub(r" (,|'s\b)", r"\1", " ".join([*words, *behind]))
    heard = {i: part.confidence for i, part in names.items() if source[i] != "network"}
    sure = [round(heard.get(i, said.confidence), 3) for i in range(len(units))]
    parts = [Part(unit.text, english[i], source[i], sure[i]) for i, unit in enumerate(units)]
    total = said.confidence * math.prod(heard.values()) ** (1 / len(units))
    return _Phrase(_titled(text, units, names), parts, total)


def _titled(english: str, units: Sequence[Unit], names: Mapping[int, Part]) -> str:
    """With capitals where it is a name and what it is of, Gupta General Store, and no sentence: Welcome to Agra."""
    named = bool(names) or any(u.kind in ("name", "title") and u.domain != "day" for u in units)
    sentence = ("verb", "adverb", "phrase", "verb form", "postposition", "particle")
    if not named or any(u.kind in sentence or u.text in MARATHI_NO for u in units):
        return english
    words = english.split(" ")
    return " ".join(upper_first(w) if w not in SMALL or not i else w for i, w in enumerate(words))


def _glossed(units: list[Unit], names: Mapping[int, Part]) -> _Phrase:
    """The glossary's English in English order, and spelled names."""
    parts = []
    for i, unit in enumerate(units):
        unit.english = names[i].english if i in names else agreeing(units, i)
        source, sure = ("glossary", round(unit.match.confidence, 3)) if unit.match else ("kept", 1.0)
        parts.append(names.get(i) or Part(unit.text, unit.english.replace("~", "").strip(), source, sure))
    english = gloss(units)
    total = sum(len(part.text) for part in parts)
    sure = _WORD_BY_WORD * sum(part.confidence * len(part.text) for part in parts) / max(total, 1)
    return _Phrase(_titled(english, units, names), parts, sure)


def _own_english(units: list[Unit], spelled: Mapping[str, Spelling]) -> _Phrase | None:
    """The Latin half of a line that says the same thing in both scripts, राजीव चौक RAJIV CHOWK; else None.

    A number of the Hindi half that the other half lacks would be lost: then it is None, too.
    """
    latin = [i for i, u in enumerate(units) if u.kind == "latin" and any(c.isalpha() for c in u.text)]
    hindi = [i for i, u in enumerate(units) if u.kind not in ("latin", "number")]
    if not latin or not hindi or not (latin[0] > hindi[-1] or latin[-1] < hindi[0]):
        return None
    half = range(latin[0], len(units)) if latin[0] > hindi[-1] else range(latin[-1] + 1)
    numbers = {i: u.english for i, u in enumerate(units) if u.kind == "number"}
    if not {n for i, n in numbers.items() if i not in half} <= {n for i, n in numbers.items() if i in half}:
        return None
    said = " ".join(units[i].text for i in half)
    sayings = [(units[i].english, fill(units[i].text, spelled)) for i in hindi]
    if similarity(sayings, " ".join(units[i].text for i in half if i not in numbers)) < SAME:
        return None
    parts = [Part(u.text, u.text if i in half else "", "kept", 0.9) for i, u in enumerate(units)]
    return _Phrase(said, parts, 0.9, False)


def _assemble(text: str, pieces: list[list[Unit] | str], phrases: Iterator[_Phrase], romanized: str) -> Translation:
    """The translation of one text from its segments' phrases, taken in order, and the marks between them."""
    if not pieces:
        kept = (Part(text, text, "kept", 1.0),) if text.strip() else ()
        return Translation(text, text, romanized, kept, 1.0 if kept else 0.0)
    out, parts, sure, total = "", [], 0.0, 0
    for piece in pieces:
        if isinstance(piece, str):
            mark = re.sub(":-+", ":", piece).translate({ord("।"): ".", ord("॥"): ".", ord("\t"): " "})
            mark = " - " if mark.strip() in ("-", "–", "—") else mark
            out = out.rstrip(" ") + mark + ("" if mark[-1] in " \n(" else " ")
            out = out.rstrip(" (") + " (" if mark[-1] == "(" else out
            continue
        phrase = next(phrases)
        said = _DOUBLED.sub("", phrase.english)
        # A comma or a colon does not start a sentence, but names keep their capitals.
        starts = not out.rstrip(" ") or out.rstrip(" ")[-1] in ".!?|\n([)]-"
        out += upper_first(said) if starts and phrase.begins else said
        parts += phrase.parts
        letters = sum(len(u.text) for u in piece)
        sure, total = sure + phrase.confidence * letters, total + letters
    english = re.sub(r" +([.,:;!?)])", r"\1", re.sub(" {2,}", " ", out)).strip(" ,")
    return Translation(text, english, romanized, tuple(parts), round(sure / max(total, 1), 3))


@cache
def default_translator() -> Translator:
    """The packaged glossary and weights; made once on first use."""
    return Translator()


def translate(text: str) -> Translation:
    """English for a Hindi text of a sign, with the source of every part; see `Translator.translate_many`."""
    return default_translator().translate(text)


def romanize(text: str) -> str:
    """The Devanagari words in Latin letters as people write them: शर्मा मिष्ठान भंडार -> sharma mishthan bhandar."""
    return default_translator().romanize_many([text])[0]
