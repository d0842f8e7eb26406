"""The network that says a phrase in English, as it is trained: units in, English words and copies of units out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from signboard.translation.speaker import (
    COPY,
    DOMAIN_NAMES,
    GRAMMAR,
    KINDS,
    MOST_UNITS,
    MOST_WORDS,
    Features,
    PhraseConfig,
)


@dataclass(frozen=True, slots=True)
class PhraseBatch:
    """Units of N phrases, at most U each, as the network takes them.

    Attributes:
        spellings: (pieces,) int64, hashed pieces of the spellings of all N * U units, one after the other.
        spelling_starts: (N * U,) int64, where each unit begins in them.
        glosses, gloss_starts: likewise for the words of the glossary's English.
        tags: (N, U, 4) int64: kind, domain, grammatical form, whether a negation is inside.
        inside: (N, U) bool, False for padding.
    """

    spellings: Tensor
    spelling_starts: Tensor
    glosses: Tensor
    gloss_starts: Tensor
    tags: Tensor
    inside: Tensor


def collate(phrases: Sequence[Sequence[Features]], device: torch.device | str = "cpu") -> PhraseBatch:
    """Features of the units of each phrase, padded to the longest phrase."""
    width = max(map(len, phrases))
    spellings: list[int] = []
    glosses: list[int] = []
    starts: tuple[list[int], list[int]] = ([], [])
    tags = torch.zeros(len(phrases), width, 4, dtype=torch.int64)
    inside = torch.zeros(len(phrases), width, dtype=torch.bool)
    for i, phrase in enumerate(phrases):
        for spelling, gloss, _ in phrase:
            starts[0].append(len(spellings))
            starts[1].append(len(glosses))
            spellings += spelling
            glosses += gloss
        padding = width - len(phrase)
        starts[0].extend([len(spellings)] * padding)
        starts[1].extend([len(glosses)] * padding)
        tags[i, : len(phrase)] = torch.tensor([tag for _, _, tag in phrase])
        inside[i, : len(phrase)] = True
    numbers = [torch.tensor(x, dtype=torch.int64) for x in (spellings, starts[0], glosses, starts[1])]
    return PhraseBatch(*(x.to(device) for x in (*numbers, tags, inside)))


class _Attention(nn.Module):
    """Multi-head attention (Vaswani et al., NeurIPS 2017) that can keep the keys and values of earlier steps."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(channels, channels)

    def keys(self, x: Tensor) -> Tensor:
        """(N, L, C) -> (2, N, H, L, C / H), keys and values."""
        n, length, channels = x.shape
        return self.key_value(x).view(n, length, 2, self.heads, channels // self.heads).permute(2, 0, 3, 1, 4)

    def forward(self, x: Tensor, keys: Tensor, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        n, length, channels = x.shape
        query = self.query(x).view(n, length, self.heads, -1).transpose(1, 2)
        said = F.scaled_dot_product_attention(query, keys[0], keys[1], attn_mask=mask, is_causal=causal)
        return self.out(said.transpose(1, 2).reshape(n, length, channels))


class _Layer(nn.Module):
    """One transformer layer, norms first; with `cross`, attention to the encoded units too."""

    def __init__(self, config: PhraseConfig, cross: bool) -> None:
        super().__init__()
        channels = config.channels
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3 if cross else 2))
        self.attention = _Attention(channels, config.heads)
        self.cross = _Attention(channels, config.heads) if cross else None
        self.feed = nn.Sequential(
            nn.Linear(channels, config.inner), nn.GELU(), nn.Dropout(config.dropout), nn.Linear(config.inner, channels)
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, mask: Tensor | None, memory: Tensor | None = None, past: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(N, L, C) -> the same and the keys of all steps so far; `mask` is that of the units."""
        y = self.norms[0](x)
        keys = self.attention.keys(y)
        if past is not None:
            keys = torch.cat((past, keys), 3)
        if self.cross is None:
            x = x + self.dropout(self.attention(y, keys, mask))
        else:
            x = x + self.dropout(self.attention(y, keys, causal=past is None and y.shape[1] > 1))
            assert memory is not None
            x = x + self.dropout(self.cross(self.norms[2](x), memory, mask))
        return x + self.dropout(self.feed(self.norms[1](x))), keys


class PhraseNet(nn.Module):
    """Transformer encoder over units, decoder over English words with a pointer to the units.

    A unit is one position: the mean of its spelling's pieces, of its English's words, and its tags. Each step of the
    decoder chooses between the words of the vocabulary and copying a unit (pointer network, Vinyals et al., NeurIPS
    2015): index `vocabulary + u` says "unit u".
    """

    def __init__(self, config: PhraseConfig) -> None:
        super().__init__()
        self.config = config
        c = config.channels
        self.spelling = nn.EmbeddingBag(config.spellings, c, mode="mean")
        self.gloss = nn.EmbeddingBag(config.glosses, c, mode="mean")
        self.tags = nn.ModuleList(nn.Embedding(n, c) for n in (len(KINDS), len(DOMAIN_NAMES), len(GRAMMAR), 2))
        self.unit_place = nn.Embedding(MOST_UNITS, c)
        self.unit_norm = nn.LayerNorm(c)
        self.encoder = nn.ModuleList(_Layer(config, False) for _ in range(config.encoder_layers))
        self.encoded_norm = nn.LayerNorm(c)
        self.word = nn.Embedding(config.vocabulary, c)
        self.copied = nn.Linear(c, c)
        self.word_place = nn.Embedding(MOST_WORDS + 1, c)
        self.decoder = nn.ModuleList(_Layer(config, True) for _ in range(config.decoder_layers))
        self.out_norm = nn.LayerNorm(c)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary))
        self.pointer = nn.Linear(c, c)
        self.dropout = nn.Dropout(config.dropout)
        for table in (self.spelling, self.gloss, self.word, self.unit_place, self.word_place, *self.tags):
            nn.init.normal_(table.weight, std=c**-0.5)  # type: ignore[arg-type]

    def encode(self, batch: PhraseBatch) -> tuple[Tensor, Tensor]:
        """The encoded units (N, U, C) and their attention mask (N, 1, 1, U)."""
        n, width = batch.inside.shape
        x = self.spelling(batch.spellings, batch.spelling_starts) + self.gloss(batch.glosses, batch.gloss_starts)
        x = x.view(n, width, -1) + sum(table(batch.tags[..., i]) for i, table in enumerate(self.tags))
        x = self.unit_norm(x + self.unit_place.weight[:width])
        x = self.dropout(x)
        mask = batch.inside[:, None, None]
        for layer in self.encoder:
            x, _ = layer(x, mask)
        return self.encoded_norm(x), mask

    def embed(self, words: Tensor, units: Tensor, first: int = 0) -> Tensor:
        """Decoder input for words (N, T), where a copy is its unit; `first` is the place of the first."""
        size = self.config.vocabulary
        x = self.word(words.clamp(max=size - 1).where(words < size, COPY))
        picked = (words - size).clamp(min=0)[..., None].expand(-1, -1, units.shape[-1])
        x = x + self.copied(units.gather(1, picked)) * (words >= size)[..., None]
        return self.dropout(x + self.word_place.weight[first : first + words.shape[1]])

    def score(self, x: Tensor, units: Tensor, inside: Tensor) -> Tensor:
        """(N, T, C) -> (N, T, vocabulary + U) logits; units outside a phrase have none."""
        x = self.out_norm(x)
        pointed = self.pointer(x) @ units.transpose(1, 2) / self.config.channels**0.5
        pointed = pointed.masked_fill(~inside[:, None], -torch.inf)
        return torch.cat((F.linear(x, self.word.weight, self.bias), pointed), -1)

    def forward(self, batch: PhraseBatch, words: Tensor) -> Tensor:
        """Logits (N, T, vocabulary + U) of the next word after each of `words` (N, T), which begin with OPEN."""
        units, mask = self.encode(batch)
        x = self.embed(words, units)
        for layer in self.decoder:
            assert isinstance(layer, _Layer) and layer.cross is not None
            x, _ = layer(x, mask, layer.cross.keys(units))
        return self.score(x, units, batch.inside)
