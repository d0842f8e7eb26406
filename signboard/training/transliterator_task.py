"""The training of the network that spells Devanagari in Latin letters: its config, lexicon, loss and figures."""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from rapidfuzz.distance import Levenshtein
from torch import nn

from signboard.errors import DataError
from signboard.training.config import StrictModel
from signboard.training.engine import Ema
from signboard.training.transliteration_network import TransliterationConfig, TransliterationNet
from signboard.translation.transliteration import DEVANAGARI, LATIN, Transliterator, encode_words
from signboard.weights import save_weights

#: Word -> its spellings, each with its votes.
Lexicon = dict[str, list[tuple[str, int]]]


class TransliteratorConfig(StrictModel):
    """A run of `scripts/train_transliterator.py`.

    Attributes:
        epochs: passes over the words; each word draws one of its spellings, by votes.
        learning_rate: the peak, after the warm-up; it falls as a cosine to 0.5 % of it.
        average_decay: per step, of the running average of the weights that is saved.
        vote_power: a spelling is drawn with probability proportional to votes ** vote_power.
        variant_rate: share of words met in a variant spelling, see `variant`.
        embedding, hidden, slots, channels, dropout: see `TransliterationConfig`.
    """

    seed: int = 0
    threads: int = Field(1, gt=0)
    epochs: int = Field(20, gt=0)
    batch_size: int = Field(96, gt=0)
    learning_rate: float = Field(2e-3, gt=0)
    warmup_steps: int = Field(200, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    average_decay: float = Field(0.998, ge=0, lt=1)
    vote_power: float = Field(1.0, ge=0)
    variant_rate: float = Field(0.08, ge=0, le=1)
    embedding: int = Field(96, gt=0)
    hidden: int = Field(160, gt=0)
    slots: int = Field(3, gt=0)
    channels: int = Field(128, gt=0)
    dropout: float = Field(0.25, ge=0, lt=1)

    def network(self) -> TransliterationConfig:
        """The keys that the network itself takes."""
        return TransliterationConfig(self.embedding, self.hidden, self.slots, self.channels, self.dropout)


def load_lexicon(path: Path) -> Lexicon:
    """Reads latin, devanagari, votes rows into word -> [(spelling, votes)].

    Raises:
        DataError: no such file, or a row (named by its number) is not as it should be.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; pass the lexicon with --train and --dev")
    lexicon: Lexicon = {}
    for number, row in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        parts = row.split("\t")
        if len(parts) != 3 or not parts[2].isdigit():
            raise DataError(f"{path}:{number}: expected latin, devanagari, votes separated by tabs")
        latin, word, votes = parts
        if set(latin) - set(LATIN) or set(word) - set(DEVANAGARI):
            raise DataError(f"{path}:{number}: a character that the network does not know: {latin!r} {word!r}")
        lexicon.setdefault(word, []).append((latin, int(votes)))
    return lexicon


def variant(word: str, rng: random.Random) -> str:
    """A spelling that signs use for the same word: chandrabindu and anusvara swapped, or nukta left out."""
    swapped = word.translate({0x901: 0x902, 0x902: 0x901})
    return rng.choice([swapped, word.replace("\u093c", "")])


def batches(words: Sequence[str], size: int, rng: random.Random) -> Iterator[list[str]]:
    """Batches of words of similar length, in random order."""
    words = rng.sample(words, len(words))
    span = size * 20
    chunks: list[list[str]] = []
    for start in range(0, len(words), span):
        near = sorted(words[start : start + span], key=len)
        chunks += [near[i : i + size] for i in range(0, len(near), size)]
    rng.shuffle(chunks)
    return iter(chunks)


def train(config: TransliteratorConfig, lexicon: Lexicon) -> TransliterationNet:
    """Trains from scratch and returns the running average of the weights.

    Raises:
        DataError: the loss is no number any more.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    rng = random.Random(config.seed)
    net = TransliterationNet(config.network())
    average = Ema(net, config.average_decay)
    words = list(lexicon)
    weights = {w: [v**config.vote_power for _, v in rows] for w, rows in lexicon.items()}
    total = config.epochs * sum(1 for _ in batches(words, config.batch_size, random.Random(0)))
    size = sum(p.numel() for p in net.parameters())
    print(f"{len(words)} words, {size} parameters, {total} steps", file=sys.stderr, flush=True)
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.98)
    )
    criterion = nn.CTCLoss(zero_infinity=True)  # a few spellings are longer than their slots
    step, start = 0, time.monotonic()
    for epoch in range(config.epochs):
        running, seen = 0.0, 0
        for batch in batches(words, config.batch_size, rng):
            targets = [rng.choices(lexicon[w], weights[w])[0][0] for w in batch]
            shown = [variant(w, rng) if rng.random() < config.variant_rate else w for w in batch]
            ids, lengths = map(torch.from_numpy, encode_words(shown))
            scale = min(1.0, (step + 1) / config.warmup_steps)
            scale *= 0.5 * (1 + math.cos(math.pi * step / total)) * 0.995 + 0.005
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * scale
            flat = torch.tensor([1 + LATIN.index(c) for t in targets for c in t])
            sizes = torch.tensor([len(t) for t in targets])
            loss = criterion(net(ids, lengths).transpose(0, 1), flat, lengths * config.slots, sizes)
            if not torch.isfinite(loss):
                raise DataError(f"the loss is {float(loss.detach())} at step {step}; lower learning_rate")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            average.update(net, step)
            step += 1
            running, seen = running + float(loss.detach()) * len(batch), seen + len(batch)
        spent = time.monotonic() - start
        print(f"epoch {epoch + 1}  loss {running / seen:.4f}  {spent:.0f} s", file=sys.stderr, flush=True)
    net.load_state_dict(average.state)
    return net.eval()


def save(
    net: TransliterationNet, config: TransliteratorConfig, card: Path, figures: Mapping[str, Any] | None = None
) -> None:
    """Writes fp16 weights and their card, which also says the `figures`."""
    said = {
        "model": "transliteration", "kind": "transliterator",
        "architecture": {k: getattr(net.config, k) for k in TransliterationConfig.__dataclass_fields__},
        "training": config.model_dump(), "characters_in": DEVANAGARI, "characters_out": LATIN,
        "trained_on": "the Hindi lexicon of Dakshina (latin, devanagari, votes), its training rows",
        "data_licence": "CC BY-SA 4.0; used for training only, no row is part of this file",
        "licence": "Apache-2.0",
    }  # fmt: skip
    if figures is not None:
        said["figures"] = {k: v for k, v in figures.items() if not k.startswith("words_per") and k != "threads"}
        said["figures_command"] = "python scripts/train_transliterator.py --evaluate"
    save_weights(card, net.state_dict(), said)


def evaluate(model: Transliterator, lexicon: Lexicon, show: int = 0) -> dict[str, Any]:
    """Share of words whose output is an attested spelling, mean CER to the nearest one, and words a second.

    Args:
        show: so many missed words are printed on stderr.
    """
    words = list(lexicon)
    model.transliterate_words(words[:64])  # first call pays for lazy set-up
    start, processor = time.perf_counter(), time.process_time()
    outputs = model.transliterate_words(words)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    attested, error = 0, 0.0
    for word, output in zip(words, outputs, strict=True):
        known = [s for s, _ in lexicon[word]]
        attested += output in known
        error += min(Levenshtein.distance(output, s) / len(s) for s in known)
        if output not in known and show > 0:
            print(f"{word}\t{output}\t{' '.join(known)}", file=sys.stderr)
            show -= 1
    n = len(words)
    return {
        "words": n,
        "attested": attested,
        "attested_share": round(attested / n, 4),
        "cer_nearest": round(error / n, 4),
        "words_per_second": round(n / seconds),
        # On a busy machine the clock says little; this says what one core does.
        "words_per_cpu_second": round(n / processor),
        "threads": torch.get_num_threads(),
    }


def table(figures: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    heads = ("words", "attested", "share attested", "CER to nearest", "words/s", "words/CPU s", "threads")
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (heads, ["---"] * 7, figures.values()))
