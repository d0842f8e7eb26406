"""Text of a sign into units: longest phrases of the glossary, unknown words, numbers, Latin words; marks between."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from signboard.translation.glossary import LONGEST, Glossary, Match, noun_forms
from signboard.translation.grammar import TABLES, plural, word_set
from signboard.translation.numerals import said_number
from signboard.translation.transliteration import DIGITS, LETTER_NAME, LETTER_NAMES, letters, tidy

#: A Devanagari letter or sign, as the inside of a character class.
LETTER = "ऀ-ॣॱ-ॿ"
DEVANAGARI = re.compile(f"[{LETTER}]")
NEGATION, MARATHI_NO, FORBIDDEN = word_set("negation"), word_set("marathi_negation"), word_set("forbidden")
POLITE, COPULA, GENITIVE = word_set("polite"), word_set("copula"), word_set("genitive")
#: Kinds of units that pass as they are.
KEPT = {"number", "latin", "letters"}
#: Forms of a verb that the network has not learned.
UNHEARD = {"past", "may", "may be"}
#: Forms of a verb that make a sentence.
FINITE = UNHEARD | {"imperative", "habitual", "progressive", "will", "passive", "future"}
_TOKEN = re.compile(
    rf"(?P<unknown>[{LETTER}]+(?:[.॰][{LETTER}]+)*[.॰]?)"
    r"|(?P<number>[+₹]?[0-9०-९]+(?:[.,:/-][0-9०-९]+)*%?)"
    r"|(?P<break>[।॥!?;:,|()\[\]{}\"“”\n\r\t]+(?:[-–—]+(?=\s|$))?|\s[-–—]+\s|\.(?=\s|$))"
    r"|(?P<space>\s+)"
    rf"|(?P<latin>[^\s{LETTER}।॥!?;:,|()\[\]{{}}\"“”]+)"
)
_LETTERS_ONLY = re.compile(rf"(?:(?:{LETTER_NAME.pattern})[.॰]?)+")
_DOT = re.compile("[.॰]")
#: Longer segments are no phrase of a sign; they are cut.
_LONGEST = 24
_HOUR = re.compile("(0?[1-9]|1[0-2])(?:[:.][0-5][0-9])?")
_AGE = re.compile(
    "(?:वर्ष|साल) से (कम|अधिक|ज्यादा|ऊपर) "
    "(?:(?:आयु|उम्र) (?:वालों |((?:के|की|वाले|वाली) (?!लिए|$)))?"
    "|(के (?=बच्च|व्यक्ति|लोग|युवा|युवक|नागरिक|महिला|पुरुष|छात्र)))"
)
_CLOCK = re.compile(r"[apr]?nb?(?:s[apr]?nb?t?)?(?:\+[apr]?nb?(?:s[apr]?nb?t?)?)*")  # a letter a token, n: a number
_CASES, _OBLIQUES = TABLES["marathi_cases"], TABLES["marathi_obliques"]
_CASE = re.compile(f"(.+?)({'|'.join(_OBLIQUES)})(ं?)({'|'.join(_CASES)})")
#: Behind है these begin a new statement.
_BEGINS = {"noun", "either", "adjective", "adverb", "verb", "phrase", "name", "unknown", "number"}
#: Before a noun of these kinds a word that may be a name is one: प्रकाश स्टोर, चंदन नगर.
_NAMED = {"shop", "trade", "food", "school", "hospital", "bank", "road", "facility", "railway", "religion", "place"}


@dataclass(slots=True)
class Unit:
    """One glossary phrase, unknown word, number or foreign piece.

    Attributes:
        text: as it stands in the text, spaces made single; Hindi for Marathi words with a case.
        kind: the entry's part of speech; "unknown", "number", "latin" or "letters" for what is no entry.
        match: the glossary's entry, if there is one.
        english: the glossary's English, or what is kept; "" for unknown words.
        negative: a verb with a negation inside it, प्रयोग न करें.
        named: a word with a meaning that is a name here, so that it is spelled.
    """

    text: str
    kind: str
    match: Match | None = None
    english: str = ""
    negative: bool = False
    named: bool = False

    @property
    def domain(self) -> str:
        return self.match.entry.domain if self.match else ""

    @property
    def form(self) -> str:
        return self.match.form if self.match else ""

    @property
    def lemma(self) -> str:
        return self.match.entry.hindi if self.match else ""


def split(text: str, glossary: Glossary) -> list[list[Unit] | str]:
    """Segments of units and the punctuation between them, in order; nothing for a text without Devanagari."""
    pieces: list[list[Unit] | str] = []
    tokens: list[Unit] = []  # of the open segment

    def close() -> None:
        rest = _units(tokens, glossary)
        strange = {unit.text: _in_hindi(unit.text, tokens, glossary) for unit in rest if unit.kind == "unknown"}
        if any(strange.values()):
            words = ((unit, word) for unit in tokens for word in (strange.get(unit.text) or "-").split())
            hindi = (unit if word == "-" else Unit(word, "unknown") for unit, word in words)
            rest = _units(hindi, glossary)
        while rest:  # a statement ends with है: आगे स्कूल है हॉर्न न बजायें
            pairs = enumerate(itertools.pairwise(rest), 1)
            ends = (
                i
                for i, (unit, after) in pairs
                if (after.kind in _BEGINS or after.lemma in POLITE) and _ends(unit, rest[i:])
            )
            end = next(ends, len(rest))
            cut = min(end, _LONGEST)
            pieces.extend([rest[:cut], *[", " if cut == end else " "] * (cut < len(rest))])
            rest = rest[cut:]
        tokens.clear()

    # A hyphen between two words is a space: जूते-चप्पल.
    text = re.sub(rf"(?<=[{LETTER}])[-–](?=[{LETTER}])", " ", tidy(text)) if DEVANAGARI.search(text) else ""
    for found in _TOKEN.finditer(text):
        kind, token = str(found.lastgroup), found.group()
        if kind == "unknown" and token[-1] in ".॰" and not _abbreviation(token, glossary):
            tokens.append(Unit(token[:-1], kind))
            kind, token = "break", "."
        if kind == "break":
            close()
            pieces.append(token)
        elif kind != "space":
            tokens.append(Unit(token, kind, None, "" if kind == "unknown" else token.translate(DIGITS)))
    close()
    return pieces


def _ends(unit: Unit, behind: Sequence[Unit]) -> bool:
    """Whether a statement ends with the unit: with है, or with a command where another verb stands behind it."""
    command = unit.form == "imperative" and unit.text[-1] in "ंँोए"
    verbs = (u.form in FINITE or u.kind == "phrase" or u.lemma in COPULA | FORBIDDEN | NEGATION for u in behind)
    return unit.text.split()[-1] in COPULA or (command and any(verbs))


def _abbreviation(token: str, glossary: Glossary) -> bool:
    """Whether the last dot belongs to the word (डॉ., कि.मी., आर.) and does not end a sentence."""
    match = glossary.lookup(token)
    short = match and match.entry.part_of_speech in ("abbreviation", "title", "unit") and "." in match.entry.hindi
    return bool(short) or "." in token[:-1] or token[:-1] in LETTER_NAMES


def _units(tokens: Iterable[Unit], glossary: Glossary) -> list[Unit]:
    """Tokens as units: letters, numbers, ages and hours put together, the rest covered by the glossary."""
    return _covered(_hours(_ages(_numerals(_letters(tokens, glossary), glossary))), glossary)


def _letters(tokens: Iterable[Unit], glossary: Glossary) -> Iterator[Unit]:
    """English letters that are spelled out, with dots or without, as one unit: एच डी एफ सी and एचडीएफसी are HDFC."""

    def spelled(unit: Unit) -> bool:
        if not _LETTERS_ONLY.fullmatch(unit.text):
            return False
        one = len(LETTER_NAME.findall(unit.text)) == 1
        return one or _DOT.search(unit.text) is not None or glossary.lookup(unit.text) is None

    for are_letters, run in itertools.groupby(tokens, spelled):
        together = list(run)
        text = " ".join(unit.text for unit in together)
        found = LETTER_NAME.findall(text)
        # ए, के and the like are also words: without dots, two letters of which one is such a word are none.
        several = len(found) > 2 or (len(found) == 2 and word_set("also_words").isdisjoint(found))
        is_one = are_letters and (several or _DOT.search(text))
        yield from [Unit(text, "letters", None, letters(text))] if is_one else together


def _numerals(given: Iterator[Unit], glossary: Glossary) -> Iterator[Unit]:
    """A number in words, with what it counts, as one unit in digits: पाँच सौ, चालीस रुपये, साढ़े नौ बजे."""
    tokens = list(given)
    words = [unit.text if unit.kind == "unknown" else "" for unit in tokens]
    i = 0
    while i < len(tokens):
        count, said = said_number(words[i:], glossary) or (1, "")
        yield Unit(" ".join(words[i : i + count]), "number", None, said) if said else tokens[i]
        i += count


def _ages(given: Iterator[Unit]) -> Iterator[Unit]:
    """Whom an age allows or not, as one number: 18 वर्ष से कम आयु के बच्चों are under-18 children."""
    tokens = list(given)
    i = 0
    while i < len(tokens):
        behind = " ".join(unit.text for unit in tokens[i + 1 : i + 7]) + " "
        span = i > 0 and tokens[i - 1].text == "से"  # 6 माह से 5 वर्ष
        age = _AGE.match(behind) if tokens[i].kind == "number" and not span else None
        if age is None:
            yield tokens[i]
        else:
            said = f"{'under' if age[1] == 'कम' else 'over'}-{tokens[i].english}{'' if age[2] or age[3] else 's'}"
            yield Unit(f"{tokens[i].text} {age[0].strip()}", "number", None, said)
        i += 1 + (len(age[0].split()) if age else 0)


def _hours(given: Iterable[Unit]) -> list[Unit]:
    """Hours and spans of hours as one number each: सुबह 9 से 1 बजे तक is 9 am to 1 pm, रात 2 बजे 2 am."""
    tokens, done = list(given), 0
    out: list[Unit] = []
    hours = [_HOUR.fullmatch(unit.english) if unit.kind == "number" else None for unit in tokens]
    letters = (TABLES["clock"].get(unit.text, "n" if hour else " ") for unit, hour in zip(tokens, hours, strict=True))
    for found in _CLOCK.finditer("".join(letters)):
        said, half, since = "", "", -1
        for i, letter in enumerate(found[0], found.start()):
            said += {"s": " to ", "+": " and "}.get(letter, "")
            if letter in "apr":
                half, since = letter, -1
            elif hour := hours[i]:
                value = int(hour[1]) % 12
                half = "ap"[value > 4] if half == "r" else half
                half = "ap"[half == "a"] if half and value <= since else half
                since, said = value, f"{said}{hour[0]} {half}m" if half else said + hour[0]
            elif letter == "b" and not half and ":" not in said:
                said += " o'clock"
        if re.search("[aprb]", found[0]):
            said = re.sub(r" ([ap]m)(?= to \S+ \1)", "", said)  # 4 to 6 pm
            text = " ".join(unit.text for unit in tokens[found.start() : found.end()])
            out += [*tokens[done : found.start()], Unit(text, "number", None, said)]
            done = found.end()
    return out + tokens[done:]


def _in_hindi(word: str, tokens: Sequence[Unit], glossary: Glossary) -> str:
    """A word with a Marathi case as Hindi says it, महिलांसाठी as महिलाओं के लिए; "" for others."""
    marathi = any(unit.text in word_set("marathi_only") or "ळ" in unit.text for unit in tokens)
    stem, oblique, several, case = found.groups() if (found := _CASE.fullmatch(word)) else ("", "ा", "", "त")
    kinds = ("verb",) if oblique == "ण्या" else ("noun", "either")
    ends = _OBLIQUES[oblique].split("|") if marathi or case not in word_set("marathi_unsure") else []
    for base in (stem + end for end in ends):
        match = glossary.lookup(base)
        if match and match.confidence >= 0.85 and match.entry.part_of_speech in kinds:
            many = (form for form, _ in noun_forms(match.entry.hindi) if several and form.endswith("ों"))
            return f"{next(many, base)} {_CASES[case]}"
    return str(TABLES["marathi_words"].get(word, ""))


def _covered(tokens: Sequence[Unit], glossary: Glossary) -> list[Unit]:
    """The cheapest cover of the tokens by glossary phrases: few pieces, so long phrases win; unknown words last."""
    n = len(tokens)
    best: list[tuple[float, int, Match | None]] = [(0.0, 0, None)] * (n + 1)  # cost from here on, next, match
    for i in range(n - 1, -1, -1):
        options: list[tuple[float, int, Match | None]] = [(best[i + 1][0] + 2.6, i + 1, None)]
        for j in range(i + 1, min(n, i + LONGEST) + 1):
            if tokens[j - 1].kind not in ("unknown", "letters"):
                break
            match = _find([unit.text for unit in tokens[i:j]], j - i == n, glossary)
            if match:  # one for each piece, less the better it fits
                kind, cost = match.entry.part_of_speech, best[j][0] + 2.0 - match.confidence
                cost += 1.2 * (kind == "phrase" and j - i < n)  # a sentence inside a longer text is rather part of one
                cost += 3.0 * (kind == "phrase" and i > 0 and tokens[i - 1].text == "को")  # a sentence has its objects
                cost -= 0.1 * (j - i - 1) * (kind == "verb")  # मोबाइल | रिपेयर किए जाते, not मोबाइल रिपेयर | किए जाते
                options.append((cost, j, match))
        # Among equals the longer phrase wins.
        best[i] = min(options, key=lambda option: (round(option[0], 6), -option[1]))
    units: list[Unit] = []
    i = 0
    while i < n:
        _, j, match = best[i]
        unit = tokens[i]
        if match is not None:
            words, entry = [unit.text for unit in tokens[i:j]], match.entry
            inside = {*words[-2:-1], words[-1]} & (NEGATION | MARATHI_NO) if entry.part_of_speech == "verb" else set()
            negative = not inside.issubset(entry.hindi.split())  # मत देना is to vote
            unit = Unit(" ".join(words), entry.part_of_speech, match, match.english, negative)
            kinds_of = units[-1:] and units[-1].kind == "adjective" and units[-1].english.endswith(" of")
            noun = glossary.lookup(words[0]) if len(words) > 1 and kinds_of else None
            verb = glossary.verb(" ".join(words[1:])) if noun and unit.kind == "verb" else None
            if noun and verb:  # सभी प्रकार की जांच की जाती है: all kinds of tests are done
                doing = noun.english.endswith("ing")
                units.append(Unit(words[0], "noun", noun, noun.english if doing else plural(noun.english)))
                unit = Unit(" ".join(words[1:]), "verb", verb, verb.english, negative)
        units.append(unit)
        i = j
    return units


def _find(words: list[str], whole: bool, glossary: Glossary) -> Match | None:
    """The glossary's match for the words; a negation may stand inside a verb: प्रयोग न करें is प्रयोग करें negated.

    A complete sentence of the glossary that is but part of the text is the verb that it consists of, if it is one.
    """
    negated = len(words) > 1 and (words[-2] in NEGATION or words[-1] in MARATHI_NO)
    bare = " ".join(word for word in words if word not in NEGATION | MARATHI_NO) if negated else " ".join(words)
    match = glossary.lookup(" ".join(words))
    if match is None and len(words) == 2 and len(words[1]) > 2:
        joined = glossary.lookup("".join(words))  # one word that the sign writes as two: पास पोर्ट
        match = joined if joined and joined.confidence >= 0.9 and joined.entry.part_of_speech == "noun" else None
    if (match is None and negated) or (match is not None and match.entry.part_of_speech == "phrase" and not whole):
        match = glossary.verb(bare) or match
    # Dots are left out of the key, but के. is an initial and not "of".
    initial = match is not None and match.entry.part_of_speech == "postposition" and "." in words[-1]
    return None if initial else match


def mark_names(units: Sequence[Unit]) -> None:
    """Turns units that are names in their phrase into units without a meaning, which are spelled.

    विकास शर्मा and प्रकाश स्टोर have words that may be names, गाय घाट and माँ काली words that are names only here.
    """
    for i, (before, unit, after) in enumerate(zip((None, *units), units, (*units[1:], None), strict=False)):
        thing = unit.kind in ("noun", "adjective", "either")
        quarter = i == 0 and thing and after is not None and after.lemma in word_set("quarters")
        named = quarter or (thing and before is not None and before.lemma == "मां")
        if unit.kind == "either":
            beside = [u for u in (before, after) if u is not None]
            person = any(u.kind in ("unknown", "title") or u.domain == "name" for u in beside)
            place = after is not None and after.kind == "noun" and after.domain in _NAMED
            # An adjective is a name only at the beginning, लाल not even there.
            describes = unit.lemma in word_set("describing") and (i > 0 or unit.lemma == "लाल")
            named = named or person or (place and not describes)
        for name in (unit, units[1]) if quarter else (unit,) if named else ():
            name.kind, name.match, name.english, name.named = "unknown", None, "", True
