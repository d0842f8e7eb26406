"""The little English grammar that signs need: gerunds, participles, plurals, capitals."""

from __future__ import annotations

_DOUBLED = {"stop", "put", "get", "sit", "swim", "spit", "dig", "shut", "cut", "run"}
_PARTICIPLES = {
    "be": "been", "blow": "blown", "break": "broken", "burn": "burnt", "buy": "bought", "come": "come", "do": "done",
    "drink": "drunk", "drive": "driven", "eat": "eaten", "get": "got", "give": "given",
    "go": "gone", "keep": "kept", "leave": "left", "light": "lit", "make": "made", "put": "put", "read": "read",
    "sell": "sold", "sit": "sat", "speak": "spoken", "spit": "spat", "spread": "spread", "stand": "stood",
    "stick": "stuck", "swim": "swum", "take": "taken", "throw": "thrown", "wear": "worn", "write": "written",
}  # fmt: skip
_PLURALS = {
    "man": "men", "cloth": "clothes", "men": "men", "woman": "women", "child": "children", "foot": "feet",
    "tooth": "teeth", "thief": "thieves", "life": "lives", "fish": "fish", "potato": "potatoes",
    "tomato": "tomatoes", "mango": "mangoes", "washerman": "washermen", "craftsman": "craftsmen",
    "salesman": "salesmen",
}  # fmt: skip
#: Words that English counts by the piece or not at all: they stay as they are.
_UNCOUNTED = {
    "advice", "attention", "bread", "butter", "cash", "caution", "cement", "cleanliness", "clothing", "construction",
    "cotton", "credit", "curd", "danger", "drinking", "education", "electricity", "equipment", "fertiliser", "fodder",
    "food", "footwear", "fruit", "furniture", "garbage", "gold", "grocery", "help", "honey", "housing",
    "ice", "information", "iron", "jewellery", "juice", "khadi", "leather", "light", "liquor", "luggage", "machinery",
    "meat", "milk", "money", "music", "mutton", "news", "noise", "oil", "parking", "people", "permission", "police",
    "property", "public", "rain", "repair", "rice", "salt", "sand", "sanitary", "sewing", "shirting", "silence",
    "silver", "smoking", "stationery", "steel", "sugar", "surveillance", "tailoring", "tea", "theft", "tobacco",
    "traffic", "transport", "treatment", "urine", "ware", "waste", "water", "wheat", "wood", "wool", "work", "ghee",
    "lassi", "paneer", "dal", "roti",
}  # fmt: skip
_VOWELS = "aeiou"
#: Words that stay small inside a title.
SMALL = frozenset("of the and for in on to from at by with a an or km m cm kg".split())  # noqa: SIM905

#: Words that only grammar needs.
FUNCTION = SMALL | {
    "is", "are", "be", "do", "does", "no", "not", "'s", ",", "please", "or", "this", "that", "your", "our", "you",
    "we", "it", "as", "will", "has", "have", "been", "was", "were", "rs", "~", "prohibited", "strictly",
    "available",
    "",
}  # fmt: skip
#: What these people have or are for takes the possessive.
POSSESSIVE = {
    "woman": "women's", "girl": "girls'", "boy": "boys'", "child": "children's", "men": "men's", "infant": "infants'",
}  # fmt: skip


def _ended(word: str, ending: str) -> str:
    """The word with -s, -ing or -ed, as English spells it: buses, stopping, carried."""
    if ending == "s":
        ies = word.endswith("y") and word[-2:-1] not in _VOWELS
        return f"{word[:-1]}ies" if ies else word + ("es" if word.endswith(("s", "sh", "ch", "x", "z")) else "s")
    if word in _DOUBLED:
        word += word[-1]
    elif word.endswith("e") and (ending == "ed" or (not word.endswith(("ee", "ye")) and len(word) > 2)):
        word = f"{word[:-2]}y" if word.endswith("ie") and ending == "ing" else word[:-1]
    elif ending == "ed" and word.endswith("y") and word[-2:-1] not in _VOWELS:
        word = f"{word[:-1]}i"
    return word + ending


def gerund(phrase: str) -> str:
    """ "take photographs" -> "taking photographs"."""
    word, space, rest = phrase.partition(" ")
    return _ended(word, "ing") + space + rest


def participle(phrase: str) -> str:
    """ "repair punctures" -> "repaired punctures"."""
    word, space, rest = phrase.partition(" ")
    return (_PARTICIPLES.get(word) or _ended(word, "ed")) + space + rest


def third_person(phrase: str) -> str:
    """ "make" -> "makes"."""
    word, space, rest = phrase.partition(" ")
    return ({"be": "is", "do": "does", "go": "goes"}.get(word) or _ended(word, "s")) + space + rest


def plural(phrase: str) -> str:
    """ "sweet shop" -> "sweet shops"; what is not counted, plural already, or ends in a name stays."""
    head, of, tail = phrase.partition(" of ")
    before, space, word = head.rpartition(" ")
    low = word.lower()
    many = low.endswith("s") and not low.endswith(("ss", "us"))
    word = _PLURALS.get(low) or (word if low in _UNCOUNTED or many else _ended(word, "s"))
    return f"{before}{space}{word}{of}{tail}"


def uncounted(phrase: str) -> bool:
    """Whether it ends in a word that English does not count: footwear is, not are."""
    return phrase.rpartition(" ")[2].lower() in _UNCOUNTED


def upper_first(text: str) -> str:
    """Capital at the first letter, even behind digits' or quotes' marks; the rest untouched."""
    for i, c in enumerate(text):
        if c.isalpha():
            return text[:i] + c.upper() + text[i + 1 :]
        if c.isdigit():
            return text
    return text


_FORMS = {"+s": plural, "+ing": gerund, "+ed": participle, "+3": third_person}


def inflect(english: str, form: str) -> str:
    """English in a form that the network asks for: "shop", "+s" -> "shops"; another form changes nothing."""
    return _FORMS[form](english) if form in _FORMS else english
