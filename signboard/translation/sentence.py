"""The sentence patterns of signs: Hindi units in, English in its own order out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from signboard.translation.english import SMALL, gerund, one_of_many, participle, plural, third_person, upper_first
from signboard.translation.spelling import name
from signboard.translation.transliteration import Spelling
from signboard.translation.units import COPULA, FINITE, FORBIDDEN, GENITIVE, MARATHI_NO, NEGATION, Unit

_ONLY = {"केवल", "सिर्फ", "मात्र"}
_SHOP_HEADS = {"दुकान", "भंडार", "स्टोर", "शॉप", "ठेका"}
_BEWARE = {"सावधान", "सावधान रहना", "बचना", "सतर्क रहना"}
#: Where Hindi says "on" and English "at".
_AT = {"मोड़", "दरवाजा", "द्वार", "गेट", "स्टेशन", "चौराहा", "काउंटर", "खिड़की", "फाटक"}
#: Verbs whose object Hindi marks with को.
_TAKES_KO = {"feed", "tease", "disturb", "help", "call", "respect", "stop"}
#: After these "is" is said: X अपराध है, X अनिवार्य है; "closed" and its like stand alone on signs: road closed.
_STANDS_ALONE = {"बंद", "खुला", "चालू", "खाली", "उपलब्ध", "आरक्षित", "बिकाऊ", "चाहिए", "समाप्त", "प्रगति पर", "किराये पर उपलब्ध"}
_DETERMINING = {"सभी", "सब", "समस्त", "प्रत्येक", "हर", "कोई", "अन्य"}
_PREDICATES = {"अपराध", "दंडनीय अपराध"}
#: No sign says more in one clause, and nested genitives go as deep as they are many.
_LONGEST_CLAUSE = 60
#: Those whom a command may address by name before it says what to do: यात्री कृपया ध्यान दें.
_ADDRESSED = {
    "यात्री", "यात्रीगण", "पैदल यात्री", "ग्राहक", "आगंतुक", "छात्र", "छात्रा", "विद्यार्थी", "वाहन चालक", "चालक", "दर्शक",
    "श्रद्धालु", "भक्त", "मरीज", "रोगी", "अभिभावक", "नागरिक", "दर्शनार्थी", "कर्मचारी", "परीक्षार्थी", "आवेदक", "पर्यटक",
    "श्रद्धालुगण", "भक्तगण", "अभिभावकगण", "विद्यार्थीगण", "आगंतुकगण", "चालकगण", "साइकिल सवार", "राहगीर",
}  # fmt: skip
#: "When" after a verb: पार करते समय.
_WHEN = {"समय", "वक्त"}
_RUPEES = {"रुपया", "रुपये", "रुपए", "रु.", "रू."}
#: After these a word that may be a name is one: चंदन नगर.
_SETTLEMENTS = {
    "नगर", "विहार", "पुरम", "पुरी", "गंज", "बाग", "कॉलोनी", "एन्क्लेव", "कुंज", "चौक", "मार्ग", "पथ", "नदी", "वन", "धाम",
    "अपार्टमेंट", "भवन", "पार्क", "गार्डन", "पैलेस", "सदन", "निवास", "टावर", "प्लाजा",
}  # fmt: skip
#: Nouns that make a verb with करना, for where other words stand between: शिकायत इस नंबर पर करें.
_DONE = {
    "शिकायत": "report", "भुगतान": "pay", "प्रयोग": "use", "उपयोग": "use", "संपर्क": "contact", "पालन": "follow",
    "रक्षा": "protect", "मरम्मत": "repair", "जांच": "check", "सफाई": "clean", "प्रवेश": "enter", "पार्किंग": "park",
    "सेवन": "consume", "सम्मान": "respect", "मदद": "help", "सहायता": "help", "स्वागत": "welcome", "निर्माण": "build",
}  # fmt: skip
#: Before these a new part of the sentence begins.
_POINTING = {"इस", "उस", "इन", "उन", "आपका", "आपके", "आपकी", "अपना", "अपने", "अपनी", "हमारा", "हमारे", "हमारी"}
#: Verbs whose object Hindi marks with से.
_TAKES_SE = {"contact", "contacting", "ask", "asking"}
#: Words that stand where an article would.
_DETERMINERS = {"pronoun", "number", "name", "unknown", "title", "latin", "conjunction", "time"}
_HALF_OF_DAY = {
    "सुबह": "am", "प्रातः": "am", "प्रातःकाल": "am",
    "दोपहर": "pm", "शाम": "pm", "सायं": "pm", "सायंकाल": "pm", "रात": "pm", "रात्रि": "pm",
}  # fmt: skip
#: Goods named by what they are made of: सोने के आभूषण is gold jewellery.
_MATERIALS = {
    "सोना", "सोने", "चांदी", "सोने चांदी", "लकड़ी", "लोहा", "कांच", "शीशा", "स्टील", "चमड़ा",
    "प्लास्टिक", "मिट्टी", "ऊन", "कपास", "कागज",
}  # fmt: skip
#: What these people have or are for takes the possessive: महिला प्रतीक्षालय is the women's waiting room.
_POSSESSIVE = {
    "woman": "women's", "girl": "girls'", "boy": "boys'", "child": "children's", "men": "men's", "infant": "infants'",
}  # fmt: skip
_ROOMS = {"room", "office", "residence", "house", "hall"}
_STAFF = {"principal", "doctor", "manager", "headmaster", "teacher", "judge", "president", "secretary", "director"}
_UNDECIDED_ADJECTIVES = {"लाल", "सुंदर", "विशाल", "उत्तम", "नवीन"}
#: Before a noun of these kinds a word that may be a name is one: प्रकाश स्टोर.
_NAMED_DOMAINS = {
    "shop", "trade", "food", "school", "hospital", "bank", "road", "facility", "railway", "religion",
}  # fmt: skip
#: Ends of the names of quarters.
_QUARTERS = {"घाट", "टोला", "गंज", "पुरी", "विहार", "पुरम", "बाग", "कुंज", "पेठ", "खेड़ा", "सराय"}
_THINGS = {"noun", "adjective", "either"}
_MAY_BE_NAMED = {"noun", "either", "adjective", "name", "unknown"}
_POLITE = {"कृपया", "कृप्या"}
#: What is called out before a sentence.
_CALLS = {"खबरदार", "चेतावनी", "सूचना", "नोट", "ध्यान दें"}
_REVERSED_HEADS = {"कार्यालय"}
_PERSON_DOMAINS = {"name"}
#: What may stand in a name: "Sharma Sweet Shop" takes capitals, "beware of Sharma" does not.
_LISTS = {
    "noun", "either", "name", "unknown", "title", "adjective", "latin", "letters", "number", "unit", "abbreviation",
    "pronoun",
}  # fmt: skip


class Sentence:
    """English for the units of one segment. Lives for one call; writes what it chose into the units."""

    def __init__(self, units: list[Unit], spelled: Mapping[str, Spelling]) -> None:
        self.units = units
        self.spelled = spelled
        self.sure = 1.0

    def english(self) -> str:
        self._name_words()
        units = self._times(self.units)
        welcome = next((i for i, u in enumerate(units) if u.lemma == "स्वागत"), 0)
        host = next((i for i, u in enumerate(units[:welcome]) if u.lemma == "आपका"), 0)
        after = units[welcome + 1 :]
        does = any(u.lemma == "करना" for u in after) and all(u.kind in ("verb", "verb form") for u in after)
        if host and does:  # X आपका हार्दिक स्वागत करता है
            units[welcome].out, units[welcome].source = "welcomes you", "pattern"
            return f"{self._noun_phrase(units[:host])} welcomes you"
        if len(units) > 1 and units[-1].text in MARATHI_NO:
            please = [u for u in units[:-1] if u.lemma in _POLITE]
            units[-1].out, units[-1].source = "do not", "pattern"
            for unit in please:
                unit.out = "please"
            rest = self._clause([u for u in units[:-1] if u not in please])
            return " ".join(filter(None, ("please" if please else "", "do not", rest)))
        if len(units) > 2 and units[0].lemma in _CALLS and units[1].kind not in ("postposition", "conjunction", "verb"):
            units[0].out = units[0].english
            return f"{units[0].out}: {', '.join(filter(None, map(self._clause, clauses(units[1:]))))}"
        said = [self._clause(clause) for clause in clauses(units)]
        return ", ".join(clause for clause in said if clause)

    # Words ------------------------------------------------------------------------------------------------------

    def _spell(self, unit: Unit) -> None:
        part = name(unit.text, self.spelled, unit.kind == "unknown")
        unit.english, unit.source, unit.confidence = part.english, part.source, part.confidence

    def _name_words(self) -> None:
        """Spells unknown words, and decides which words that may be names are: विकास शर्मा, प्रकाश स्टोर."""
        units = self.units
        for i, unit in enumerate(units):
            after = units[i + 1] if i + 1 < len(units) else None
            if unit.kind == "unknown":
                self._spell(unit)
                if unit.source == "loanword":
                    unit.kind = "noun"
            elif unit.lemma == "मां" and after is not None and after.kind in _MAY_BE_NAMED:
                unit.english, unit.kind = "Maa", "title"
                if after.kind != "name":
                    self._spell(after)
                    after.kind = "name"
            elif i == 0 and after is not None and after.lemma in _QUARTERS and unit.kind in _THINGS:
                # A thing before one of these is a name: गाय घाट.
                for named in (unit, after):
                    self._spell(named)
                    named.kind = "name"
            elif unit.kind == "either":
                before = units[i - 1] if i else None
                beside = [u for u in (before, after) if u is not None]
                person = any(u.kind in ("unknown", "title") or u.domain in _PERSON_DOMAINS for u in beside)
                names_a_place = (
                    unit.lemma != "लाल"
                    and (i == 0 or unit.lemma not in _UNDECIDED_ADJECTIVES)
                    and after is not None
                    and after.kind == "noun"
                    and (after.domain in _NAMED_DOMAINS or after.lemma in _SETTLEMENTS)
                )
                if person or names_a_place:
                    self._spell(unit)
                    unit.kind = "unknown"
                else:
                    unit.kind = "adjective" if unit.lemma in _UNDECIDED_ADJECTIVES else "noun"

    @staticmethod
    def _hours(units: list[Unit]) -> list[Unit]:
        """शाम 4 से 6 without बजे: two hours of the same half of the day, merged into the second."""
        out = list(units)
        for i in range(len(units) - 4, -1, -1):
            half, first, post, last = units[i : i + 4]
            hours = half.lemma in _HALF_OF_DAY and first.kind == last.kind == "number" and post.lemma == "से"
            if hours and (i + 4 == len(units) or units[i + 4].lemma != "बजे"):
                last.english = f"{first.english} to {last.english} {_HALF_OF_DAY[half.lemma]}"
                last.kind = "time"
                for unit in (half, first, post, last):
                    unit.source = "pattern"
                out[i : i + 4] = [last]
        return out

    def _times(self, units: list[Unit]) -> list[Unit]:
        """सुबह 10 बजे -> 10 am, 10 बजे -> 10 o'clock, 10 रुपये -> Rs 10; the units merge into the number."""
        units = self._hours(units)
        out: list[Unit] = []
        for unit in units:
            if unit.lemma == "बजे" and out and out[-1].kind == "number":
                number = out.pop()
                if len(out) > 1 and out[-1].lemma == "से" and out[-2].kind == "number":  # 4 से 6 बजे
                    out.pop().source = "pattern"
                    number.english = f"{out.pop().english} to {number.english}"
                half = "" if ":" in number.english else "o'clock"
                if out and out[-1].lemma in _HALF_OF_DAY:
                    half = _HALF_OF_DAY[out[-1].lemma]
                    out.pop().source = "pattern"
                number.english = f"{number.english} {half}".strip()
                number.kind, number.source, number.confidence = "time", "pattern", 0.9
                unit.source = "pattern"
                out.append(number)
                continue
            if unit.lemma in _RUPEES and out and out[-1].kind == "number":
                out[-1].english = f"Rs {out[-1].english}"
                unit.source, unit.out = "pattern", ""
                continue
            out.append(unit)
        return out

    def _word(
        self, unit: Unit, following: Unit | None = None, before_postposition: bool = False, one: bool = False
    ) -> str:
        """The unit's English inside a noun phrase."""
        text = unit.english
        if following is not None and following.kind in ("noun", "conjunction") and unit.form in ("base", "plural"):
            if unit.match is not None and unit.match.entry.english in _POSSESSIVE:
                unit.out = _POSSESSIVE[unit.match.entry.english]
                return unit.out
            if text in _STAFF and following.english in _ROOMS:
                unit.out = f"{text}'s"
                return unit.out
        if unit.form == "oblique" and not before_postposition and not one:
            text = plural(text)
        if unit.kind == "verb":
            text = gerund(text) if unit.form != "imperative" else text
        unit.out = text
        return text

    # Clauses ----------------------------------------------------------------------------------------------------

    def _clause(self, units: list[Unit]) -> str:
        """One clause: polite word, then a prohibition, a command, a statement, or a noun phrase."""
        please = ""
        rest = []
        for unit in units:
            if unit.lemma in _POLITE:
                unit.out = please = "please"
            else:
                rest.append(unit)
        rest = self._agents([u for i, u in enumerate(rest) if not (i and self._linking(rest[i - 1], u))])
        addressed = self._addressed(rest)
        text = " ".join(filter(None, (please, self._body(rest[1:] if addressed else rest))))
        return f"{addressed}, {text}" if addressed else text

    @staticmethod
    def _linking(before: Unit, unit: Unit) -> bool:
        """Whether a genitive only ties what stands before a postposition to what follows: 50 % तक की छूट."""
        if unit.lemma not in GENITIVE or before.kind not in ("postposition", "adverb") or before.lemma in GENITIVE:
            return False
        unit.source = "pattern"
        return True

    @staticmethod
    def _agents(units: list[Unit]) -> list[Unit]:
        """वाला after a verb is one who does it: उतरने वाले यात्री, नियम तोड़ने वालों पर."""
        out: list[Unit] = []
        for i, unit in enumerate(units):
            verb = out[-1] if out else None
            if unit.lemma != "वाला" or verb is None or verb.kind != "verb" or verb.form != "infinitive":
                out.append(unit)
                continue
            following = units[i + 1] if i + 1 < len(units) else None
            doing = gerund(verb.english.replace(" ~", ""))
            if len(out) > 1 and out[-2].kind == "noun" and " " not in doing:
                what = out.pop(-2)
                what.out, what.source = what.english, "pattern"
                doing = f"{doing} {what.english if what.form == 'plural' else plural(what.english)}"
                if following is not None and following.kind == "noun":
                    following.english = f"{following.english} {doing}"
                    out.pop()
                    continue
            verb.match, verb.source = None, "pattern"
            unit.source, unit.out = "pattern", ""
            if following is not None and following.kind == "noun":
                verb.kind, verb.english = "adjective", doing
            else:
                verb.kind, verb.english = "noun", f"those {doing}"
        return out

    @staticmethod
    def _addressed(units: list[Unit]) -> str:
        """The people to whom a command is said, in the plural; "" where it names none."""
        if len(units) < 2 or units[-1].kind != "verb" or units[-1].form != "imperative":
            return ""
        first, second = units[0], units[1]
        if first.lemma not in _ADDRESSED or first.form not in ("base", "plural"):
            return ""
        if second.kind in ("postposition", "conjunction") or ("~" in second.english and second is units[-1]):
            return ""
        first.out, first.source = plural(first.match.entry.english if first.match else first.english), "pattern"
        return first.out

    def _body(self, units: list[Unit]) -> str:
        if not units:
            return ""
        if len(units) == 1:
            return self._alone(units[0])
        if units[-1].kind == "phrase" and all(u.kind == "adverb" for u in units[:-1]):
            return " ".join([self._alone(units[-1]), *self._adjuncts(units[:-1])])
        copula = units[-1] if units[-1].lemma in COPULA else None
        core = units[:-1] if copula else units
        # ... मना है: a prohibition
        if core and core[-1].lemma in FORBIDDEN and len(core) > 1:
            return self._prohibition(core[:-1], core[-1])
        if core and core[-1].lemma == "सख्त मना है" and len(core) > 1:
            core[-1].out = "strictly prohibited"
            return f"{self._anything(core[:-1])} is strictly prohibited"
        last = core[-1] if core else None
        if last is not None and last.kind == "verb" and last.form in FINITE:
            return self._verb_clause(core, last, copula)
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

    def _alone(self, unit: Unit) -> str:
        verb, _, what = unit.english.partition(" ")
        if unit.kind == "verb" and unit.form in ("passive", "future") and what and "~" not in unit.english:
            # कार्यवाही की जाएगी: the verb brings its object along.
            be = ("will not be" if unit.negative else "will be") if unit.form == "future" else "is"
            unit.out = f"{what} {be}{' not' if unit.negative and be == 'is' else ''} {participle(verb)}"
            return unit.out
        if unit.kind == "verb" and unit.form == "future" and not what:
            unit.out = f"will{' not' if unit.negative else ''} be {participle(unit.english)}"
            return unit.out
        if unit.kind == "verb" and unit.form in ("habitual", "passive"):
            unit.out = participle(unit.english)
        else:
            unit.out = " ".join(unit.english.replace("~", "").split())
        if unit.negative:
            unit.out, unit.source = f"do not {unit.out}", "pattern"
        return unit.out

    def _prohibition(self, units: list[Unit], word: Unit) -> str:
        """X मना है -> No X; doing X मना है -> Doing X is prohibited."""
        strictly = ""
        units = list(units)
        if units[-1].lemma in ("सख्त", "सख्ती से", "पूर्णतः"):
            units.pop().out = strictly = "strictly"
        word.source = "pattern"
        if units and units[-1].lemma in GENITIVE:  # करने की मनाही
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
        if len(units) > 2 and units[-2].lemma in GENITIVE:  # X का प्रवेश निषेध: No entry for X
            units[-2].source, units[-2].out = "pattern", "for"
            return f"no {self._noun_phrase(units[-1:])} for {self._phrase(units[:-2])}"
        return f"no {self._phrase(units)}"

    def _anything(self, units: list[Unit]) -> str:
        """A clause that ends in an infinitive as a gerund phrase, or else a noun phrase."""
        if len(units) > 2 and units[-2].kind == "conjunction" and units[-1].kind == units[-3].kind == "verb":
            # बोलना या हंसना: both verbs share what stands before them.
            both = units[-1]
            words = [gerund(unit.english) for unit in (units[-3], both)]
            units[-3].out, units[-2].out = words[0], units[-2].english
            both.english = f"{words[0]} {units[-2].english} {words[1]}"
            text = self._verb_phrase(units[:-3], both, both.english)
            both.out = words[1]
            return text
        if units and units[-1].kind == "verb":
            last = units[-2] if len(units) > 1 else None
            if last is not None and last.kind == "noun" and last.form == "base" and "~" not in units[-1].english:
                last.english = plural(last.english)  # sticking posters, where Hindi names the kind by the singular
            return self._verb_phrase(units[:-1], units[-1], _doing(units[-1]))
        return self._phrase(units)

    def _verb_clause(self, units: list[Unit], verb: Unit, copula: Unit | None = None) -> str:
        before = [u for u in units[:-1] if u.lemma not in NEGATION]
        # A negation that stands apart from its verb must never be lost: बच्चों को न खेलने दें.
        negative = verb.negative or len(before) < len(units) - 1
        for unit in units[:-1]:
            if unit.lemma in NEGATION:
                unit.source = "pattern"
        if verb.lemma == "देना" and before and before[-1].kind == "verb" and before[-1].text.endswith("ने"):
            return self._let(before[:-1], before[-1], verb, negative)
        if verb.form in ("imperative", "infinitive"):
            if negative:
                text = "do not " + self._verb_phrase(before, verb, verb.english)
                verb.out, verb.source = f"do not {verb.out}", "pattern"
                return text
            if verb.lemma in _BEWARE and any(u.lemma == "से" for u in before):
                return self._beware(before, verb)
            return self._verb_phrase(before, verb, verb.english)
        complement = ""
        if verb.lemma in ("होना", "रहना") and len(before) > 1 and before[-1].kind == "adjective":
            complement = self._word(before.pop())
            verb.english = "be" if verb.form == "will" else verb.english
        without = ""
        if len(before) > 2 and before[0].kind == "preposition" and before[1].kind == "noun":
            before[0].out = before[0].english
            without = f"{before[0].english} {self._definite(before[1:2], True)}"
            before = before[2:]
        subject, adjuncts = self._split_subject(before)
        if len(subject) > 1 and subject[-1].lemma in GENITIVE:  # जूतों की मरम्मत की जाती है
            subject.pop().source = "pattern"
        english = verb.english
        if verb.lemma == "मिलना" and verb.form == "will":
            english = "be available"
        if verb.form in ("passive", "future") and not subject and " " in english:
            # The verb brings its object along: "repair punctures" -> "punctures are repaired"
            english, _, own = english.partition(" ")
            many, named = own.endswith("s"), own
        else:
            forms = {subject[-1].form} if subject else set()
            many = (copula is not None and copula.lemma == "हैं") or "plural" in forms
            if many and subject and subject[-1].form in ("base", "oblique"):
                subject[-1].english = plural(subject[-1].english)
                subject[-1].match = None
            named = self._noun_phrase(subject) if subject else ""
        be = "are" if many else "is"
        no = " not" if negative else ""
        if english.startswith("get ~ ") and verb.form in ("passive", "future"):  # करायी जाती है
            english = english.removeprefix("get ~ ")
            done = f"{be}{no} {english}" if verb.form == "passive" else f"will{no} be {english}"
            verb.out, verb.source = done, "pattern"
            return " ".join(filter(None, (named, done, *self._adjuncts(adjuncts), without)))
        if verb.form == "passive":
            action = f"{be}{no} {participle(english)}"
        elif verb.form == "future":
            action = f"will{no} be {participle(english)}"
        elif verb.form == "will":
            action = f"will{no} {english}" + (f" {complement}" if complement else "")
        elif verb.form == "progressive":
            action = f"{be}{no} {gerund(english)}"
        elif complement:
            action = f"{be}{no} {complement}"
        elif verb.lemma == "मिलना":
            action = f"{'not ' if negative else ''}available"
        elif english.startswith("be "):
            action = f"{be}{no} {english[3:]}"
        elif verb.lemma == "होना":
            action = f"{be}{no} done"
        elif negative:
            action = f"{'do' if many else 'does'} not {english}"
        else:
            action = english if many else third_person(english)
        verb.out, verb.source = action, "pattern"
        return " ".join(filter(None, (named, action, *self._adjuncts(adjuncts), without)))

    def _let(self, before: list[Unit], what: Unit, verb: Unit, negative: bool) -> str:
        """X को करने दें: let X do."""
        verb.out, verb.source = ("do not let" if negative or what.negative else "let"), "pattern"
        what.out = what.english.replace(" ~", "")
        whom: list[Unit] = []
        for i, unit in enumerate(before):
            if unit.lemma == "को":
                unit.source = "pattern"
                whom, before = before[:i], before[i + 1 :]
                break
        target, adjuncts = self._split_subject(before)
        if not whom:
            whom, target = target, []
        said = [verb.out, self._definite(whom, True), what.out, self._definite(target), *self._adjuncts(adjuncts, True)]
        return " ".join(filter(None, said))

    def _split_subject(self, units: list[Unit]) -> tuple[list[Unit], list[Unit]]:
        """The last run of units without a postposition after it, with its genitives, and all before."""
        i = len(units)
        while i > 0 and (units[i - 1].kind != "postposition" or units[i - 1].lemma in GENITIVE):
            i -= 1
        subject = [u for u in units[i:] if u.kind != "adverb"]
        if not subject:
            for k in range(1, len(units)):
                if units[k].lemma in _POINTING and units[k - 1].kind in ("noun", "name", "unknown"):
                    return units[:k], units[k:]
        return subject, units[:i] + [u for u in units[i:] if u.kind == "adverb"]

    def _beware(self, before: list[Unit], verb: Unit) -> str:
        post = max(i for i, u in enumerate(before) if u.lemma == "से")
        before[post].source, before[post].out = "pattern", "of"
        verb.out = "beware"
        tail = self._phrase(before[post + 1 :]) if post + 1 < len(before) else ""
        return " ".join(filter(None, ("beware of", self._phrase(before[:post], True), tail)))

    def _verb_phrase(self, before: list[Unit], verb: Unit, english: str) -> str:
        """verb + object + adjuncts, from the Hindi order adjuncts + object + verb."""
        verb.out = " ".join(english.replace("~", "").split())
        chosen = [u for u in before if u.kind == "preposition"]
        # Doing one thing after another: "after taking off shoes"
        after = ""
        for i in range(len(before) - 1, -1, -1):
            if before[i].kind != "verb":
                continue
            following = before[i + 1] if i + 1 < len(before) else None
            if before[i].form == "after":
                after = "after " + self._verb_phrase(before[:i], before[i], _doing(before[i]))
                if following is not None and following.lemma == "ही":
                    after = f"only {after}"
                before = before[i + 1 :]
                break
            if before[i].form == "habitual" and following is not None and following.lemma in _WHEN:
                following.source, following.out = "pattern", "when"
                after = "when " + self._verb_phrase(before[:i], before[i], _doing(before[i]))
                before = before[i + 2 :]
                break
        if chosen:
            return " ".join(filter(None, (english, self._phrase(before), after)))
        if english.removeprefix("not ").split(" ")[0].removesuffix("ing") in _TAKES_KO:
            for unit in before:
                if unit.lemma == "को":
                    unit.kind, unit.source = "particle", "pattern"
            before = [u for u in before if u.kind != "particle"]
        if english.split(" ")[0] in _TAKES_SE and any(u.lemma == "से" for u in before):
            for unit in before:
                if unit.lemma == "से":
                    unit.source = "pattern"
            before = [u for u in before if u.lemma != "से"]
        target, adjuncts = self._split_subject(before)
        if verb.lemma == "करना" and adjuncts and target and target[-1].lemma in _DONE:
            done = target.pop()
            verb.out, done.source = _DONE[done.lemma], "pattern"
            english = gerund(verb.out) if english.endswith("ing") else verb.out
        if target and target[-1].lemma in GENITIVE:  # X का प्रयोग करें: use X
            target.pop().source = "pattern"
        marks = {"को", "पर"} if " on ~" in english else {"को"}
        if "~" in english and not target and adjuncts and adjuncts[-1].lemma in marks:  # बच्चों को विद्यालय भेजें
            adjuncts[-1].source = "pattern"
            what = self._definite(adjuncts[:-1], True)
            adjuncts = []
        else:
            what = self._definite(target)
        english = " ".join(english.replace("~", what).split()) if "~" in english else f"{english} {what}".strip()
        return " ".join(filter(None, (english, *self._adjuncts(adjuncts, True), after)))

    def _definite(self, units: list[Unit], bare: bool = False) -> str:
        """A noun phrase inside a command: "the" before one thing of a kind, use the lift, walk on the grass."""
        text = self._noun_phrase(units, bare)
        if not units or units[-1].kind != "noun" or units[-1].form not in ("base", "oblique"):
            return text
        if any(u.kind in _DETERMINERS or u.lemma in _DETERMINING | GENITIVE for u in units) or not one_of_many(text):
            return text
        return f"the {text}"

    def _statement(self, units: list[Unit], copula: Unit) -> str:
        """... है: "you are ...", "this is ...", and "road closed ahead", where signs leave the verb out."""
        first = units[0]
        pointed = (
            len(units) > 2 and first.lemma in ("यह", "ये") and units[1].kind == "noun" and units[-1].kind == "adjective"
        )
        if not pointed and first.kind == "pronoun" and len(units) > 1 and first.lemma in ("आप", "हम", "यह", "ये", "वह"):
            first.out = first.english
            copula.out = "is" if first.lemma in ("यह", "वह") else "are"
            rest = units[1:]
            negative = next((u for u in rest if u.lemma == "नहीं"), None)
            if negative:
                negative.source, negative.out = "pattern", "not"
                rest = [u for u in rest if u is not negative]
            return " ".join(filter(None, (first.out, copula.out, "not" if negative else "", self._phrase(rest))))
        copula.source = "pattern"
        if units[-1].kind == "adjective" and any(u.kind == "postposition" and u.lemma not in GENITIVE for u in units):
            # यह सड़क भारी वाहनों के लिए बंद है: what it is said of ends before a pointing word, or after यह and its noun.
            after = 2 if first.lemma in ("यह", "ये") and units[1].kind == "noun" else 0
            ends = after or next((k for k in range(1, len(units)) if units[k].lemma in _POINTING), 0)
            if ends and units[ends - 1].kind == "noun" and ends < len(units) - 1:
                copula.out = "are" if copula.lemma == "हैं" else "is"
                units[-1].out = units[-1].english
                said = [self._noun_phrase(units[:ends]), copula.out, units[-1].out]
                return " ".join([*said, *self._adjuncts(units[ends:-1])])
        denied = [u for u in units if u.lemma == "नहीं"]
        if denied:
            units = [u for u in units if u.lemma != "नहीं"]
            copula.out = "are not" if copula.lemma == "हैं" else "is not"
            denied[0].source, denied[0].out = "pattern", "not"
            if units and units[-1].kind == "adjective" and len(units) > 1:
                units[-1].out = units[-1].english
                return f"{self._phrase(units[:-1])} {copula.out} {units[-1].out}"
            return f"{self._phrase(units)} {copula.out} there" if units else "not"
        last = units[-1]
        fact = last.lemma in _PREDICATES or (last.kind == "adjective" and last.lemma not in _STANDS_ALONE)
        if fact and len(units) > 1 and units[-2].kind in ("noun", "unknown", "name"):
            copula.out = "are" if copula.lemma == "हैं" else "is"
            last.out = last.english
            if last.lemma == "अपराध":
                last.out = f"an {last.english}"
            return f"{self._phrase(units[:-1])} {copula.out} {last.out}"
        return self._phrase(units)

    # Noun phrases -----------------------------------------------------------------------------------------------

    def _phrase(self, units: list[Unit], bare: bool = False) -> str:
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

    def _split_tail(self, units: list[Unit]) -> tuple[list[Unit], list[Unit]]:
        """Head noun phrase (with its genitives) and the postpositional phrases and adverbs, wherever they stand."""
        chunks: list[list[Unit]] = [[]]
        for unit in units:
            chunks[-1].append(unit)
            if unit.kind == "postposition" and unit.lemma not in GENITIVE:
                chunks.append([])
        head = [u for u in chunks[-1] if u.kind != "adverb"]
        adverbs = [u for u in chunks[-1] if u.kind == "adverb"]
        return head, [u for chunk in chunks[:-1] for u in chunk] + adverbs

    def _adjuncts(self, units: list[Unit], definite: bool = False) -> list[str]:
        """English for a run of [noun phrase + postposition] and adverbs, in their order."""
        out: list[str] = []
        chunk: list[Unit] = []
        for i, unit in enumerate(units):
            if unit.kind == "adverb":
                if chunk:
                    out.append(self._noun_phrase(chunk))
                    chunk = []
                unit.out = unit.english
                out.append(unit.out)
            elif unit.kind == "postposition" and unit.lemma not in GENITIVE:
                since = any(u.lemma == "से" for u in units[:i])
                out.append(self._postposition(chunk, unit, since, definite))
                chunk = []
            else:
                chunk.append(unit)
        if chunk:
            out.append(self._noun_phrase(chunk))
        return out

    def _postposition(self, chunk: list[Unit], post: Unit, since: bool, definite: bool) -> str:
        english = post.english
        post.source = "pattern"
        last = chunk[-1] if chunk else None
        only = [u for u in chunk if u.lemma in _ONLY]
        before = ""
        if only and chunk.index(only[0]) > 0:  # पार्किंग केवल X के लिए: parking for X only
            before = self._noun_phrase(chunk[: chunk.index(only[0])]) + " "
            chunk = chunk[chunk.index(only[0]) :]
        chunk = [u for u in chunk if u.lemma not in _ONLY]
        if post.lemma == "को":
            english = "on" if last is not None and last.domain == "day" else "to"
        elif post.lemma == "तक":
            english = "to" if since else "until" if last is not None and last.kind == "time" else "up to"
            if english == "until" and last is not None and " to " in last.english:  # 4 से 6 बजे तक
                english = "from"
        elif post.lemma == "में" and last is not None and last.lemma == "निगरानी":
            english = "under"
        elif post.lemma == "पर" and last is not None and last.lemma in _AT:
            english = "at"
        elif post.lemma == "पर" and last is not None and last.kind == "verb":
            english = "for"
        start = len(chunk)
        while start and (chunk[start - 1].kind == "number" or chunk[start - 1].domain == "day"):
            start -= 1
        if last is not None and last.domain == "day" and start:  # कक्षाएं शुरू 15 जून से: only the date is meant
            before, chunk = self._noun_phrase(chunk[:start]) + " ", chunk[start:]
        if last is not None and last.kind == "time" and len(chunk) > 1:  # समय 10 बजे से: the time is from 10
            before, chunk = self._noun_phrase(chunk[:-1]) + " ", chunk[-1:]
        if last is not None and last.kind == "verb":
            noun = self._verb_phrase(chunk[:-1], last, _doing(last))
        else:
            noun = self._definite(chunk, True) if definite else self._noun_phrase(chunk, True)
        if only:
            only[0].out = "only"
            noun += " only"
        post.out = english
        return f"{before}{english} {noun}".strip()

    def _noun_phrase(self, units: list[Unit], bare: bool = False) -> str:
        """One noun phrase with its genitives; `bare` where a postposition follows, so that -e is a singular."""
        if not units:
            return ""
        for i in range(len(units) - 1, -1, -1):
            if units[i].lemma in GENITIVE and 0 < i < len(units) - 1:
                return self._genitive(units[:i], units[i], units[i + 1 :], bare)
        if len(units) == 2 and units[0].domain == "place" and units[0].kind == "name" and units[1].lemma == "सरकार":
            units[0].out, units[1].out = units[0].english, "Government of"
            return f"Government of {units[0].english}"
        words: list[str] = []
        only = None
        named = [u.kind in ("unknown", "title") or (u.kind == "name" and u.domain != "day") for u in units]
        for i, unit in enumerate(units):
            if unit.lemma in _ONLY:
                only = unit
                continue
            following = units[i + 1] if i + 1 < len(units) else None
            if following is not None and following.kind == "conjunction" and i + 3 >= len(units):
                following = None  # "women and children", but "women's and children's hospital"
            one = i > 0 and units[i - 1].english in ("1", "one")
            word = self._word(unit, following, bare and following is None, one)
            if unit.lemma in COPULA | {"भी", "ही", "तो"}:
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

    def _genitive(self, owner: list[Unit], post: Unit, owned: list[Unit], bare: bool) -> str:
        post.source = "pattern"
        last = owner[-1]
        head = owned[-1]
        if last.kind == "verb":
            text = self._verb_phrase(owner[:-1], last, _doing(last))
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
        if last.lemma in _MATERIALS or last.domain == head.domain == "food":
            return f"{self._noun_phrase(owner, True)} {self._noun_phrase(owned, bare)}"
        post.out = "of"
        return f"{self._noun_phrase(owned, bare)} of {self._noun_phrase(owner, True)}"

    @staticmethod
    def _note(unit: Unit, source: str) -> None:
        unit.source = source


def _doing(verb: Unit) -> str:
    """The verb's gerund, with its negation: "not wearing", as in हेलमेट न पहनने पर."""
    return f"not {gerund(verb.english)}" if verb.negative else gerund(verb.english)


def clauses(units: list[Unit]) -> Iterable[list[Unit]]:
    """Cuts after a command, after है, and around a complete phrase, so that each piece holds one statement."""
    clause: list[Unit] = []
    for i, unit in enumerate(units):
        following = units[i + 1] if i + 1 < len(units) else None
        if unit.kind == "phrase" and unit.lemma != "सख्त मना है":
            # "please", "here" and "ahead" belong to the phrase they stand before.
            if any(u.lemma not in ("कृपया", "कृप्या") and u.kind != "adverb" for u in clause):
                yield clause
                clause = []
            yield [*clause, unit]
            clause = []
            continue
        clause.append(unit)
        ends = unit.lemma in COPULA or (unit.kind == "verb" and unit.form == "imperative")
        if (ends and not (following is not None and following.lemma in COPULA)) or len(clause) >= _LONGEST_CLAUSE:
            yield clause
            clause = []
    if clause:
        yield clause
