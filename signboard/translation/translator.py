"""Hindi of signs into English: longest glossary phrases, the sentence patterns of signs, names in Latin letters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from signboard.translation.argos import argos_translator
from signboard.translation.english import (
    SMALL,
    gerund,
    participle,
    plural,
    third_person,
    upper_first,
)
from signboard.translation.glossary import LONGEST, Glossary, Match, default_glossary
from signboard.translation.transliteration import (
    WORD,
    Spelling,
    Transliterator,
    clean,
    default_transliterator,
    fill,
    initials,
    romanizable,
)


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of the text and what became of it.

    Attributes:
        text: the piece as it stands in the text.
        english: what stands for it in the translation; "" when English leaves it out.
        source: "glossary" (the sign glossary), "pattern" (a rule of grammar: negation, postposition, word order),
            "transliterated" (spelled in Latin letters), "kept" (Latin, digits, other scripts, the sign's own English) or
            "model" (an installed sentence translation model).
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
    """

    text: str
    english: str
    romanized: str
    parts: tuple[Part, ...]
    confidence: float
    matched_line: int | None = None


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


@dataclass(slots=True)
class _Unit:
    """One glossary phrase, unknown word, number or foreign piece while it is being translated."""

    text: str
    kind: str  # part of speech, or "unknown", "latin"; "number" covers digits
    match: Match | None = None
    english: str = ""
    source: str = ""
    confidence: float = 0.0
    out: str = ""  # what was finally written for it

    @property
    def domain(self) -> str:
        return self.match.entry.domain if self.match else ""

    @property
    def form(self) -> str:
        return self.match.form if self.match else ""

    @property
    def lemma(self) -> str:
        return self.match.entry.hindi if self.match else ""


def _tidy(text: str) -> str:
    """The text with the dots and colons that signs write with other marks: डॉ० -> डॉ., प्रात: -> प्रातः, जूते-चप्पल."""
    text = clean(text)
    text = re.sub(rf"(?<=[{_LETTER}])[०0](?![०-९0-9])", ".", text)
    text = re.sub(rf"(?<=[{_LETTER}]):(?=[{_LETTER}])", "ः", text)
    return re.sub(rf"(?<=[{_LETTER}])[-–](?=[{_LETTER}])", " ", text)


# Words that patterns look for, by their dictionary form.
_FORBIDDEN = {"मना", "वर्जित", "निषेध", "निषिद्ध", "निषेधित", "प्रतिबंधित", "मनाही"}
_NEGATION = {"न", "ना", "मत", "नहीं"}
_COPULA = {"है", "हैं"}
_GENITIVE = {"का", "के", "की"}
_ONLY = {"केवल", "सिर्फ", "मात्र"}
_SHOP_HEADS = {"दुकान", "भंडार", "स्टोर", "शॉप", "ठेका"}
_BEWARE = {"सावधान", "सावधान रहना", "बचना", "सतर्क रहना"}
_MORNING = {"सुबह": "am", "प्रातः": "am", "प्रातःकाल": "am"}
_EVENING = {"दोपहर": "pm", "शाम": "pm", "सायं": "pm", "सायंकाल": "pm", "रात": "pm", "रात्रि": "pm"}
_NAMED_DOMAINS = {"shop", "trade", "food", "school", "hospital", "bank", "road", "facility", "railway", "religion", "office"}
_REVERSED_HEADS = {"कार्यालय"}
_PERSON_DOMAINS = {"name"}
_LISTS = {"noun", "either", "name", "unknown", "title", "adjective", "latin", "number", "unit", "abbreviation", "pronoun"}


class Translator:
    """Glossary, patterns and transliteration together. Immutable after construction; any number of threads may share it.

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
        self._glossary = glossary or default_glossary()
        self._transliterator = transliterator or default_transliterator()
        self._long_sentences = long_sentences
        self._long_from = long_from

    # Public ---------------------------------------------------------------------------------------------------------

    def translate(self, text: str) -> Translation:
        """One text, of one line or several; see `translate_many`."""
        return self.translate_many([text])[0]

    def translate_many(self, texts: Sequence[str]) -> list[Translation]:
        """Texts into English, in order; all unknown words are spelled in one batch.

        Text without Devanagari comes back as it is. Nothing raises: other scripts, emoji and overlong text pass through.
        """
        analysed = [self._analyse(text) for text in texts]
        ready = [romanizable(text) for text in texts]
        wanted = {word for text in ready for word in WORD.findall(text)}
        # Cutting off dots and joining hyphens may have made words that `romanizable` does not see.
        segments = (piece for pieces in analysed for piece in pieces if not isinstance(piece, str))
        wanted |= {word for units in segments for unit in units for word in WORD.findall(unit.text)}
        words = sorted(wanted)
        spelled = dict(zip(words, self._transliterator.spell_words(words), strict=True))
        romanized = [fill(text, spelled) for text in ready]
        return [
            self._render(text, pieces, latin, spelled)
            for text, pieces, latin in zip(texts, analysed, romanized, strict=True)
        ]

    def romanize(self, text: str) -> str:
        """The text with every Devanagari word in Latin letters as people write them."""
        return self._transliterator.romanize(text)

    def romanize_many(self, texts: Sequence[str]) -> list[str]:
        """`romanize` for many texts, as one batch."""
        return self._transliterator.romanize_many(texts)

    # Text -> pieces -------------------------------------------------------------------------------------------------

    def _analyse(self, text: str) -> list[list[_Unit] | str]:
        """Cuts a text into segments of units and the punctuation between them."""
        pieces: list[list[_Unit] | str] = []
        tokens: list[tuple[str, str]] = []  # (kind, text) of the open segment
        if not _DEVANAGARI.search(text):
            return pieces

        def close() -> None:
            if tokens:
                pieces.append(self._units(tokens))
                tokens.clear()

        for found in _TOKEN.finditer(_tidy(text)):
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
        match = self._glossary.lookup(token)
        if match and match.entry.part_of_speech in ("abbreviation", "title", "unit") and "." in match.entry.hindi:
            return True
        return "." in token[:-1] or initials(f"{token}ए") is not None

    def _units(self, tokens: list[tuple[str, str]]) -> list[_Unit]:
        """The cheapest cover of the tokens by glossary phrases: few pieces, so long phrases win; unknown words cost most."""
        n = len(tokens)
        best: list[tuple[float, int, Match | None]] = [(0.0, 0, None)] * (n + 1)  # cost from here on, next, match
        for i in range(n - 1, -1, -1):
            kind, _ = tokens[i]
            options: list[tuple[float, int, Match | None]] = [(best[i + 1][0] + 1.6, i + 1, None)]
            if kind == "deva":
                for j in range(min(n, i + LONGEST), i, -1):
                    if any(k != "deva" for k, _ in tokens[i:j]):
                        continue
                    match = self._glossary.lookup(" ".join(t for _, t in tokens[i:j]))
                    if match:
                        # Among equals the first in the list wins: the longer phrase, written as in the glossary.
                        options.append((best[j][0] + 2.0 - match.confidence, j, match))
            best[i] = min(options, key=lambda option: (round(option[0], 6), -option[1]))
        units, i = [], 0
        while i < n:
            _, j, match = best[i]
            text = " ".join(t for _, t in tokens[i:j])
            units.append(self._unit(tokens[i][0], text, match))
            i = j
        return units

    @staticmethod
    def _unit(kind: str, text: str, match: Match | None) -> _Unit:
        if match:
            pos = match.entry.part_of_speech
            return _Unit(text, pos, match, match.english, "glossary", match.confidence)
        if kind == "deva":
            letters = initials(text) or (initials(f"{text}ए") or "")[:-2] + "." if "." in text else None
            if letters and letters != ".":
                return _Unit(text, "name", None, letters, "transliterated", 0.9)
            return _Unit(text, "unknown", None, "", "transliterated", 0.0)
        if kind == "number":
            return _Unit(text, "number", None, text.translate(_DIGITS), "kept", 1.0)
        return _Unit(text, "latin", None, text, "kept", 1.0)

    # Pieces -> English ----------------------------------------------------------------------------------------------

    def _render(
        self, text: str, pieces: list[list[_Unit] | str], romanized: str, spelled: dict[str, Spelling]
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
            sentence = _Sentence(piece, spelled)
            english = own or sentence.english()
            out += english if own else upper_first(english)
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

    def _by_model(self, segment: str, units: list[_Unit]) -> str | None:
        """English from the sentence model, for long sentences with words that the glossary does not know."""
        if self._long_sentences is None or len(segment.split()) < self._long_from:
            return None
        if not any(unit.kind in ("verb", "verb form") for unit in units):
            return None  # a long list of names and goods is no sentence
        if sum(unit.kind == "unknown" for unit in units) * 4 < len(units):
            return None
        return self._long_sentences(segment)


class _Sentence:
    """English for the units of one segment. Lives for one call; writes what it chose into the units."""

    def __init__(self, units: list[_Unit], spelled: dict[str, Spelling]) -> None:
        self.units = units
        self.spelled = spelled
        self.sure = 1.0

    def english(self) -> str:
        self._name_words()
        units = self._times(self.units)
        clauses = [self._clause(clause) for clause in _clauses(units)]
        return ", ".join(clause for clause in clauses if clause)

    # Words ------------------------------------------------------------------------------------------------------

    def _spell(self, unit: _Unit) -> None:
        words = [self.spelled[word] for word in WORD.findall(unit.text)]
        unit.english = WORD.sub(lambda m: upper_first(self.spelled[m.group()].text), unit.text)
        unit.source = "transliterated"
        unit.confidence = 0.9 * min((word.confidence for word in words), default=0.0)

    def _name_words(self) -> None:
        """Spells unknown words, and decides which words that may be names are: बर ... विकास शर्मा, प्रकाश स्टोर."""
        units = self.units
        for i, unit in enumerate(units):
            if unit.kind == "unknown":
                self._spell(unit)
            elif unit.kind == "either":
                before = units[i - 1] if i else None
                after = units[i + 1] if i + 1 < len(units) else None
                beside = [u for u in (before, after) if u is not None]
                person = any(u.kind in ("unknown", "title") or u.domain in _PERSON_DOMAINS for u in beside)
                names_a_place = (
                    unit.domain != "colour"
                    and unit.lemma not in ("लाल", "सुंदर", "विशाल", "उत्तम", "नवीन")
                    and after is not None
                    and after.kind == "noun"
                    and after.domain in _NAMED_DOMAINS
                )
                if person or names_a_place:
                    self._spell(unit)
                    unit.kind = "unknown"
                else:
                    unit.kind = "noun" if unit.lemma not in ("लाल", "सुंदर", "विशाल", "उत्तम", "नवीन") else "adjective"

    def _times(self, units: list[_Unit]) -> list[_Unit]:
        """सुबह 10 बजे -> 10 am, 10 बजे -> 10 o'clock; the units merge into the number."""
        out: list[_Unit] = []
        for unit in units:
            if unit.lemma in ("बजे", "बजे तक") and out and out[-1].kind == "number":
                number = out.pop()
                half = " o'clock"
                if out and (name := out[-1].lemma) in _MORNING | _EVENING:
                    half = " " + (_MORNING | _EVENING)[name]
                    out.pop().source = "pattern"
                number.english += half
                number.kind, number.source = "time", "pattern"
                number.confidence = min(number.confidence, 0.9)
                unit.source = "pattern"
                out.append(number)
                if unit.lemma == "बजे तक":
                    out.append(replace(unit, text="", english="until", out=""))
                    unit.out = ""
                continue
            out.append(unit)
        return out

    def _word(self, unit: _Unit, before_postposition: bool = False) -> str:
        """The unit's English inside a noun phrase."""
        text = unit.english
        if unit.form == "oblique" and not before_postposition:
            text = plural(text)
        if unit.kind == "verb":
            text = gerund(text) if unit.form != "imperative" else text
        unit.out = text
        return text

    # Clauses ----------------------------------------------------------------------------------------------------

    def _clause(self, units: list[_Unit]) -> str:
        """One clause: polite word, then a prohibition, a command, a statement, or a noun phrase."""
        please = ""
        rest = []
        for unit in units:
            if unit.lemma in ("कृपया", "कृप्या"):
                unit.out = please = "please"
            else:
                rest.append(unit)
        text = self._body(rest)
        return f"{please} {text}".strip()

    def _body(self, units: list[_Unit]) -> str:
        if not units:
            return ""
        if len(units) == 1:
            return self._alone(units[0])
        copula = units[-1] if units[-1].lemma in _COPULA else None
        core = units[:-1] if copula else units
        # ... मना है: a prohibition
        if core and core[-1].lemma in _FORBIDDEN and len(core) > 1:
            return self._prohibition(core[:-1], core[-1])
        if core and core[-1].lemma == "सख्त मना है" and len(core) > 1:
            core[-1].out = "strictly prohibited"
            return f"{self._anything(core[:-1])} is strictly prohibited"
        last = core[-1] if core else None
        if last is not None and last.kind == "verb" and last.form in ("imperative", "habitual", "passive", "future"):
            return self._verb_clause(core, last)
        # doing X is Y: an infinitive as the subject
        verbs = [i for i, u in enumerate(core[:-1]) if u.kind == "verb" and u.form == "infinitive"]
        if copula and verbs and core[verbs[-1]].text.endswith("ना") and core[verbs[-1] + 1].kind != "postposition":
            head, predicate = core[: verbs[-1] + 1], core[verbs[-1] + 1 :]
            copula.out = "is"
            return f"{self._anything(head)} is {self._phrase(predicate)}"
        if last is not None and last.kind == "verb" and last.form == "infinitive" and not copula:
            return self._verb_clause(core, last)
        if copula:
            return self._statement(core, copula)
        return self._phrase(units)

    def _alone(self, unit: _Unit) -> str:
        if unit.kind == "verb" and unit.form in ("habitual", "passive"):
            unit.out = participle(unit.english)
        else:
            unit.out = unit.english
        return unit.out

    def _prohibition(self, units: list[_Unit], word: _Unit) -> str:
        """X मना है -> No X; doing X मना है -> Doing X is prohibited."""
        strictly = ""
        units = list(units)
        if units[-1].lemma in ("सख्त", "सख्ती से", "पूर्णतः"):
            units.pop().out = strictly = "strictly"
        word.source = "pattern"
        if units and units[-1].lemma in _GENITIVE:  # करने की मनाही
            units.pop().source = "pattern"
        if not units:
            word.out = f"{strictly} prohibited".strip()
            return word.out
        if units[-1].kind == "verb" and units[-1].form in ("infinitive", "oblique"):
            word.out = " ".join(filter(None, ("is", strictly, "prohibited")))
            return f"{self._anything(units)} {word.out}"
        if strictly:
            word.out = f"{strictly} prohibited"
            return f"{self._phrase(units)} {word.out}"
        word.out = "no"
        if len(units) > 2 and units[-2].lemma in _GENITIVE:  # X का प्रवेश निषेध: No entry for X
            units[-2].source, units[-2].out = "pattern", "for"
            return f"no {self._noun_phrase(units[-1:])} for {self._phrase(units[:-2])}"
        return f"no {self._phrase(units)}"

    def _anything(self, units: list[_Unit]) -> str:
        """A clause that ends in an infinitive as a gerund phrase, or else a noun phrase."""
        if units and units[-1].kind == "verb":
            return self._verb_phrase(units[:-1], units[-1], gerund(units[-1].english))
        return self._phrase(units)

    def _verb_clause(self, units: list[_Unit], verb: _Unit) -> str:
        before = list(units[:-1])
        negative = None
        for i in range(len(before) - 1, max(-1, len(before) - 3), -1):
            if before[i].lemma in _NEGATION:
                negative = before.pop(i)
                break
        if verb.form in ("imperative", "infinitive"):
            if negative:
                negative.source, negative.out = "pattern", "do not"
                return "do not " + self._verb_phrase(before, verb, verb.english)
            if verb.lemma in _BEWARE and any(u.lemma == "से" for u in before):
                return self._beware(before, verb)
            return self._verb_phrase(before, verb, verb.english)
        subject, adjuncts = self._split_subject(before)
        many = bool(subject) and (subject[-1].form == "plural" or "े " in verb.text or verb.text.endswith("ते"))
        if subject and subject[-1].form == "oblique":
            many = True
        be = "are" if many else "is"
        if negative:
            negative.source, negative.out = "pattern", "not"
        no = " not" if negative else ""
        if verb.form == "passive":
            action = f"{be}{no} {participle(verb.english)}"
        elif verb.form == "future":
            action = f"will{no} be {participle(verb.english)}"
        elif verb.lemma == "मिलना":
            action = f"{'not ' if negative else ''}available"
        elif verb.lemma in ("बनना", "होना"):
            action = f"{be}{no} " + ("made" if verb.lemma == "बनना" else "held")
        else:
            action = ("do not " if many else "does not ") + verb.english if negative else (
                verb.english if many else third_person(verb.english)
            )
        verb.out, verb.source = action, "pattern"
        text = f"{self._noun_phrase(subject)} {action}" if subject else action
        return " ".join(filter(None, (text, *self._adjuncts(adjuncts))))

    def _split_subject(self, units: list[_Unit]) -> tuple[list[_Unit], list[_Unit]]:
        """The last run of units without a postposition after it, with its genitives, and all before."""
        i = len(units)
        while i > 0 and (units[i - 1].kind != "postposition" or units[i - 1].lemma in _GENITIVE):
            i -= 1
        subject = [u for u in units[i:] if u.kind != "adverb"]
        return subject, units[:i] + [u for u in units[i:] if u.kind == "adverb"]

    def _beware(self, before: list[_Unit], verb: _Unit) -> str:
        post = max(i for i, u in enumerate(before) if u.lemma == "से")
        before[post].source, before[post].out = "pattern", "of"
        verb.out = "beware"
        tail = self._phrase(before[post + 1 :]) if post + 1 < len(before) else ""
        return " ".join(filter(None, ("beware of", self._phrase(before[:post], True), tail)))

    def _verb_phrase(self, before: list[_Unit], verb: _Unit, english: str) -> str:
        """verb + object + adjuncts, from the Hindi order adjuncts + object + verb."""
        verb.out = english
        chosen = [u for u in before if u.kind == "preposition"]
        # Doing one thing after another: "after taking off shoes"
        after = ""
        for i in range(len(before) - 1, -1, -1):
            if before[i].kind == "verb" and before[i].form == "after":
                after = "after " + self._verb_phrase(before[:i], before[i], gerund(before[i].english))
                before = before[i + 1 :]
                break
        if chosen:
            return " ".join(filter(None, (english, self._phrase(before), after)))
        target, adjuncts = self._split_subject(before)
        return " ".join(filter(None, (english, self._noun_phrase(target), *self._adjuncts(adjuncts), after)))

    def _statement(self, units: list[_Unit], copula: _Unit) -> str:
        """... है: "you are ...", "this is ...", and "road closed ahead", where signs leave the verb out."""
        first = units[0]
        if first.kind == "pronoun" and len(units) > 1 and first.lemma in ("आप", "हम", "यह", "ये", "वह"):
            first.out = first.english
            copula.out = "is" if first.lemma in ("यह", "वह") else "are"
            rest = units[1:]
            negative = next((u for u in rest if u.lemma == "नहीं"), None)
            if negative:
                negative.source, negative.out = "pattern", "not"
                rest = [u for u in rest if u is not negative]
            return " ".join(filter(None, (first.out, copula.out, "not" if negative else "", self._phrase(rest))))
        copula.source = "pattern"
        return self._phrase(units)

    # Noun phrases -----------------------------------------------------------------------------------------------

    def _phrase(self, units: list[_Unit], bare: bool = False) -> str:
        """Chunks with postpositions turned to English order: Y of X, X shop, Y for X, from X to Y."""
        if not units:
            return ""
        if units[0].lemma in _REVERSED_HEADS and len(units) > 1 and units[1].kind in ("noun", "adjective", "title"):
            head = units[0]
            head.out = f"{head.english} of the"
            self._note(units[0], "pattern")
            return f"{head.english} of the {self._phrase(units[1:])}"
        beware = [i for i, u in enumerate(units) if u.lemma == "सावधान"]
        posts = [i for i, u in enumerate(units) if u.lemma == "से"]
        if beware and posts:
            units[posts[-1]].source, units[posts[-1]].out = "pattern", "of"
            units[beware[0]].out = "beware"
            skip = {beware[0], posts[-1]}
            return "beware of " + self._phrase([u for i, u in enumerate(units) if i not in skip], True)
        subject, adjuncts = self._split_tail(units)
        return " ".join(filter(None, (self._noun_phrase(subject, bare), *self._adjuncts(adjuncts))))

    def _split_tail(self, units: list[_Unit]) -> tuple[list[_Unit], list[_Unit]]:
        """Head noun phrase (with its genitives) and the postpositional phrases and adverbs, wherever they stand."""
        chunks: list[list[_Unit]] = [[]]
        for unit in units:
            chunks[-1].append(unit)
            if unit.kind == "postposition" and unit.lemma not in _GENITIVE:
                chunks.append([])
        head = [u for u in chunks[-1] if u.kind != "adverb"]
        adverbs = [u for u in chunks[-1] if u.kind == "adverb"]
        return head, [u for chunk in chunks[:-1] for u in chunk] + adverbs

    def _adjuncts(self, units: list[_Unit]) -> list[str]:
        """English for a run of [noun phrase + postposition] and adverbs, in their order."""
        out: list[str] = []
        chunk: list[_Unit] = []
        for i, unit in enumerate(units):
            if unit.kind == "adverb":
                if chunk:
                    out.append(self._noun_phrase(chunk))
                    chunk = []
                unit.out = unit.english
                out.append(unit.out)
            elif unit.kind == "postposition" and unit.lemma not in _GENITIVE:
                following = next((u.lemma for u in units[i + 1 :] if u.kind == "postposition"), "")
                out.append(self._postposition(chunk, unit, following))
                chunk = []
            else:
                chunk.append(unit)
        if chunk:
            out.append(self._noun_phrase(chunk))
        return out

    def _postposition(self, chunk: list[_Unit], post: _Unit, following: str) -> str:
        english = post.english
        post.source = "pattern"
        last = chunk[-1] if chunk else None
        only = [u for u in chunk if u.lemma in _ONLY]
        chunk = [u for u in chunk if u.lemma not in _ONLY]
        if post.lemma == "को":
            english = "on" if last is not None and last.domain == "day" else "to"
        elif post.lemma == "तक":
            english = "to"
        elif post.lemma == "पर" and last is not None and last.kind == "verb":
            english = "for"
        if last is not None and last.kind == "verb":
            noun = self._verb_phrase(chunk[:-1], last, gerund(last.english))
        else:
            noun = self._noun_phrase(chunk, True)
        if only:
            only[0].out = "only"
            noun += " only"
        post.out = english
        return f"{english} {noun}".strip()

    def _noun_phrase(self, units: list[_Unit], bare: bool = False) -> str:
        """One noun phrase with its genitives; `bare` where a postposition follows, so that -e is a singular."""
        if not units:
            return ""
        for i in range(len(units) - 1, -1, -1):
            if units[i].lemma in _GENITIVE and 0 < i < len(units) - 1:
                return self._genitive(units[:i], units[i], units[i + 1 :], bare)
        words: list[str] = []
        only = None
        named = [u.kind in ("unknown", "title") or (u.kind == "name" and u.domain != "day") for u in units]
        for i, unit in enumerate(units):
            if unit.lemma in _ONLY:
                only = unit
                continue
            word = self._word(unit, bare and i == len(units) - 1)
            if unit.lemma in _COPULA | {"भी", "ही", "तो"}:
                unit.out = ""
                continue
            words.append(word)
        text = " ".join(words)
        if any(named) and all(u.kind in _LISTS or u.kind == "conjunction" for u in units):
            cased = []
            for unit in units:
                if unit.kind not in ("unit", "number", "latin", "conjunction") and unit.out:
                    unit.out = " ".join(w if w in SMALL else upper_first(w) for w in unit.out.split(" "))
                if unit.out and unit.lemma not in _ONLY:
                    cased.append(unit.out)
            text = " ".join(cased)
        if only:
            only.out = "only"
            text += " only"
        return text

    def _genitive(self, owner: list[_Unit], post: _Unit, owned: list[_Unit], bare: bool) -> str:
        post.source = "pattern"
        last = owner[-1]
        head = owned[-1]
        if last.kind == "verb":
            text = self._verb_phrase(owner[:-1], last, gerund(last.english))
            post.out = "of"
            return f"{self._noun_phrase(owned, bare)} of {text}"
        person = last.domain in _PERSON_DOMAINS or last.kind == "unknown"
        if head.lemma in _SHOP_HEADS or head.lemma in ("रस", "जूस", "तेल"):
            text = self._noun_phrase(owner, True)
            if person:
                post.out = "'s"
                return f"{text}'s {self._noun_phrase(owned, bare)}"
            return f"{text} {self._noun_phrase(owned, bare)}"
        if person and last.kind != "unknown":
            post.out = "'s"
            return f"{self._noun_phrase(owner, True)}'s {self._noun_phrase(owned, bare)}"
        post.out = "of"
        return f"{self._noun_phrase(owned, bare)} of {self._noun_phrase(owner, True)}"

    @staticmethod
    def _note(unit: _Unit, source: str) -> None:
        unit.source = source


def _clauses(units: list[_Unit]) -> Iterable[list[_Unit]]:
    """Cuts after a command, after है, and around a complete phrase, so that each piece holds one statement."""
    clause: list[_Unit] = []
    for i, unit in enumerate(units):
        following = units[i + 1] if i + 1 < len(units) else None
        if unit.kind == "phrase" and unit.lemma != "सख्त मना है":
            # "please" belongs to the phrase it stands before.
            if any(u.lemma not in ("कृपया", "कृप्या") for u in clause):
                yield clause
                clause = []
            yield [*clause, unit]
            clause = []
            continue
        clause.append(unit)
        ends = unit.lemma in _COPULA or (unit.kind == "verb" and unit.form == "imperative")
        if ends and not (following is not None and following.lemma in _COPULA):
            yield clause
            clause = []
    if clause:
        yield clause


def _own_english(units: list[_Unit], spelled: dict[str, Spelling]) -> str | None:
    """The Latin half of a line that says the same thing in both scripts, राजीव चौक RAJIV CHOWK; else None."""
    from signboard.translation.bilingual import similarity

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
    """The text with its Devanagari words in Latin letters as people write them: शर्मा मिष्ठान भंडार -> sharma mishthan bhandar."""
    return default_translator().romanize(text)
