"""Whether English says what the units of a phrase say: no negation lost or made up, nothing left out, no hour moved,
no measure changed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from signboard.translation.grammar import FUNCTION, TABLES, word_set
from signboard.translation.numerals import RUPEES
from signboard.translation.speaker import Speech
from signboard.translation.units import COPULA, FORBIDDEN, GENITIVE, MARATHI_NO, NEGATION, Unit

#: A lost "not" turns a warning round: these words say one, in English and in Hindi.
_PLAIN_NO = re.compile(r"\b(no|not|never|prohibited|forbidden|cannot|without)\b|n['’]t\b")
_ENGLISH_NO = re.compile(
    _PLAIN_NO.pattern + r"|\b(non|nor|none|nobody|nothing|banned|ban|avoid|prohibition|restricted|free|\w+less)\b"
)
_HINDI_NO = (NEGATION | MARATHI_NO | FORBIDDEN | word_set("spoken_negation")) - {"मत"}
#: Units that name things and doings: each is said somehow.
_NAMING = {"noun", "either", "adjective", "name", "unknown", "title", "verb", "phrase", "adverb"}
#: What English leaves out, or says in another way.
_LIGHT = FORBIDDEN | RUPEES | TABLES["clock"].keys() | word_set("light")
#: What "up to" and "and" may be in English.
_OTHERWISE = {english: others.split() for english, others in TABLES["otherwise"].items()}
#: Marathi says with several words that nobody knows what is one unit of Hindi.
_MARATHI = MARATHI_NO | word_set("marathi")
#: Below this log-probability the network guesses.
_LEAST = -1.0


def keeps_negation(units: Sequence[Unit], english: str) -> bool:
    """Whether English says "no" where the units do, and nowhere else; मत before a verb is "not", else "vote"."""
    verbs = [*(unit.kind in ("verb", "verb form", "unknown") for unit in units[1:]), False]
    denied = any(
        (unit.negative or unit.text in _HINDI_NO or _PLAIN_NO.search(unit.english.lower()))
        and (unit.text != "मत" or before_verb)
        for unit, before_verb in zip(units, verbs, strict=True)
    )
    return denied == bool((_ENGLISH_NO if denied else _PLAIN_NO).search(english.lower()))


def _moved(units: Sequence[Unit], said: Speech) -> bool:
    """Whether a negated verb, न पहनने पर, is said without a "not" right before it."""
    words = [word for word, _, _ in said.tokens]
    negated = (at for at, (_, unit, _) in enumerate(said.tokens) if unit is not None and units[unit].negative)
    return any({"not", "no", "never", "without"}.isdisjoint(words[max(0, at - 2) : at]) for at in negated)


def lost(units: Sequence[Unit], said: Speech) -> int:
    """How many things of the phrase are not said: those not copied, less the network's own words that could be they."""
    copied = {unit for _, unit, _ in said.tokens}
    plain = not any(unit.text.endswith("कर") for unit in units)  # wearing slippers, to come
    things = (
        unit.kind in _NAMING and (_LIGHT.isdisjoint((unit.text, unit.lemma)) or (plain and _is_forbidden(unit, after)))
        for unit, after in zip(units, (*units[1:], None), strict=True)
    )
    left = sum(named and i not in copied for i, named in enumerate(things))
    own = sum(unit is None and not word.startswith("+") and word not in FUNCTION for word, unit, _ in said.tokens)
    return left - own


def _is_forbidden(unit: Unit, after: Unit | None) -> bool:
    """Whether coming or going is what a sign forbids: without it इस भवन में आना मना है would say "no building"."""
    return unit.lemma in ("आना", "जाना") and after is not None and not FORBIDDEN.isdisjoint(after.lemma.split())


def _keeps_halves(units: Sequence[Unit], said: Speech) -> bool:
    """Whether the network's own "am" and "pm" are those of words such as सुबह that stand beside no hour."""
    own = {word for word, unit, _ in said.tokens if unit is None} & {"am", "pm"}
    halves = {"a": "a", "p": "p", "r": "ap"}
    return own <= {f"{half}m" for u in units for half in halves.get(TABLES["clock"].get(u.text, ""), "")}


def _keeps_owner(units: Sequence[Unit], said: Speech) -> bool:
    """Whether यह भूमि नगर निगम की है says whose the land is, not what."""
    owned = len(units) > 2 and units[-1].lemma in COPULA and units[-2].lemma in GENITIVE
    own = {word for word, unit, _ in said.tokens if unit is None}
    return not owned or not own.isdisjoint(("of", "belongs", "belong", "'s", "by"))


def _keeps_links(units: Sequence[Unit], said: Speech) -> bool:
    """Whether "and", "up to", places such as "in front of" and measures are said in their words or copied."""
    own = {word for word, unit, _ in said.tokens if unit is None}
    copied = {unit for _, unit, _ in said.tokens}
    for i, unit in enumerate(units):
        linking = unit.kind in ("conjunction", "unit", "postposition")
        linking &= unit.english not in word_set("plain_postpositions", "english")
        wanted = (*unit.english.lower().split(), *_OTHERWISE.get(unit.english, ()))
        if linking and "'" not in unit.english and i not in copied and not any(w.startswith(wanted) for w in own):
            return False
    return True


def faithful(units: Sequence[Unit], said: Speech, english: str) -> bool:
    """Whether what the network said of the units may be printed.

    Args:
        english: its words, with the units that it copies put in.
    """
    return (
        said.log_probability > _LEAST
        and bool(english.strip())
        and keeps_negation(units, english)
        and not _moved(units, said)
        and (lost(units, said) <= 0 or any(u.text in _MARATHI for u in units))
        and _keeps_halves(units, said)
        and _keeps_links(units, said)
        and _keeps_owner(units, said)
        and not re.search(r" at [^ ]+( [ap]m)? to |( [ap]m| o'clock) [a-z]{4}| to$", english)  # hours come last
        and all(u.english.isascii() for u in units if u.kind == "latin")  # other scripts stay where they are
    )
