"""What English sounds become in Hindi, learned from loanwords: the costs of the channel of `translation.spelling`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np

from signboard.translation.spelling import HINDI_SOUNDS, sounds

Spoken = Mapping[str, Sequence[Sequence[str]]]
"""The ways to say each English word, in phones of the CMU Pronouncing Dictionary."""

LEAST_COMMON = 2.0
"""Words that are rarer than this are left out; logarithm to base 10 of how often a word is in a billion."""


def _table(text: str) -> dict[str, str]:
    """Of "a=b c=d"."""
    return dict(item.split("=") for item in text.split())


#: One sign for each sound of English; diphthongs and -er are two.
PHONES = _table("""
AA=1 AE=2 AH=3 AO=4 AW=5u AY=5i B=b CH=c D=d DH=q EH=6 ER=7r EY=8 F=f G=g HH=h IH=i IY=I JH=j K=k L=l M=m N=n
NG=NG OW=o OY=4i P=p R=r S=s SH=S T=t TH=x UH=u UW=U V=v W=w Y=y Z=z ZH=Z
""")
ENGLISH_SOUNDS = "".join(sorted(set("".join(PHONES.values()))))
#: What each sound of English may be in Hindi before anything was learned, likeliest first.
PRIOR = _table("""
1=aAo@ 2=E&ea 3=@aiueo 4=oAaO 5=aO 6=eE 7=@aei 8=e b=b c=c d=Dd q=d f=f g=g h=h i=iIe@ I=Ii j=jz k=k l=l m=mM
n=nM N=Mn G=g o=o p=p r=rR s=s S=S t=Tt x=xQ u=uU U=Uu v=v w=v y=y z=zjs Z=jz
""")
BRITISH = _table("""
center=centre centers=centres theater=theatre jewelry=jewellery color=colour colors=colours tire=tyre
tires=tyres meter=metre liter=litre parlor=parlour fiber=fibre organization=organisation program=programme
harbor=harbour neighbor=neighbour labor=labour jeweler=jeweller jewelers=jewellers traveler=traveller
travelers=travellers aluminum=aluminium catalog=catalogue check=cheque license=licence defense=defence
favorite=favourite
""")


def sounds_of(phones: Sequence[str], *, plural: bool = False) -> str:
    """Phones with or without their stress (AH0, S) as `ENGLISH_SOUNDS`; `plural` adds the -s of the plural."""
    bare = [phone.rstrip("012") for phone in phones]
    if plural:
        bare.append("S" if bare[-1] in ("K", "P", "T", "F", "TH") else "Z")
    return "".join(PHONES[phone] for phone in bare)


def entries(
    words: Iterable[str], spoken: Spoken, frequency: Callable[[str], float], on_signs: Collection[str]
) -> list[tuple[str, str, float]]:
    """(word in British spelling, sounds, commonness) of words and their plurals that have between 2 and 18 sounds.

    Args:
        words: English, in lower case.
        frequency: how common a word is, see `LEAST_COMMON`.
        on_signs: words that signs say: they are likelier there than in the language.
    """
    out: dict[tuple[str, str], float] = {}
    words = set(words)
    for word in sorted(words | {w + "s" for w in words}):
        stem = word[:-1] if word.endswith("s") and word not in spoken else word
        common = frequency(word)
        if common < LEAST_COMMON:
            continue
        signs = word in on_signs or (word.endswith("s") and word[:-1] in on_signs)
        common = min(common, 5.2) + (2.2 if signs else 0.0)
        for phones in spoken.get(stem, ()):
            text = sounds_of(phones, plural=stem != word)
            if 1 < len(text) <= 18:
                key = BRITISH.get(word, word), text
                out[key] = max(common, out.get(key, common))
    return [(word, text, common) for (word, text), common in sorted(out.items())]


def pairs_of(phrases: Iterable[tuple[str, str]], rows: Iterable[tuple[str, str, float]]) -> list[tuple[str, list[str]]]:
    """Pairs to learn from: word by word those of (Hindi, English) phrases that have as many words.

    Args:
        rows: of `entries`; words that are not among them give no pair.
    """
    spoken: dict[str, list[str]] = {}
    for word, text, _ in rows:
        spoken.setdefault(word, []).append(text)
    pairs = []
    for hindi, english in phrases:
        ours, theirs = hindi.split(), english.lower().split()
        if len(ours) == len(theirs):
            pairs += [(sounds(h), spoken[e]) for h, e in zip(ours, theirs, strict=True) if e in spoken and sounds(h)]
    return pairs


def start_costs() -> np.ndarray:
    """Costs by `PRIOR`: rows English sounds and "nothing", columns Hindi sounds and "nothing"."""
    costs = np.full((len(ENGLISH_SOUNDS) + 1, len(HINDI_SOUNDS) + 1), 4.0)
    for sound, likely in PRIOR.items():
        for rank, h in enumerate(likely):
            costs[ENGLISH_SOUNDS.index(sound), HINDI_SOUNDS.index(h)] = 0.1 + 0.7 * rank
    vowels = "@aiIuUeEoOA&"
    for sound in "12345678iIoUu":
        row = costs[ENGLISH_SOUNDS.index(sound)]
        for h in vowels:
            row[HINDI_SOUNDS.index(h)] = min(row[HINDI_SOUNDS.index(h)], 2.5)
        row[-1] = 2.0 if sound not in "37" else 1.0
    costs[ENGLISH_SOUNDS.index("G"), -1] = 0.3
    costs[-1, HINDI_SOUNDS.index("@")] = 0.7
    costs[-1, HINDI_SOUNDS.index("h")] = 2.5
    costs[-1, -1] = 0.0
    return costs


def best_path(english: str, hindi: str, costs: np.ndarray) -> tuple[float, list[tuple[int, int]]]:
    """The cheapest edits from one to the other, as (row, column) of the cost table."""
    e = [ENGLISH_SOUNDS.index(s) for s in english]
    h = [HINDI_SOUNDS.index(s) for s in hindi]
    none_e, none_h = len(ENGLISH_SOUNDS), len(HINDI_SOUNDS)
    table: list[list[tuple[float, tuple[int, int] | None]]] = [[(0.0, None)] * (len(h) + 1) for _ in range(len(e) + 1)]
    for i in range(len(e) + 1):
        for j in range(len(h) + 1):
            options = []
            if i and j:
                options.append((table[i - 1][j - 1][0] + costs[e[i - 1], h[j - 1]], (e[i - 1], h[j - 1])))
            if i:
                options.append((table[i - 1][j][0] + costs[e[i - 1], none_h], (e[i - 1], none_h)))
            if j:
                options.append((table[i][j - 1][0] + costs[none_e, h[j - 1]], (none_e, h[j - 1])))
            if options:
                table[i][j] = min(options)
    path, i, j = [], len(e), len(h)
    while i or j:
        edit = table[i][j][1]
        assert edit is not None
        path.append(edit)
        i -= edit[0] != none_e
        j -= edit[1] != none_h
    return float(table[-1][-1][0]), path


def learn(
    pairs: Sequence[tuple[str, Sequence[str]]],
    costs: np.ndarray,
    rounds: int = 6,
    said: Callable[[str], None] = lambda line: None,
) -> np.ndarray:
    """Costs as negative logarithms of how often each edit is made on the cheapest paths.

    Source: Ristad and Yianilos, "Learning string-edit distance", IEEE PAMI 20(5), 1998.

    Args:
        pairs: the sounds of a Hindi word, and those that its English word may have.
        costs: to start with, see `start_costs`.
        said: is told how many pairs each round took for loanwords.
    """
    prior = np.exp(-costs)
    for _ in range(rounds):
        counts = prior * 2.0
        kept = 0
        for hindi, spoken in pairs:
            cost, path = min(best_path(english, hindi, costs) for english in spoken)
            if cost / len(hindi) > 1.0:
                continue  # no loanword after all
            kept += 1
            for edit in path:
                counts[edit] += 1
        new = np.empty_like(costs)
        new[:-1] = -np.log(counts[:-1] / counts[:-1].sum(1, keepdims=True))
        # What is inserted is counted against all letters of Hindi.
        new[-1] = -np.log(counts[-1] / (counts[-1, :-1].sum() + counts[:-1].sum())) - 1.0
        new[-1, -1] = 0
        costs = np.minimum(new, 6.0)
        said(f"{kept} of {len(pairs)} pairs are loanwords")
    return costs
