"""The glossary's words in English order, by the fewest rules: what is said where the network may not speak."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from signboard.translation.grammar import TABLES, gerund, participle, plural, uncounted, word_set
from signboard.translation.units import COPULA, FINITE, FORBIDDEN, GENITIVE, MARATHI_NO, NEGATION, POLITE, Unit

_UNSAID = POLITE | COPULA | GENITIVE | word_set("emphasis")
_NO = NEGATION | MARATHI_NO
_HOURS = (" am", " pm", " o'clock")


def gloss(units: Sequence[Unit]) -> str:
    """English for the units of one segment; every number and every negation is said.

    Args:
        units: those that the glossary lacks have their spelling as `english`.
    """
    return plaque(units) or ", ".join(filter(None, map(_clause, _clauses(units))))


def agreeing(units: Sequence[Unit], i: int, owns: bool | None = None) -> str:
    """English of a unit beside its neighbours: जूते without a postposition is shoes, महिला अस्पताल a women's hospital.

    Args:
        owns: whether a thing is said behind it; None: whether one stands behind it.
    """
    unit, following = units[i], units[i + 1] if i + 1 < len(units) else None
    owns = owns or (owns is None and following is not None and following.kind == "noun")
    if owns and unit.kind == "noun" and unit.match and unit.match.entry.english in TABLES["possessive"]:
        return str(TABLES["possessive"][unit.match.entry.english])
    one = i > 0 and units[i - 1].english in ("1", "one")
    several = unit.form == "oblique" and not one and (following is None or following.kind != "postposition")
    return plural(unit.english) if several else unit.english


def plaque(units: Sequence[Unit]) -> str:
    """What was done, by whom and when, "this building inaugurated by Shri A on 1.1.2019"; "" where that is not said."""
    units, when = _without_date(list(units))
    at = next((i for i, u in enumerate(units) if u.lemma in TABLES["ceremonies"]), -1)
    persons = (u.kind == "postposition" and u.lemma.endswith(("द्वारा", "कमलों से")) for u in units)
    by = next((i for i, ends in enumerate(persons) if ends), -1)
    if min(at, by) < 0 or any(u.negative or u.text in _NO for u in units):
        return ""
    second = at + 2 if at + 2 < len(units) and units[at + 1].kind == "conjunction" else at  # शिलान्यास एवं लोकार्पण
    second = second if units[second].lemma in TABLES["ceremonies"] else at
    thing, who = (units[:at], units[second + 1 : by]) if at < by else (units[by + 1 : at], units[:by])
    rest = [u for u in units[max(second, by) + 1 :] if u.form != "past" and u.lemma not in COPULA]
    future = [u for u in rest if u.form == "future"]
    strange = any(word_set("held").isdisjoint((u.lemma, u.text)) for u in rest if u not in future)
    named = units[second + 1 : second + 2]
    if not who or strange or any(u.text in word_set("of_ceremonies") for u in named) or _dated(who):
        return ""
    done = TABLES["ceremonies"][units[at].lemma]
    if second > at:
        done += " and " + TABLES["ceremonies"][units[second].lemma].partition("| ")[2]
    what = _words([unit for unit in thing if unit.lemma not in GENITIVE])
    done = done.replace("~", what) if what else done.replace(" of ~", "").replace("~ ", "")
    done = done.replace("|", "to be" if future else "").strip()
    return " ".join(" ".join(filter(None, (done, units[by].english, _words(list(who)), when))).split())


def _dated(units: Sequence[Unit]) -> bool:
    """Whether there is a number among the units, or a को."""
    return any(u.kind == "number" or u.lemma == "को" for u in units)


def _without_date(units: list[Unit]) -> tuple[list[Unit], str]:
    """The units without the date among them, दिनांक 5 जून 2012 को, and that date in English, "on 5 June 2012"."""
    for i, unit in enumerate(units):
        end = i
        while end < len(units) and (units[end].kind == "number" or units[end].domain == "day" or end == i):
            end += 1
        on = end < len(units) and units[end].lemma == "को"
        said = _words(units[i + 1 : end] if unit.lemma == "दिनांक" else units[i:end])
        if said and (unit.lemma == "दिनांक" or (on and unit.kind == "number")):
            return units[:i] + units[end + on :], f"on {said}"
    return units, ""


def _clauses(units: Sequence[Unit]) -> Iterator[list[Unit]]:
    """Cuts after a command, after है, and around a complete phrase, so that each piece holds one statement."""
    clause: list[Unit] = []
    for i, unit in enumerate(units):
        whole = unit.kind == "phrase" and unit.lemma != "सख्त मना है"
        # "please", "here" and "ahead" belong to the phrase they stand before.
        if whole and any(u.lemma not in POLITE and u.kind != "adverb" for u in clause):
            yield clause
            clause = []
        clause.append(unit)
        ends = unit.lemma in COPULA or (unit.kind == "verb" and unit.form == "imperative")
        goes_on = i + 1 < len(units) and (units[i + 1].lemma in COPULA or units[i + 1].text in MARATHI_NO)
        if whole or (ends and not goes_on) or i + 1 == len(units):
            yield clause
            clause = []


def _clause(units: list[Unit]) -> str:
    """One clause: "please", then a prohibition, a command, a statement, or a noun phrase."""
    please = "please " if any(u.lemma in POLITE for u in units) else ""
    no = any(u.text in _NO for u in units)
    are = "are" if any(u.lemma == "हैं" for u in units) else "is"
    core = [
        unit
        for before, unit in zip((units[0], *units), units, strict=False)
        if unit.lemma not in _UNSAID or (unit.lemma in GENITIVE and before.form == "infinitive")
        if (unit.negative or unit.text not in _NO) and (unit.lemma != "वाला" or before.kind != "verb")
    ]
    if not core:
        return please + ("not" if no else "")
    *rest, last = core
    no = no or last.negative
    told = no or (last.domain != "shop" and any(u.lemma in COPULA for u in units))
    thing = 1 if units[0].lemma.startswith("यह ") else 2 if units[0].lemma in word_set("this") else 0
    if thing and len(units) > thing + 2 and units[-1].lemma in COPULA and units[-2].lemma in GENITIVE:
        text = f"{_words(units[:thing])} belong{'s' * (are == 'is')} to {_phrase(units[thing:-2])}"
    elif last.lemma in word_set("beware") and rest and rest[-1].lemma == "से":
        text = f"beware of {_phrase(rest[:-1])}"
    elif last.lemma in FORBIDDEN or last.english == "strictly prohibited":
        doing = bool(rest) and rest[-1].kind == "verb"
        prohibited = last.english if last.english.endswith("prohibited") else "prohibited"
        text = f"{_phrase(rest)} is {prohibited}" if doing else f"no {_phrase(rest)}" if rest else prohibited
    elif last.lemma == "देना" and len(rest) > 1 and rest[-1].form == "infinitive":  # X को करने दें
        at = next((i for i, u in enumerate(rest) if u.lemma == "को"), 0)
        do_not = "do not " * (no or rest[-1].negative)
        text = f"{do_not}let {_words(rest[:at])} {_action(rest[at + 1 : -1], rest[-1].english)}"
    elif last.kind == "verb" and last.form in FINITE and last.form != "imperative":
        text = _statement(rest, last, are, " not" * no, units[-1].lemma in COPULA)
    elif told and rest and last.english.startswith(("a ", "an ")) and rest[-1].kind in ("noun", "unknown", "name"):
        text = f"{_phrase(rest)} {are} {'not ' * no}{last.english}"
    elif last.kind == "adjective" and told and rest and rest[-1].kind not in ("postposition", "adverb"):
        are = "are" if "and" in (u.english for u in rest) else are
        text = f"{_phrase(rest)} {are} {'not ' * no}{last.english}"
    elif units[-1].lemma in COPULA and (done := _infinitive(core)):  # शराब बेचना दंडनीय अपराध है
        what = _words(core[done:])
        one = core[-1].kind == "noun" and are == "is" and not uncounted(what) and not what.startswith(("a ", "an "))
        article = ("an " if what.startswith(tuple("aeiou")) else "a ") * one
        text = f"{_phrase(core[:done])} {are} {'not ' * no}{article}{what}"
    else:
        english = "contact us" if last.lemma == "मिलना" else last.english
        text = _action(rest, english) if last.kind == "verb" else _phrase(core)
        text = ("do not " if last.kind == "verb" or units[-1].text in MARATHI_NO else "no ") * no + text
    return please + text


def _infinitive(units: Sequence[Unit]) -> int:
    """Where what is done ends, and what is said of it begins, with no postposition between them; 0: nowhere."""
    last = max((i for i, u in enumerate(units[:-1], 1) if u.form == "infinitive"), default=0)
    last = 0 if last and units[last - 1].text.endswith("ने") else last  # काम करने वाला
    return 0 if any(u.kind == "postposition" for u in units[last:]) else last


def _statement(units: list[Unit], verb: Unit, are: str, no: str, so_far: bool) -> str:
    """What is done, was, or will be: "punctures are repaired here"; `so_far`: has been."""
    subject, adjuncts = _parted(units)
    english, what = verb.english.replace("get ~ ", "").replace(" ~", ""), _words(subject)
    if not subject and " " in english:  # the verb brings its object along: repair punctures
        english, _, what = english.partition(" ")
        are = "are" if what.endswith("s") else are
    are = "is" if uncounted(what) else are
    past = "were" if verb.text.endswith(("ए", "ये")) and not uncounted(what) else "was"
    if verb.lemma == "मिलना":
        action = f"{no} available".strip()
    elif verb.form == "habitual" and (verb.lemma == "होना" or english.startswith("be ")):
        action = f"{are}{no} {english[3:] or 'done'}"
    elif verb.form == "passive":
        action = f"{are}{no} {participle(english)}"
    elif verb.form == "past":
        were, been = ("have" if are == "are" else "has", " been") if so_far else (past, "")
        action = f"{were}{no}{been} {participle(english)}"
    elif verb.form == "may" and (verb.lemma in ("होना", "ले जाना") or verb.lemma.split()[-1] not in word_set("unmoved")):
        return _may(subject, verb, no, adjuncts)
    elif verb.form in ("future", "will", "may", "may be"):
        will = verb.form.replace("future", "will be").partition(" ")
        action = f"{will[0]}{no} be {participle(english)}" if will[2] else f"{will[0]}{no} {english}"
    elif verb.form == "progressive":
        action = f"{are}{no} {gerund(english)}"
    else:
        action = f"{'do' if are == 'are' else 'does'}{no} {english}" if no else english
    return " ".join(filter(None, (what, action, *adjuncts)))


def _may(subject: list[Unit], verb: Unit, no: str, adjuncts: list[str]) -> str:
    """What one may do, or what may be: "you may not take photos", "there may be a fine"."""
    if verb.lemma == "होना" and subject and subject[-1].kind == "adjective":
        said = f"{_words(subject[:-1])} may{no} be {subject[-1].english}"
    elif verb.lemma == "होना":
        said = f"there may{no} be {_words(subject)}"
    elif subject and subject[0].text in word_set("subjects"):
        said = f"{subject[0].english} may{no} {verb.english.replace('~', '')} {_words(subject[1:])}"
    else:
        said = f"{_words(subject)} may{no} be {participle(verb.english.replace(' ~', ''))}"
    return " ".join(" ".join((said, *adjuncts)).split())


def _action(units: list[Unit], english: str) -> str:
    """A verb with its object and what else belongs to it."""
    end = next((i for i, u in enumerate(units) if u.lemma == "को"), 0)
    thing = any(u.kind in ("noun", "either", "unknown", "name") for u in _parted(units[end + 1 :])[0])
    thing = thing or any(u.kind == "verb" for u in units[end + 1 :])
    if end and not thing and english not in word_set("to_whom") and units[end - 1].domain != "day":
        units = [*units[end + 1 :], *units[:end]]  # बच्चों को पानी से दूर रखें
    target, adjuncts = _parted(units)
    said = english.replace("~", _words(target)) if "~" in english else f"{english} {_words(target)}"
    return " ".join(" ".join((said, *adjuncts)).split())


def _phrase(units: list[Unit]) -> str:
    """A noun phrase, or what is done, with what Hindi sets before it and English behind it."""
    if units and units[-1].kind == "verb":
        if len(units) > 2 and units[-2].kind == "conjunction" and units[-3].kind == "verb":  # खरीदने और बेचने
            return _action(units[:-3], f"{_doing(units[-3])} {units[-2].english} {_doing(units[-1])}")
        return _action(units[:-1], _doing(units[-1]))
    head, adjuncts = _parted(units)
    return " ".join(filter(None, (_words(head), *adjuncts)))


def _parted(units: list[Unit]) -> tuple[list[Unit], list[str]]:
    """The last run of units without a postposition after it, and English for the rest."""
    aside = [unit for unit in units if unit.kind == "adverb" or (unit.kind == "number" and " to " in unit.english)]
    out: list[str] = []
    head: list[Unit] = []
    chunk: list[Unit] = []
    for unit, after in itertools.zip_longest(units, units[1:]):
        if unit.lemma == "को" and after is not None and after.kind == "verb":
            continue  # the verb's object: परिसर को स्वच्छ रखने में
        if unit.kind == "postposition":
            english = unit.english
            if unit.lemma == "को" and any(u.domain == "day" for u in chunk):
                english = "on"
            elif unit.lemma == "पर" and chunk and chunk[-1].kind == "verb":
                english = "for"
            elif unit.lemma == "तक":
                since = any(said.startswith("from ") for said in out)
                english = "to" if since else "until" if chunk and chunk[-1].english.endswith(_HOURS) else "up to"
            if len(chunk) > 1 and chunk[-1].english.endswith(_HOURS):  # counter until 2 pm
                out.append(_words(chunk[:-1]))
                del chunk[:-1]
            out.append(f"{english} {_phrase(chunk)}".strip())
            if unit.lemma in GENITIVE:  # होटल में ठहरने की व्यवस्था
                english = "of" if units[-1].lemma in word_set("of_doing") else "for"
                out = [" ".join((english, _phrase(chunk), *out[:-1]))]
            chunk = []
        elif unit not in aside:
            whole = bool(chunk) and chunk[0].lemma in ("यह", "ये", "अपना") and chunk[-1].kind == "noun"
            own = whole and unit.kind in ("adjective", "number")  # यह पुल | 1999 में
            if own or unit.lemma in word_set("this"):  # begins a phrase of its own: complain | on this number
                head, chunk = head + chunk, []
            chunk.append(unit)
    return head + chunk, out + [unit.english for unit in aside]


def _doing(verb: Unit) -> str:
    """The gerund, with its negation: "not wearing", as in हेलमेट न पहनने पर; of what was done, "given" in दिए गए नंबर."""
    doing = participle(verb.english) if verb.form == "past" else gerund(verb.english)
    return f"not {doing}" if verb.negative else doing


def _words(units: list[Unit]) -> str:
    """The words in their order, which is that of English: X का Y is X Y."""
    said = (_doing(u) if u.kind == "verb" else u.english for u in units)
    return " ".join(" ".join(said).replace("~", "").split())
