"""The phrase network with its weights: units in, tokens of English with a calibrated confidence out."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from signboard.translation.arrays import Array, Weights, keys_values, layer, like, linear, norm, softmax, to_numpy
from signboard.translation.glossary import DOMAINS, PARTS_OF_SPEECH, fold
from signboard.translation.units import KEPT, Unit
from signboard.weights import WEIGHTS_FOLDER, load_arrays

CARD = WEIGHTS_FOLDER / "translator.json"
BATCH = 64
#: Log-probability of what has no end.
CUT_OFF = -99.0
#: First words of every output vocabulary. COPY stands for "a unit": its index says which.
PAD, OPEN, CLOSE, COPY = 0, 1, 2, 3
#: What may follow a copied unit: plural, gerund, participle, third person, and the words behind ~ in the glossary.
FORMS = ("+s", "+ing", "+ed", "+3", "~")
SPECIAL = ("<pad>", "<open>", "<close>", "<copy>", *FORMS)
KINDS = ("", *sorted(PARTS_OF_SPEECH), "unknown", "number", "latin", "letters")
DOMAIN_NAMES = ("", *sorted(DOMAINS))
_VERBS = ("infinitive", "imperative", "habitual", "progressive", "will", "passive", "future", "after")
GRAMMAR = ("", "base", "plural", "oblique", *_VERBS)
#: Forms that the network has not learned, as those that it knows.
_HEARD_AS = {"past": "passive", "may": "will", "may be": "future"}
#: Most units of one phrase, and most words of its English.
MOST_UNITS, MOST_WORDS = 32, 40


@dataclass(frozen=True, slots=True)
class PhraseConfig:
    """Sizes of the network.

    Attributes:
        vocabulary: English words it can say itself, the special ones included.
        channels: width of every layer; a multiple of `heads`.
        heads: attention heads.
        inner: width inside the feed-forward layers.
        encoder_layers, decoder_layers: transformer layers over the units, and over the English words.
        spellings: rows of the table for pieces of Hindi spelling; pieces share rows by their hash.
        glosses: rows of the table for the words of the glossary's English, likewise.
        dropout: share of activations dropped while training.
    """

    vocabulary: int
    channels: int = 256
    heads: int = 4
    inner: int = 768
    encoder_layers: int = 3
    decoder_layers: int = 2
    spellings: int = 12000
    glosses: int = 6000
    dropout: float = 0.1


Features = tuple[tuple[int, ...], tuple[int, ...], tuple[int, int, int, int]]


def features(unit: Unit, config: PhraseConfig) -> Features:
    """Hashed pieces of the unit's spelling, hashed words of its English, and its tags; see `PhraseBatch`."""
    kept = unit.kind in KEPT
    spelling = () if kept else _pieces(fold(unit.text), config.spellings)
    words = () if kept else unit.english.lower().split()
    gloss = tuple(zlib.crc32(word.encode()) % config.glosses for word in words)
    form = GRAMMAR.index(_HEARD_AS.get(unit.form, unit.form))
    tags = (KINDS.index(unit.kind), DOMAIN_NAMES.index(unit.domain), form, int(unit.negative))
    return spelling, gloss, tags


@lru_cache(1 << 16)
def _pieces(text: str, rows: int) -> tuple[int, ...]:
    found = set()
    for word in text.split():
        marked = f"<{word}>"
        found.add(marked)
        found.update(marked[i : i + n] for n in (3, 4) for i in range(len(marked) - n + 1))
        found.add(f"${word[-2:]}")
    return tuple(sorted(zlib.crc32(piece.encode()) % rows for piece in found))


@dataclass(frozen=True, slots=True)
class Speech:
    """What the network says for one phrase.

    Attributes:
        tokens: (word, unit, near): a word of its own with the unit it is most about; or "" and the unit that it copies.
            Words that begin with "+" inflect the word before them; "~" is what the glossary has behind a verb's object.
        confidence: 0 to 1, the share of phrases with such probabilities that are right word for word.
        log_probability: of all of it, before calibration; CUT_OFF where it was cut off.
    """

    tokens: tuple[tuple[str, int | None, int], ...]
    confidence: float
    log_probability: float


class Speaker:
    """Immutable after construction; threads may share it.

    Args:
        weights: of a `PhraseNet`; on a GPU where they are torch tensors there.
        config: its sizes.
        vocabulary: its words.
        calibration: scale and shift of the logistic function that makes a share of right phrases of a log-probability.
    """

    def __init__(
        self, weights: Weights, config: PhraseConfig, vocabulary: Sequence[str], calibration: Sequence[float] = (1, 0)
    ) -> None:
        self._w, self.config = weights, config
        self.vocabulary = tuple(vocabulary)
        self._scale, self._shift = calibration

    @classmethod
    def load(cls, path: Path | str = CARD, device: str = "cpu") -> Speaker:
        """Reads a card (.json) and the weights that it names.

        Raises:
            WeightsError: a file is missing, damaged, or does not belong to this network.
        """

        def build(weights: Weights, card: dict[str, Any]) -> Speaker:
            config = PhraseConfig(**card["architecture"])
            if not len(card["vocabulary"]) == config.vocabulary == len(weights["word.weight"]):
                raise ValueError("another vocabulary")
            if device != "cpu":
                import torch

                weights = {name: torch.from_numpy(value).to(device) for name, value in weights.items()}
            return cls(weights, config, card["vocabulary"], card.get("calibration", (1.0, 0.0)))

        return load_arrays(path, "translator", build)

    def say(self, phrases: Sequence[Sequence[Unit]]) -> list[Speech]:
        """English for the units of each phrase, in order, batched by length; numbers and Latin words pass just once."""
        out: dict[int, Speech] = {}
        order = sorted(range(len(phrases)), key=lambda i: len(phrases[i]))
        for start in range(0, len(order), BATCH):
            chunk = order[start : start + BATCH]
            rows = [[features(unit, self.config) for unit in phrases[i]] for i in chunk]
            out.update(zip(chunk, self._say(rows), strict=True))
        return [out[i] for i in range(len(phrases))]

    def _encode(self, rows: Sequence[Sequence[Features]]) -> tuple[Array, Array, Array, Array]:
        """The encoded units (N, U, C), their mask, and which of them (N, U) are no padding, and which are kept."""
        w, width = self._w, max(map(len, rows))
        inside = np.array([[k < len(row) for k in range(width)] for row in rows])
        padded = [row[k] if k < len(row) else ((), (), (0, 0, 0, 0)) for row in rows for k in range(width)]
        x = self._mean("spelling", [f[0] for f in padded]) + self._mean("gloss", [f[1] for f in padded])
        tags = np.array([f[2] for f in padded])
        for i in range(tags.shape[1]):
            x = x + w[f"tags.{i}.weight"][like(x, tags[:, i])]
        x = norm(x.reshape(len(rows), width, -1) + w["unit_place.weight"][:width], w, "unit_norm")
        mask = like(x, np.where(inside, np.float32(0), np.float32(-1e9))[:, None, None])
        for i in range(self.config.encoder_layers):
            x, _ = layer(x, w, f"encoder.{i}", self.config.heads, mask)
        kept = np.isin(tags[:, 0], [KINDS.index(kind) for kind in KEPT]).reshape(inside.shape)
        return norm(x, w, "encoded_norm"), mask, inside, kept

    def _mean(self, table: str, rows: Sequence[Sequence[int]]) -> Array:
        """Mean of the rows of a table that each list names, zero for an empty list: (len(rows), C)."""
        count = np.array([len(row) for row in rows])
        width = max(1, int(count.max()))
        index = np.array([(*row, *[0] * (width - len(row))) for row in rows], dtype=np.int64)
        share = ((np.arange(width) < count[:, None]) / np.maximum(count, 1)[:, None]).astype(np.float32)
        weights = self._w[f"{table}.weight"]
        return (like(weights, share)[:, None] @ weights[like(weights, index)])[:, 0]

    def _say(self, rows: Sequence[Sequence[Features]]) -> list[Speech]:
        """The likeliest English of each phrase, word by word, with the keys of earlier words kept.

        No unit is copied twice. Numbers and the like are copied in their order, and the end comes not before the last.
        """
        w, size, heads = self._w, self.config.vocabulary, self.config.heads
        units, mask, inside, needed = self._encode(rows)
        layers = range(self.config.decoder_layers)
        memory = [keys_values(units, w, f"decoder.{i}.cross", heads) for i in layers]
        past: list[Array] = [None] * len(layers)
        early = needed.cumsum(1) - needed  # needed units before each unit
        used, ended = np.zeros_like(needed), np.zeros(len(rows), bool)
        word, at = np.full(len(rows), OPEN), np.arange(len(rows))
        words, chances, about = [], [], []
        for step in range(MOST_WORDS):
            copied = word >= size
            x = w["word.weight"][like(units, np.where(copied, COPY, word))] + w["word_place.weight"][step]
            picked = linear(units[like(units, at), like(units, np.where(copied, word - size, 0))], w, "copied")
            x = (x + picked * like(units, copied.astype(np.float32))[:, None])[:, None]
            for i in layers:
                x, past[i] = layer(x, w, f"decoder.{i}", heads, mask, past[i], memory[i])
            x = norm(x, w, "out_norm")
            pointed = (linear(x, w, "pointer") @ units.swapaxes(1, 2))[:, 0] / self.config.channels**0.5
            spoken = x[:, 0] @ w["word.weight"].T + w["bias"]
            logits = np.concatenate([to_numpy(spoken), to_numpy(pointed)], axis=1)
            waiting = needed & (early > (needed & used).sum(1, keepdims=True))
            logits[:, size:][used | waiting | ~inside] = -np.inf
            logits[:, [PAD, OPEN, COPY]] = -np.inf
            logits[(needed & ~used).any(1), CLOSE] = -np.inf
            chance = softmax(logits)
            word = np.where(ended, CLOSE, chance.argmax(1))
            copied = word >= size
            words.append(word)
            chances.append(chance[at, word])
            about.append(np.where(copied, word - size, logits[:, size:].argmax(1)))
            used[at[copied], word[copied] - size] = True
            ended = ended | (word == CLOSE)
            if ended.all():
                break
        table = zip(*(np.stack(x, 1).tolist() for x in (words, chances, about)), strict=True)
        return [self._speech(*row) for row in table]

    def _speech(self, words: list[int], chances: list[float], about: list[int]) -> Speech:
        end = words.index(CLOSE) if CLOSE in words else len(words)
        size = len(self.vocabulary)
        tokens = tuple(
            (self.vocabulary[word], None, near) if word < size else ("", word - size, near)
            for word, near in zip(words[:end], about, strict=False)
        )
        whole = sum(math.log(max(c, 1e-6)) for c in chances[: end + 1]) if end < len(words) else CUT_OFF
        return Speech(tokens, 1 / (1 + math.exp(-self._scale * whole - self._shift)), whole)
