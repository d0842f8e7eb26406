"""Hindi of signs into English: longest glossary phrases, the sentence patterns of signs, names in Latin letters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from signboard.translation.argos import argos_translator
from signboard.translation.bilingual import similarity
from signboard.translation.english import upper_first
from signboard.translation.glossary import LONGEST, Glossary, Match, default_glossary
from signboard.translation.sentence import NEGATION, Sentence, Unit
from signboard.translation.transliteration import (
    WORD,
    Spelling,
    Transliterator,
    default_transliterator,
    fill,
    initials,
    romanizable,
    tidy,
)


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of the text and what became of it.

    Attributes:
        text: the piece as it stands in the text.
        english: what stands for it in the translation; "" when English leaves it out.
        source: "glossary" (the sign glossary), "pattern" (a rule of grammar: negation, postposition, word order),
            "transliterated" (spelled in Latin letters), "kept" (Latin, digits, other scripts, the sign's own
            English) or "model" (an installed sentence translation model).
        confidence: 0 to 1; a grading of the sources, not a calibrated probability.
    """

    text: str
    english: str
    source: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Translation:
    """A text, its English, and how each part was found.

    Attributes:
        text: as given.
        english: the translation; equals the text where there is no Devanagari in it.
        romanized: the text in Latin letters as people write them.
        parts: in the order of the text, spaces and punctuation left out.
        confidence: 0 to 1, the parts' mean weighted by their length, less where words were only strung together; 0 for
            empty text, 1 for text that needs no translation.
        matched_line: set by `translate_lines` only: index of the line of the same sign that already says this in
            English; `english` is then that line's text.
        continues: set by `translate_lines` only: index of the line that begins the phrase which this line goes on with;
            that line's `english` and `parts` are those of the whole phrase, here they are empty.
    """

    text: str
    english: str
    romanized: str
    parts: tuple[Part, ...]
    confidence: float
    matched_line: int | None = None
    continues: int | None = None


# Text -> tokens -----------------------------------------------------------------------------------------------------

_LETTER = "ऀ-ॣॱ-ॿ"
_TOKEN = re.compile(
    rf"(?P<deva>[{_LETTER}]+(?:[.॰][{_LETTER}]+)*[.॰]?)"
    r"|(?P<number>[+₹]?[0-9०-९]+(?:[.,:/-][0-9०-९]+)*%?)"
    r"|(?P<break>[।॥!?;:,|()\[\]{}\"“”\n\r\t]+|\s[-–—]+\s|\.(?=\s|$))"
    r"|(?P<space>\s+)"
    rf"|(?P<other>[^\s{_LETTER}।॥!?;:,|()\[\]{{}}\"“”]+)"
)
_DIGITS = str.maketrans("०१२३४५६७८९", "0123456789")
_DEVANAGARI = re.compile(f"[{_LETTER}]")


def _joined(text: str) -> str:
    """The text as phrases are looked up in it: `tidy`, and a hyphen between two words is a space: जूते-चप्पल."""
    return re.sub(rf"(?<=[{_LETTER}])[-–](?=[{_LETTER}])", " ", tidy(text))


class Translator:
    """Glossary, patterns and transliteration together. Immutable after construction; threads may share it.

    Args:
        glossary: the sign glossary; None for the packaged one.
        transliterator: spells what the glossary lacks; None for the packaged weights.
        long_sentences: called with a long Hindi sentence, returns its English or None; see `argos.argos_translator`.
        long_from: words from which a sentence that the glossary does not cover well goes to `long_sentences`.
    """

    def __init__(
        self,
        glossary: Glossary | None = None,
        transliterator: Transliterator | None = None,
        long_sentences: Callable[[str], str | None] | None = None,
        long_from: int = 8,
    ) -> None:
        self.glossary = glossary or default_glossary()
        self.transliterator = transliterator or default_transliterator()
        self._long_sentences = long_sentences
        self._long_from = long_from

    # Public ---------------------------------------------------------------------------------------------------------

    def translate(self, text: str) -> Translation:
        """One text, of one line or several; see `translate_many`."""
        return self.translate_many([text])[0]

    def translate_many(self, texts: Sequence[str]) -> list[Translation]:
        """Texts into English, in order; all unknown words are spelled in one batch.

        Text without Devanagari comes back as it is. Nothing raises: other scripts, emoji, overlong text pass through.
        """
        analysed = [self.analyse(text) for text in texts]
        ready = [romanizable(text) for text in texts]
        wanted = {word for text in ready for word in WORD.findall(text)}
        # Cutting off dots and joining hyphens may have made words that `romanizable` does not see.
        segments = (piece for pieces in analysed for piece in pieces if not isinstance(piece, str))
        wanted |= {word for units in segments for unit in units for word in WORD.findall(unit.text)}
        words = sorted(wanted)
        spelled = dict(zip(words, self.transliterator.spell_words(words), strict=True))
        romanized = [fill(text, spelled) for text in ready]
        return [
            self._render(text, pieces, latin, spelled)
            for text, pieces, latin in zip(texts, analysed, romanized, strict=True)
        ]

    def romanize(self, text: str) -> str:
        """The text with every Devanagari word in Latin letters as people write them."""
        return self.transliterator.romanize(text)

    def romanize_many(self, texts: Sequence[str]) -> list[str]:
        """`romanize` for many texts, as one batch."""
        return self.transliterator.romanize_many(texts)

    # Text -> pieces -------------------------------------------------------------------------------------------------

    def analyse(self, text: str) -> list[list[Unit] | str]:
        """Segments of units and the punctuation between them; nothing for a text without Devanagari."""
        pieces: list[list[Unit] | str] = []
        tokens: list[tuple[str, str]] = []  # (kind, text) of the open segment
        if not _DEVANAGARI.search(text):
            return pieces

        def close() -> None:
            if tokens:
                pieces.append(self._units(tokens))
                tokens.clear()

        for found in _TOKEN.finditer(_joined(text)):
            kind, token = str(found.lastgroup), found.group()
            if kind == "deva" and token[-1] in ".॰" and not self._abbreviation(token):
                tokens.append((kind, token[:-1]))
                kind, token = "break", "."
            if kind == "break":
                # मो.: or सं.: the colon belongs to the abbreviation.
                close()
                pieces.append(token)
            elif kind != "space":
                tokens.append((kind, token))
        close()
        return pieces

    def _abbreviation(self, token: str) -> bool:
        """Whether the last dot belongs to the word (डॉ., कि.मी., आर.) and does not end a sentence."""
        match = self.glossary.lookup(token)
        if match and match.entry.part_of_speech in ("abbreviation", "title", "unit") and "." in match.entry.hindi:
            return True
        return "." in token[:-1] or initials(f"{token}ए") is not None

    def _units(self, tokens: list[tuple[str, str]]) -> list[Unit]:
        """The cheapest cover of the tokens by glossary phrases: few pieces, so long phrases win; unknown words last."""
        n = len(tokens)
        best: list[tuple[float, int, Match | None]] = [(0.0, 0, None)] * (n + 1)  # cost from here on, next, match
        for i in range(n - 1, -1, -1):
            options: list[tuple[float, int, Match | None]] = [(best[i + 1][0] + 2.6, i + 1, None)]
            for j in range(i + 1, min(n, i + LONGEST) + 1):
                if tokens[j - 1][0] != "deva":
                    break
                match = self._find([token for _, token in tokens[i:j]], j - i == n)
                if match:
                    options.append((best[j][0] + self._cost(match, j - i, n), j, match))
            # Among equals the longer phrase wins.
            best[i] = min(options, key=lambda option: (round(option[0], 6), -option[1]))
        units, i = [], 0
        while i < n:
            _, j, match = best[i]
            words = [token for _, token in tokens[i:j]]
            unit = self._unit(tokens[i][0], " ".join(words), match)
            unit.negative = unit.kind == "verb" and len(words) > 1 and words[-2] in NEGATION
            units.append(unit)
            i = j
        return units

    def _find(self, words: list[str], whole: bool) -> Match | None:
        """The glossary's match for the words; a negation may stand inside a verb: प्रयोग न करें is प्रयोग करें negated.

        A complete sentence of the glossary that is but part of the text is the verb that it consists of, if it is one.
        """
        match = self.glossary.lookup(" ".join(words))
        if match is not None and match.entry.part_of_speech == "phrase" and not whole:
            bare = [*words[:-2], words[-1]] if len(words) > 1 and words[-2] in NEGATION else words
            match = self.glossary.verb(" ".join(bare)) or match
        if match is None and len(words) > 1 and words[-2] in NEGATION:
            match = self.glossary.lookup(" ".join([*words[:-2], words[-1]]))
            if match is not None and match.entry.part_of_speech != "verb":
                match = None
        # Dots are left out of the key, but आर. के. is two initials and not "of".
        dotted = match is not None and any("." in word for word in words)
        if dotted and match is not None and match.entry.part_of_speech not in ("abbreviation", "title", "unit"):
            return None
        return match

    @staticmethod
    def _cost(match: Match, words: int, total: int) -> float:
        """One for each piece, less the better it fits."""
        cost = 2.0 - match.confidence
        if match.entry.part_of_speech == "phrase" and words < total:
            cost += 1.2  # inside a longer text a complete sentence is rather part of another sentence
        elif match.entry.part_of_speech == "verb" and words > 1:
            cost -= 0.1 * (words - 1)  # मोबाइल | रिपेयर किए जाते, not मोबाइल रिपेयर | किए जाते
        return cost

    @staticmethod
    def _unit(kind: str, text: str, match: Match | None) -> Unit:
        if match:
            pos = match.entry.part_of_speech
            return Unit(text, pos, match, match.english, "glossary", match.confidence)
        if kind == "deva":
            letters = initials(text) or (initials(f"{text}ए") or "")[:-2] + "." if "." in text else None
            if letters and letters != ".":
                return Unit(text, "name", None, letters, "transliterated", 0.9)
            return Unit(text, "unknown", None, "", "transliterated", 0.0)
        if kind == "number":
            return Unit(text, "number", None, text.translate(_DIGITS), "kept", 1.0)
        return Unit(text, "latin", None, text, "kept", 1.0)

    # Pieces -> English ----------------------------------------------------------------------------------------------

    def _render(
        self, text: str, pieces: list[list[Unit] | str], romanized: str, spelled: Mapping[str, Spelling]
    ) -> Translation:
        if not pieces:
            kept = (Part(text, text, "kept", 1.0),) if text.strip() else ()
            return Translation(text, text, romanized, kept, 1.0 if kept else 0.0)
        out, parts, weights = "", [], []
        for piece in pieces:
            if isinstance(piece, str):
                mark = piece.replace("।", ".").replace("॥", ".")
                if mark.strip() in ("-", "–", "—"):
                    mark = " - "
                out = out.rstrip(" ") + mark + ("" if mark[-1] in " \n(" else " ")
                if mark[-1] == "(":
                    out = out.rstrip(" (") + " ("
                continue
            segment = " ".join(unit.text for unit in piece)
            model = self._by_model(segment, piece)
            if model:
                out += model
                parts.append(Part(segment, model, "model", 0.6))
                weights.append((len(segment), 1.0))
                continue
            own = _own_english(piece, spelled)
            sentence = Sentence(piece, spelled)
            english = own or sentence.english()
            # A comma or a colon does not start a sentence, but names keep their capitals.
            starts = not out.rstrip(" ") or out.rstrip(" ")[-1] in ".!?|\n([)]-"
            out += english if own or not starts else upper_first(english)
            for unit in piece:
                if own and unit.kind != "latin":
                    parts.append(Part(unit.text, "", "kept", 0.9))
                else:
                    parts.append(Part(unit.text, unit.out, unit.source, round(unit.confidence, 3)))
                weights.append((len(unit.text), sentence.sure))
        total = sum(w for w, _ in weights)
        confidence = sum(p.confidence * w * s for p, (w, s) in zip(parts, weights, strict=True)) / max(total, 1)
        english = re.sub(r" +([.,:;!?)])", r"\1", re.sub(" {2,}", " ", out)).strip(" ,")
        return Translation(text, english, romanized, tuple(parts), round(confidence, 3))

    def _by_model(self, segment: str, units: list[Unit]) -> str | None:
        """English from the sentence model, for long sentences with words that the glossary does not know."""
        if self._long_sentences is None or len(segment.split()) < self._long_from:
            return None
        if not any(unit.kind in ("verb", "verb form") for unit in units):
            return None  # a long list of names and goods is no sentence
        if sum(unit.kind == "unknown" for unit in units) * 4 < len(units):
            return None
        return self._long_sentences(segment)


def _own_english(units: list[Unit], spelled: Mapping[str, Spelling]) -> str | None:
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
    for i in latin:
        units[i].out = units[i].text
    return said


# Module-level use ---------------------------------------------------------------------------------------------------


@cache
def default_translator() -> Translator:
    """The packaged glossary and weights, with an installed Argos model for long sentences; made once on first use."""
    return Translator(long_sentences=argos_translator())


def translate(text: str) -> Translation:
    """English for a Hindi text of a sign, with the source of every part; see `Translator.translate_many`."""
    return default_translator().translate(text)


def romanize(text: str) -> str:
    """The Devanagari words in Latin letters as people write them: शर्मा मिष्ठान भंडार -> sharma mishthan bhandar."""
    return default_translator().romanize(text)
