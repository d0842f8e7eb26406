"""Devanagari to Latin letters: words through the network, and everything around words (digits, dots, other scripts)."""

from __future__ import annotations

import heapq
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from signboard.errors import ConfigError
from signboard.translation.arrays import Array, Weights, gelu, linear
from signboard.translation.grammar import TABLES
from signboard.weights import WEIGHTS_FOLDER, load_arrays

WEIGHTS = WEIGHTS_FOLDER / "transliterator.safetensors"
#: Input symbols of the network; index 0 pads, 1 opens and 2 closes a word. Vowels, consonants, signs.
DEVANAGARI = "अआइईउऊऋऑएऐओऔॐकखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसहँंः़ािीुूृॅेैॉोौ्"
#: Output symbols; index 0 is the CTC blank.
LATIN = "abcdefghijklmnopqrstuvwxyz"
PAD, OPEN, CLOSE, FIRST = 0, 1, 2, 3  # FIRST is the index of DEVANAGARI[0]
_INDEX = {character: FIRST + i for i, character in enumerate(DEVANAGARI)}
#: A word longer than this is not one word of a sign; it is cut into pieces of this many characters.
LONGEST = 40
BATCH = 64

# Letters that the network was not trained on, as the letters they sound like.
_FOLD = str.maketrans("ऩऱऴळॠॄऌॡऍऎऒऄॆॊॲऀॻॼॾॿꣳ", "नरललऋृललएएओअेोऑँगजडबँ", "ॢॣऽ॰\u200c\u200d")
DIGITS = str.maketrans("०१२३४५६७८९", "0123456789")
#: English letters as they are spelled out on signs: एल.आई.सी. is L.I.C.
LETTER_NAMES: dict[str, str] = TABLES["letters"]
# Words whose spelling no rule of sounds gives.
_FIXED = {"ॐ": "om", "डॉ": "dr", "डा": "da"}

#: A run of Devanagari letters and signs (no digits, no danda), joiners inside it included.
WORD = re.compile(r"[ऀ-ॣॱ-ॿ\u200c\u200d]+")
_NAMES = "|".join(sorted(LETTER_NAMES, key=len, reverse=True))
#: One name of a letter; with other things between them, a text is `letters`.
LETTER_NAME = re.compile(_NAMES)
# Two letters or more; the last may lack its dot when no more word follows: एम.डी
_INITIALS = re.compile(rf"(?<![ऀ-ॿ])(?:{_NAMES})[.॰](?:\s?(?:{_NAMES})[.॰])*(?:\s?(?:{_NAMES})[.॰]|(?:{_NAMES})(?![ऀ-ॣ]))")


def clean(text: str) -> str:
    """NFC, without joiners and variation selectors: the form that the glossary and the network work on."""
    return re.sub("[\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]", "", unicodedata.normalize("NFC", text))


def letters(text: str) -> str:
    """Names of English letters as these letters, their dots kept: बी.ए. -> B.A., एच डी एफ सी -> HDFC."""
    return LETTER_NAME.sub(lambda name: LETTER_NAMES[name[0]], text).replace("॰", ".").replace(" ", "")


@dataclass(frozen=True, slots=True)
class Spelling:
    """One Latin spelling of a word. `confidence`: 0 to 1."""

    text: str
    confidence: float


def spelling_net(w: Weights, slots: int, ids: Array, lengths: Array) -> Array:
    """Log-probabilities (N, slots * L, 1 + letters) for characters (N, L) of words of these lengths (N,).

    The network by its weights: two bidirectional GRU layers over the characters, each widened into output slots.
    """
    n, length = ids.shape
    inside = np.arange(length)[None] < lengths[:, None]
    x = _gru(w["embedding.weight"][ids], inside, w, "first")
    x = x + _gru(x, inside, w, "second")
    # Zero the padding, or the convolution would let a longer word in the batch change this one's last letters.
    x = (gelu(linear(x, w, "widen")) * inside[..., None]).reshape(n, length * slots, -1)  # (N, S, C)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (2, 2), (0, 0))), 5, axis=1)
    smooth = np.tensordot(windows, w["smooth.weight"], ((2, 3), (1, 2))) + w["smooth.bias"]
    x = linear(x + gelu(smooth), w, "head")
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def _gru(x: Array, inside: Array, w: Weights, name: str) -> Array:
    """Both directions of a GRU layer (Cho et al., 2014) over (N, L, C) -> (N, L, 2 * H); padding stays zero."""
    out = []
    for way in ("", "_reverse"):
        given = x @ w[f"{name}.weight_ih_l0{way}"].T + w[f"{name}.bias_ih_l0{way}"]
        kernel, bias = w[f"{name}.weight_hh_l0{way}"].T, w[f"{name}.bias_hh_l0{way}"]
        size = len(kernel)
        state = np.zeros((len(x), size), np.float32)
        said = np.zeros((*x.shape[:2], size), np.float32)
        for t in range(x.shape[1])[:: -1 if way else 1]:
            g, h = given[:, t], state @ kernel + bias
            gates = 1 / (1 + np.exp(-(g[:, : 2 * size] + h[:, : 2 * size])))
            reset, update = gates[:, :size], gates[:, size:]
            new = np.tanh(g[:, 2 * size :] + reset * h[:, 2 * size :])
            state = np.where(inside[:, t, None], new + update * (state - new), state)
            said[:, t] = state * inside[:, t, None]
        out.append(said)
    return np.concatenate(out, -1)


def encode_words(words: Sequence[str]) -> tuple[Array, Array]:
    """Words over `DEVANAGARI` as network input; characters outside it are left out.

    Returns:
        ids (N, L) int64, characters between OPEN and CLOSE, PAD after the end; lengths (N,) int64 with the two marks.
    """
    rows = [[OPEN, *(_INDEX[c] for c in word if c in _INDEX), CLOSE] for word in words]
    width = max(map(len, rows), default=0)
    ids = np.array([row + [PAD] * (width - len(row)) for row in rows], dtype=np.int64).reshape(len(rows), width)
    return ids, np.array([len(row) for row in rows], dtype=np.int64)


class Transliterator:
    """The network with its weights. Immutable after construction: one object may serve any number of threads."""

    def __init__(self, net: Callable[[Array, Array], Array], card: dict[str, Any] | None = None) -> None:
        """Takes a function of ids and lengths like `spelling_net`; use `load` for the weights in the package."""
        self._net = net
        self.card = dict(card or {})

    @classmethod
    def load(cls, path: Path | str = WEIGHTS) -> Transliterator:
        """Reads weights (.safetensors, fp16) and the card beside them (.json).

        Raises:
            WeightsError: a file is missing, damaged, or does not belong to this network.
        """

        def build(weights: Weights, card: dict[str, Any]) -> Transliterator:
            if (card["characters_in"], card["characters_out"]) != (DEVANAGARI, LATIN):
                raise ValueError("trained with other characters")
            (_, embedding), (_, hidden) = weights["embedding.weight"].shape, weights["first.weight_hh_l0"].shape
            found = {"embedding": embedding, "hidden": hidden, "channels": len(weights["smooth.weight"])}
            if card["architecture"] | found != card["architecture"]:
                raise ValueError(f"found {found}")
            return cls(partial(spelling_net, weights, card["architecture"]["slots"]), card)

        return load_arrays(Path(path).with_suffix(".json"), "transliterator", build)

    def transliterate_words(self, words: Sequence[str]) -> list[str]:
        """Lower-case Latin spellings of Devanagari words, batched; see `spell_words`."""
        return [spelling.text for spelling in self.spell_words(words)]

    def spell_words(self, words: Sequence[str]) -> list[Spelling]:
        """The network's best spelling for each word, in order. Characters that are not Devanagari letters are dropped.

        The confidence is the geometric mean of the probabilities of the emitted letters.
        """
        prepared = [_prepare(word) for word in words]
        done = {piece: Spelling(latin, 1.0) for piece, latin in _FIXED.items()}
        todo = sorted({piece for pieces in prepared for piece in pieces} - done.keys(), key=len)
        for start in range(0, len(todo), BATCH):
            chunk = todo[start : start + BATCH]
            done.update(zip(chunk, self._greedy(chunk), strict=True))
        found = [[done[piece] for piece in pieces] for pieces in prepared]
        sure = [math.prod(p.confidence for p in parts) ** (1 / max(len(parts), 1)) * bool(parts) for parts in found]
        return [Spelling("".join(p.text for p in parts), c) for parts, c in zip(found, sure, strict=True)]

    def _greedy(self, words: list[str]) -> list[Spelling]:
        ids, lengths = encode_words(words)
        log = self._net(ids, lengths)  # (N, S, 1 + letters)
        best = log.argmax(-1)
        keep = best != 0
        keep[:, 1:] &= best[:, 1:] != best[:, :-1]
        keep &= np.arange(best.shape[1])[None] < (lengths * (best.shape[1] // ids.shape[1]))[:, None]
        sure = np.exp((log.max(-1) * keep).sum(1) / np.maximum(keep.sum(1), 1)).tolist()
        return [
            Spelling("".join(LATIN[i - 1] for i in row[mask]), p if mask.any() else 0.0)
            for row, mask, p in zip(best, keep, sure, strict=True)
        ]

    def n_best(self, word: str, n: int = 5, beam: int = 16) -> list[Spelling]:
        """Up to `n` different spellings of one word, best first, by CTC prefix beam search (Hannun et al., 2014).

        The confidence is the spelling's probability, so the list sums to at most 1.
        """
        if n < 1:
            raise ConfigError(f"n-best must be at least 1, not {n}")
        pieces = _prepare(word)
        if len(pieces) != 1 or pieces[0] in _FIXED:
            return self.spell_words([word] * bool(pieces))
        beams: dict[str, Sequence[float]] = {"": (1.0, 0.0)}  # prefix -> probability ending in blank, in a letter
        for nothing, *frame in np.exp(self._net(*encode_words(pieces))[0]).tolist():
            grown: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
            likely = [(letter, p) for letter, p in zip(LATIN, frame, strict=True) if p >= 1e-4]
            for prefix, (blank, open_) in beams.items():
                grown[prefix][0] += (blank + open_) * nothing
                for letter, p in likely:
                    again = prefix.endswith(letter)
                    grown[prefix + letter][1] += (blank if again else blank + open_) * p
                    grown[prefix][1] += open_ * p * again
            beams = dict(heapq.nlargest(max(beam, 2 * n), grown.items(), key=lambda item: sum(item[1])))
        ranked = heapq.nlargest(n, ((sum(pair), prefix) for prefix, pair in beams.items() if prefix))
        return [Spelling(prefix, p) for p, prefix in ranked]


def tidy(text: str) -> str:
    """`clean`, and the dots and colons that signs write with other marks: डॉ० -> डॉ., प्रात:काल -> प्रातःकाल."""
    text = re.sub("(?<=[ऀ-ॣॱ-ॿ])[०0](?![०-९0-9])", ".", clean(text))
    text = re.sub(r"\.\.(?=[०-९0-9])", ". ", text)
    return re.sub("(?<=[ऀ-ॣॱ-ॿ]):(?=[ऀ-ॣॱ-ॿ])", "ः", text)


def romanizable(text: str) -> str:
    """The text ready for `fill`: tidy, digits 0-9, dandas as full stops, spelled-out English initials as letters."""
    text = _INITIALS.sub(lambda m: letters(m.group()), tidy(text))
    return text.translate(DIGITS).replace("।", ".").replace("॥", ".")


def fill(text: str, spelled: Mapping[str, Spelling]) -> str:
    """A `romanizable` text with every Devanagari word (see `WORD`) replaced by its spelling."""
    return WORD.sub(lambda m: spelled[m.group()].text, text).replace("॰", ".")


def _prepare(word: str) -> list[str]:
    """The word's Devanagari letters in the network's alphabet, cut into pieces of at most LONGEST characters."""
    letters = "".join(c for c in clean(word).translate(_FOLD) if c in _INDEX)
    letters = letters.lstrip("ँंः़ािीुूृॅेैॉोौ्") or letters.replace("्", "")
    return [letters[i : i + LONGEST] for i in range(0, len(letters), LONGEST)]


def to_iso15919(text: str) -> str:
    """The scholarly ISO 15919, a letter for a letter, through the library `indic-transliteration` (MIT).

    Raises:
        ConfigError: the library is not installed (extra `translate`).
    """
    try:
        from indic_transliteration import sanscript
    except ImportError as error:
        raise ConfigError("ISO 15919 needs the library: pip install 'signboard[translate]'") from error
    return str(sanscript.transliterate(clean(text), sanscript.DEVANAGARI, sanscript.ISO))


@cache
def default_transliterator() -> Transliterator:
    """The packaged weights, loaded once on first use."""
    return Transliterator.load()
