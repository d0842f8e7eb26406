"""The network that spells Devanagari words in Latin letters, as it is trained: three output slots a character, CTC."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from signboard.translation.transliteration import DEVANAGARI, FIRST, LATIN, PAD


@dataclass(frozen=True, slots=True)
class TransliterationConfig:
    """Sizes of the network.

    Attributes:
        embedding: channels of an input character.
        hidden: units of each direction of each of the two recurrent layers.
        slots: output positions for each input character; "क्ष" -> "ksh" needs one a character, "छ" -> "chh" three.
        channels: channels of an output slot.
        dropout: share of activations dropped while training.
    """

    embedding: int = 96
    hidden: int = 160
    slots: int = 3
    channels: int = 128
    dropout: float = 0.25


class TransliterationNet(nn.Module):
    """Two bidirectional GRU layers over the word's characters, each character widened into output slots, a convolution.

    Nothing is generated letter by letter, so a batch of words is one pass. The alignment between the slots and the
    letters is found by connectionist temporal classification (Graves et al., ICML 2006).
    """

    def __init__(self, config: TransliterationConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TransliterationConfig()
        self.embedding = nn.Embedding(FIRST + len(DEVANAGARI), config.embedding, padding_idx=PAD)
        self.first = nn.GRU(config.embedding, config.hidden, batch_first=True, bidirectional=True)
        self.second = nn.GRU(2 * config.hidden, config.hidden, batch_first=True, bidirectional=True)
        self.widen = nn.Linear(2 * config.hidden, config.slots * config.channels)
        self.smooth = nn.Conv1d(config.channels, config.channels, kernel_size=5, padding=2)
        self.head = nn.Linear(config.channels, 1 + len(LATIN))
        self.dropout = nn.Dropout(config.dropout)
        self.activation = nn.GELU()

    @staticmethod
    def _run(layer: nn.GRU, x: Tensor, lengths: Tensor) -> Tensor:
        """One recurrent layer over padded words: (N, L, C) -> (N, L, 2 * hidden); padding never enters the state."""
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=x.shape[1])[0]

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Log-probabilities of the output symbols.

        Args:
            ids: (N, L) int64, characters of each word between OPEN and CLOSE, PAD after the end.
            lengths: (N,) int64 on the CPU, characters of each word with its two marks.

        Returns:
            (N, slots * L, 1 + letters) log-probabilities; only the first slots * lengths[i] rows of word i count.
        """
        n, length = ids.shape
        x = self._run(self.first, self.dropout(self.embedding(ids)), lengths)  # (N, L, 2H)
        x = x + self._run(self.second, self.dropout(x), lengths)
        x = self.activation(self.widen(self.dropout(x)))
        # Zero the padding, or the convolution would let a longer word in the batch change this one's last letters.
        inside = (torch.arange(length, device=ids.device)[None] < lengths.to(ids.device)[:, None]).to(x.dtype)
        x = (x * inside[..., None]).reshape(n, length * self.config.slots, self.config.channels)  # (N, S, C)
        x = x + self.activation(self.smooth(x.transpose(1, 2)).transpose(1, 2))
        return self.head(self.dropout(x)).log_softmax(-1)
