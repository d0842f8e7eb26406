"""Pairs of Hindi and English for the translator: phrases composed by the sign grammar, and pairs read from files."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from signboard.errors import DataError
from signboard.translation.glossary import Entry, Glossary, adjective_forms, noun_forms, verb_forms
from signboard.translation.grammar import gerund, inflect, participle, plural
from signboard.translation.spelling import alike
from signboard.translation.transliteration import LETTER_NAMES
from signboard.translation.units import Unit

Pair = tuple[str, str]
_SLOT = re.compile(r"\{(\w+):([^}]+)\}")
_USE = re.compile(r"\{(\w+)(\+\w+)?(?:~(\w+))?\}")
_LETTER = re.compile("[ऀ-ॣ]")
_WORD = re.compile(r"'s\b|[^\W_]+(?:[.'’/:,-][^\W_]+)*[%.]?|,", re.UNICODE)

_SURNAMES = """शर्मा=Sharma गुप्ता=Gupta वर्मा=Verma सिंह=Singh यादव=Yadav अग्रवाल=Agrawal जैन=Jain मिश्रा=Mishra पांडे=Pandey
तिवारी=Tiwari चौहान=Chauhan कुमार=Kumar पटेल=Patel शाह=Shah खान=Khan अंसारी=Ansari सिद्दीकी=Siddiqui राठौर=Rathore
कुशवाहा=Kushwaha मौर्य=Maurya श्रीवास्तव=Srivastava सक्सेना=Saxena दुबे=Dubey त्रिपाठी=Tripathi शुक्ला=Shukla चौरसिया=Chaurasia
साहू=Sahu प्रजापति=Prajapati विश्वकर्मा=Vishwakarma केसरवानी=Kesarwani मेहता=Mehta अरोड़ा=Arora कपूर=Kapoor खन्ना=Khanna
मल्होत्रा=Malhotra भाटिया=Bhatia चोपड़ा=Chopra बत्रा=Batra सेठी=Sethi बंसल=Bansal गोयल=Goyal मित्तल=Mittal सिंघल=Singhal
माहेश्वरी=Maheshwari जोशी=Joshi पाठक=Pathak द्विवेदी=Dwivedi चतुर्वेदी=Chaturvedi ठाकुर=Thakur राय=Rai सोनी=Soni
पाटील=Patil देशमुख=Deshmukh कुलकर्णी=Kulkarni शिंदे=Shinde पवार=Pawar जाधव=Jadhav गायकवाड=Gaikwad मोरे=More काळे=Kale"""
_DEITIES = """राम=Ram कृष्ण=Krishna शिव=Shiv हनुमान=Hanuman गणेश=Ganesh दुर्गा=Durga काली=Kali लक्ष्मी=Lakshmi सरस्वती=Saraswati
बालाजी=Balaji साईं=Sai शंकर=Shankar भैरव=Bhairav पार्वती=Parvati सीता=Sita राधा=Radha विष्णु=Vishnu महादेव=Mahadev
वैष्णो=Vaishno चामुंडा=Chamunda विंध्यवासिनी=Vindhyavasini गायत्री=Gayatri संतोषी=Santoshi बजरंग=Bajrang भोले=Bhole
खाटू=Khatu श्याम=Shyam जगन्नाथ=Jagannath नारायण=Narayan अन्नपूर्णा=Annapurna शनि=Shani सूर्य=Surya अंबे=Ambe गौरी=Gauri"""
_DAYS = "सोमवार=Monday मंगलवार=Tuesday बुधवार=Wednesday गुरुवार=Thursday शुक्रवार=Friday शनिवार=Saturday रविवार=Sunday"
_MONTHS = """जनवरी=January फरवरी=February मार्च=March अप्रैल=April मई=May जून=June जुलाई=July अगस्त=August सितंबर=September
अक्टूबर=October नवंबर=November दिसंबर=December"""
_ORDINALS = "प्रथम=first पहली=first द्वितीय=second दूसरी=second तृतीय=third तीसरी=third चौथी=fourth पांचवीं=fifth भूतल=ground"
_CARDINALS = """एक=one दो=two तीन=three चार=four पांच=five पाँच=five छह=six सात=seven आठ=eight नौ=nine दस=ten बीस=twenty
तीस=thirty पचास=fifty सौ=hundred"""
_LATIN = """STD PCO ISO A.C. CCTV LED TV CNG ATM Wi-Fi Vivo Oppo JIO LIC SBI OM AXIS HP Max Star R.K. New Royal City"""


def _list(text: str) -> list[Pair]:
    return [(hindi, english) for hindi, _, english in (item.partition("=") for item in text.split())]


class SignGrammar:
    """The rules of a grammar file, filled from the glossary and lists of names: pairs without end.

    Args:
        path: the file, whose head says how rules are written.
        glossary: the nouns, verbs and adjectives.
        names: pairs of person names; places: of places; loanwords: of words that no list knows.

    Raises:
        DataError: the file cannot be read, or a rule (named by its line) uses an unknown symbol.
    """

    def __init__(
        self, path: Path, glossary: Glossary, names: Sequence[Pair], places: Sequence[Pair], loanwords: Sequence[Pair]
    ) -> None:
        self.rules: dict[str, list[Pair]] = {}
        self.weights: dict[str, list[float]] = {}
        self._lists: dict[str, Sequence[Pair]] = {
            "fn": names, "sn": _list(_SURNAMES), "pl": places, "unk": loanwords, "brand": loanwords,
            "deity": _list(_DEITIES), "day": _list(_DAYS), "month": _list(_MONTHS), "ord": _list(_ORDINALS),
            "cardinal": _list(_CARDINALS), "lat": [(word, word) for word in _LATIN.split()],
        }  # fmt: skip
        self._marathi: list[list[str]] = []
        self._nouns = [e for e in glossary.entries if e.part_of_speech in ("noun", "either")]
        self._adjectives = [e for e in glossary.entries if e.part_of_speech == "adjective"]
        verbs = [e for e in glossary.entries if e.part_of_speech == "verb" and e.hindi.endswith("ना")]
        self._transitive = [e for e in verbs if "~" in e.english or " " not in e.english]
        self._complete = [e for e in verbs if "~" not in e.english]
        self._by_domain: dict[str, list[Entry]] = {}
        self._read(path)

    def _read(self, path: Path) -> None:
        symbol = ""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise DataError(f"{path}: cannot read the grammar: {error.strerror}") from error
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            if line.startswith("["):
                symbol = line.strip("[]")
                continue
            if symbol == "MVERB":
                self._marathi.append([part.strip() for part in line.split("=")])
                continue
            weight = 1.0
            if found := re.match(r"(\d+)\* ", line):
                weight, line = float(found[1]), line[found.end() :]
            hindi, mark, english = line.partition(" = ")
            slots = dict(_SLOT.findall(hindi))
            if not symbol or not mark or any(name not in slots for name, _, _ in _USE.findall(english)):
                raise DataError(
                    f"{path}:{number}: a rule is Hindi = English, with every slot of the English on the left"
                )
            self.rules.setdefault(symbol, []).append((hindi, english))
            self.weights.setdefault(symbol, []).append(weight)
        used = {what for rules in self.rules.values() for hindi, _ in rules for _, what in _SLOT.findall(hindi)}
        unknown = {what for what in used if what.isupper()} - self.rules.keys()
        if unknown:
            raise DataError(f"{path}: no rules for {', '.join(sorted(unknown))}")

    def compose(self, rng: random.Random, symbol: str = "SIGN") -> Pair:
        """One pair, drawn from the rules of a symbol by their weights."""
        hindi, english = rng.choices(self.rules[symbol], self.weights[symbol])[0]
        filled: dict[str, str] = {}

        def fill(match: re.Match[str]) -> str:
            said, filled[match[1]] = self._slot(match[2], rng)
            return said

        def use(match: re.Match[str]) -> str:
            text, change, object_ = filled[match[1]], match[2], match[3]
            first, _, rest = text.partition("~")
            first, rest = first.strip(), rest.strip()
            if change == "+s":
                first = plural(first)
            elif change == "+ing":
                first = gerund(first) if "+" not in first else first.split("+")[1]
            elif change == "+ed":
                first = participle(first)
            first = first.split("+")[0]
            return " ".join(filter(None, (first, filled[object_] if object_ else "", rest)))

        said = _SLOT.sub(fill, hindi)
        return said, _USE.sub(use, english)

    def _slot(self, what: str, rng: random.Random) -> Pair:
        if what in self.rules:
            return self.compose(rng, what)
        if what in self._lists:
            return rng.choice(self._lists[what])
        symbol, _, rest = what.partition("/")
        makers: dict[str, Callable[[str, random.Random], Pair]] = {
            "n": self._noun, "vt": self._verb_with, "vi": self._verb_alone, "adj": self._adjective, "num": _number,
            "phone": _phone, "hour": _hour, "letters": _letters, "mverb": self._marathi_verb,
        }  # fmt: skip
        if symbol not in makers:
            raise DataError(f"the grammar uses an unknown symbol {what!r}")
        return makers[symbol](rest, rng)

    def _noun(self, rest: str, rng: random.Random) -> Pair:
        domains, _, form = rest.partition("/")
        if domains not in self._by_domain:
            wanted = set(domains.split(","))
            self._by_domain[domains] = [e for e in self._nouns if domains == "*" or e.domain in wanted]
        entry = rng.choice(self._by_domain[domains])
        forms = list(noun_forms(entry.hindi))
        if form == "op":
            spellings = [s for s, _ in forms if s.endswith("ों")]
        elif form == "p":
            spellings = [s for s, _ in forms if not s.endswith("ों")] + [entry.hindi]
        elif form == "o":
            spellings = [s for s, f in forms if f == "oblique"]
        else:
            spellings = []
        return (rng.choice(spellings) if spellings else entry.hindi), entry.english

    def _adjective(self, rest: str, rng: random.Random) -> Pair:
        entry = rng.choice(self._adjectives)
        return rng.choice([entry.hindi, *adjective_forms(entry.hindi)]), entry.english

    def _verb_with(self, form: str, rng: random.Random) -> Pair:
        return _conjugate(rng.choice(self._transitive), form, rng)

    def _verb_alone(self, form: str, rng: random.Random) -> Pair:
        return _conjugate(rng.choice(self._complete), form, rng)

    def _marathi_verb(self, form: str, rng: random.Random) -> Pair:
        infinitive, stem, english, doing = rng.choice(self._marathi)
        said = stem
        if form == "inf":
            said = infinitive if rng.random() < 0.4 else infinitive.removesuffix("े") + "्यास"
        return said, f"{english}+{doing}"


def _conjugate(entry: Entry, form: str, rng: random.Random) -> Pair:
    forms: dict[str, list[str]] = {}
    for spelling, name in verb_forms(entry.hindi):
        forms.setdefault(name, []).append(spelling)
    infinitives = [s for s in forms["infinitive"] if s.endswith("ने")]
    no = rng.choice(["न", "न", "न", "ना", "मत", "नहीं"])

    def negated(spelling: str, words: int = 1) -> str:
        parts = spelling.split(" ")
        return " ".join([*parts[:-words], no, *parts[-words:]])

    def passive(plural_: bool | None = None) -> str:
        ends = ("े", "ी") if plural_ else ("ा", "ी") if plural_ is not None else ("ा", "े", "ी")
        return rng.choice([s for s in forms["passive"] if s.endswith(ends)] or forms["passive"])

    if form == "inf":
        said = entry.hindi
    elif form == "ne":
        said = infinitives[0]
    elif form == "imp":
        said = rng.choice([*forms["imperative"][:3], *forms["imperative"][:1] * 3, entry.hindi])
    elif form == "hort":
        said = forms["imperative"][0]
    elif form == "neg":
        said = negated(rng.choice([*forms["imperative"][:3], *forms["imperative"][:1] * 3, entry.hindi]))
    elif form == "kar":
        said = rng.choice(forms["after"][:1] * 2 + forms["after"])
    elif form == "te":
        said = next(s for s in forms["habitual"] if s.endswith("ते"))
    elif form in ("passsg", "pass"):
        said = f"{passive(False)} {rng.choice(['है', 'है', 'हैं'])}"
    elif form == "passpl":
        said = f"{passive(True)} {rng.choice(['हैं', 'हैं', 'है'])}"
    elif form == "passneg":
        said = f"{negated(passive(), 2)} है"
    elif form == "fut":
        said = rng.choice(forms["future"])
    elif form == "ppl":
        said = rng.choice(forms["passive"]).rsplit(" ", 1)[0]
    else:
        raise DataError(f"the grammar uses an unknown form of a verb: {form!r}")
    return said, entry.english


_TO_DEVANAGARI = str.maketrans("0123456789", "०१२३४५६७८९")


def _digits(text: str, rng: random.Random) -> Pair:
    return (text.translate(_TO_DEVANAGARI) if rng.random() < 0.2 else text), text


def _number(_: str, rng: random.Random) -> Pair:
    return _digits(str(rng.choice([rng.randint(1, 20), rng.randint(1, 200), rng.randint(1, 9999)])), rng)


def _hour(_: str, rng: random.Random) -> Pair:
    return _digits(rng.choice([str(rng.randint(1, 12)), f"{rng.randint(1, 12)}:{rng.choice(('00', '30', '15'))}"]), rng)


def _phone(_: str, rng: random.Random) -> Pair:
    number = "".join(str(rng.randint(0, 9)) for _ in range(9))
    return _digits(rng.choice(["9", "7", "8", "0"]) + number, rng)


def _letters(_: str, rng: random.Random) -> Pair:
    names = rng.choices(list(LETTER_NAMES.items()), k=rng.randint(2, 4))
    mark = rng.choice([" ", ".", ". "])
    hindi = mark.join(name for name, _ in names) + mark.strip()
    return hindi, mark.strip().join(letter for _, letter in names)


# Spellings ----------------------------------------------------------------------------------------------------------

_SWAPS = [
    ("ँ", "ं"), ("\u093c", ""), ("ि", "ी"), ("ी", "ि"), ("ु", "ू"), ("ू", "ु"), ("्", ""), ("े", "ै"), ("ै", "े"), ("ो", "ौ"),
    ("ए", "ये"), ("ये", "ए"), ("ॉ", "ा"), ("ब", "व"), ("व", "ब"), ("श", "स"), ("ं", ""), ("ें", "े"), ("ण", "न"), ("ई", "यी"),
    ("न्", "ं"), ("म्", "ं"), ("ा", ""), ("ऑ", "आ"), ("इ", "ई"), ("ख", "ख"), ("ड़", "ड"), ("ढ़", "ढ"),
]  # fmt: skip


def misspell(hindi: str, rng: random.Random) -> str:
    """The text with one or two of the changes that sign writers make: nasals, nukta, short and long vowels, virama."""
    for _ in range(rng.choice((1, 1, 2))):
        old, new = rng.choice(_SWAPS)
        places = [m.start() for m in re.finditer(re.escape(old), hindi) if m.start()]
        if places:
            at = rng.choice(places)
            hindi = hindi[:at] + new + hindi[at + len(old) :]
    return hindi


# Files --------------------------------------------------------------------------------------------------------------


def in_dev(hindi: str) -> bool:
    """Whether a text belongs to the dev split: one in forty, by its letters alone: no text is in both."""
    return zlib.crc32("".join(_LETTER.findall(hindi)).encode()) % 40 == 0


def read_pairs(folder: Path, name: str, most_words: int = 99) -> Iterator[Pair]:
    """Hindi and English of a tab-separated file, Hindi of at most `most_words` words.

    Raises:
        DataError: the file cannot be read.
    """
    path = folder / f"{name}.tsv"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot read the pairs: {error.strerror}") from error
    for line in lines:
        fields = line.split("\t")
        if name == "railway_stations" and not ("uts" in fields[5:6] or "1" in fields[6:7]):
            continue
        if len(fields) > 1 and len(fields[0].split()) <= most_words:
            yield fields[0].strip(), fields[1].strip()


# Copies --------------------------------------------------------------------------------------------------------------


def words_of(english: str) -> list[str]:
    """Lower-case words, commas and 's of an English phrase, in order; other marks are left out."""
    text = re.sub(r"(?<=\w)['’]s\b", " 's", english.lower())
    found = (word if word in ("'s", ",") else word.rstrip("." if len(word) > 3 else "") for word in _WORD.findall(text))
    return [word for word in found if word]


# Units of these kinds are grammar: the network says them itself.
_GRAMMAR = {"postposition", "preposition", "conjunction", "pronoun", "particle", "verb form"}


def _sayings(unit: Unit) -> Iterator[tuple[list[str], str, list[str]]]:
    """(words, form that follows the copy, words behind ~) for each way to say the unit's own English."""
    first, _, rest = unit.english.partition("~")
    first, behind = first.strip(), words_of(rest)
    if not first:
        return
    yield words_of(first), "", behind
    if unit.kind == "verb":
        for form in ("+ing", "+ed", "+3"):
            yield words_of(inflect(first, form)), form, behind
    elif unit.kind in ("noun", "either"):
        yield words_of(inflect(first, "+s")), "+s", behind


def align(units: Sequence[Unit], english: str, spelled: Mapping[str, str]) -> list[str]:
    """The words of an English phrase, with what the units say themselves replaced by copies of the units.

    Args:
        units: of the Hindi; "<3>" is where the fourth is said.
        english: its translation.
        spelled: a Latin spelling of each unknown unit, by its text.
    """
    words = words_of(english)
    out: list[str | None] = list(words)
    taken = [False] * len(words)
    order = sorted(range(len(units)), key=lambda i: -len(units[i].english.split()))
    for i in order:
        unit = units[i]
        if unit.kind in _GRAMMAR or unit.domain == "grammar":
            continue
        best: tuple[float, int, int, str, list[str]] | None = None
        for saying, form, behind in _sayings(unit):
            for at in range(len(words) - len(saying) + 1):
                end = at + len(saying)
                if words[at:end] == saying and not any(taken[at:end]):
                    far = abs((at + 0.5) / len(words) - (i + 0.5) / len(units))
                    if best is None or far < best[0] - 1e-6:
                        best = (far, at, end, form, behind)
        if unit.kind == "unknown" and spelled.get(unit.text):
            for at, word in enumerate(words):
                if not taken[at] and len(word) > 1 and alike(spelled[unit.text], word):
                    far = abs((at + 0.5) / len(words) - (i + 0.5) / len(units))
                    if best is None or far < best[0] - 1e-6:
                        best = (far, at, at + 1, "", [])
        if best is None:
            continue
        _, at, end, form, behind = best
        tail = next((k for k in range(end, len(words) - len(behind) + 1) if words[k : k + len(behind)] == behind), None)
        if behind and tail is not None and not any(taken[tail : tail + len(behind)]):
            taken[tail : tail + len(behind)] = [True] * len(behind)
            out[tail : tail + len(behind)] = ["~", *[None] * (len(behind) - 1)]
        taken[at:end] = [True] * (end - at)
        out[at:end] = [f"<{i}> {form}".strip(), *[None] * (end - at - 1)]
    return [word for item in out if item is not None for word in item.split()]
