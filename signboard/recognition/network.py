"""The recogniser's network: a width-preserving backbone, a small sequence mixer, a CTC head."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from signboard.backbones import build_backbone
from signboard.recognition.charset import DEFAULT_CHARACTERS


@dataclass(frozen=True, slots=True)
class RecognizerConfig:
    """What is needed to build the network again.

    Attributes:
        backbone: a name in `signboard.backbones.BACKBONES`; its text form is used.
        width: factor on the backbone's channels.
        mixer: channels of the sequence mixer.
        mixer_layers: its transformer layers.
        height: rows of a crop, pixels, a multiple of 16.
        grid_layers: transformer layers over rows and columns of frames, for crops that have several rows of them.
        tall: rows of a crop in its tall form (see `recognizer.TALL_BELOW`), a multiple of 16, more than `height`; 0:
            there is none.
        characters: the charset, in the order of the classes.
    """

    backbone: str = "resnet18"
    width: float = 0.375
    mixer: int = 192
    mixer_layers: int = 2
    height: int = 32
    grid_layers: int = 0
    tall: int = 0
    characters: str = DEFAULT_CHARACTERS


class MixerLayer(nn.Module):
    """A transformer layer, normalised first, with a depth-wise convolution that tells positions apart.

    A convolution knows neighbours at any width (Chu et al. 2021, "Conditional positional encodings"), so words longer
    than those of the training set are no surprise.
    """

    position: nn.Conv1d | nn.Conv2d

    def __init__(self, channels: int, head_size: int = 32) -> None:
        super().__init__()
        self.heads = max(channels // head_size, 1)
        self.position = nn.Conv1d(channels, channels, 5, padding=2, groups=channels)
        self.norm1 = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))

    def silence(self) -> None:
        """Zeroes what the layer adds to its input: it passes that on as it is, until it has learned more."""
        for part in (self.position, self.out, self.mlp[-1]):
            for parameter in part.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C) -> (N, T, C)."""
        return self.mix(x + self.neighbours(x.unsqueeze(1)).squeeze(1))

    def neighbours(self, x: Tensor) -> Tensor:
        """What the convolution makes of places (N, rows, T, C), of the same shape.

        As one of two dimensions over rows that lie as they are, it takes a half to a quarter of the time.
        """
        weight = self.position.weight  # (C, 1, 5) or (C, 1, rows, 5)
        if weight.dim() == 3:
            weight = weight.unsqueeze(2)
        padding = (weight.shape[2] // 2, weight.shape[3] // 2)
        y = F.conv2d(x.permute(0, 3, 1, 2), weight, self.position.bias, padding=padding, groups=len(weight))
        return y.permute(0, 2, 3, 1)

    def mix(self, x: Tensor) -> Tensor:
        """Attention and the perceptron, (N, T, C) -> (N, T, C)."""
        x = x + self.out(self.attend(self.qkv(self.norm1(x))))
        return x + self.mlp(self.norm2(x))

    def attend(self, qkv: Tensor) -> Tensor:
        """What each place takes from the others of its crop: queries, keys and values (N, T, 3C) -> (N, T, C)."""
        n, t, c = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
        # (N, T, 3C) -> 3 x (N, heads, T, C / heads)
        q, k, v = qkv.view(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, c)


class GridLayer(MixerLayer):
    """A mixer layer over both axes: each place looks along its row, along its column and everywhere else."""

    position: nn.Conv2d

    def __init__(self, channels: int, head_size: int = 32) -> None:
        super().__init__(channels, head_size)
        self.position = nn.Conv2d(channels, channels, (3, 5), padding=(1, 2), groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, rows, T, C) -> (N, rows, T, C)."""
        x = x + self.neighbours(x)
        n, rows, t, c = x.shape
        return self.mix(x.reshape(n, rows * t, c)).view(n, rows, t, c)


class RowMerge(nn.Module):
    """A frame from the places of a column: their mean, each weighed by a learned score (a softmax down the column)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Linear(channels, 1)

    def silence(self) -> None:
        """Makes all places count alike."""
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """(N, rows, T, C) -> (N, T, C)."""
        if x.shape[1] == 1:
            return x.squeeze(1)
        return (self.score(x).softmax(dim=1) * x).sum(dim=1)


class RecognizerNetwork(nn.Module):
    """Crops -> CTC logits.

    Crops of `height` rows become one row of frames by a convolution over all rows of the backbone's map. Crops of
    `tall` rows keep several: the same convolution slides down the map, layers of attention look over rows and columns,
    and each column becomes a frame.

    Sources: Shi et al. 2015 (CRNN) for convolutions that keep the width and CTC; Du et al. 2024 (SVTRv2) for a mixer of
    attention instead of recurrence, crops of several sizes and rows that are rearranged instead of pooled; Lee and
    Watanabe 2021 for the auxiliary CTC loss below the mixer.
    """

    def __init__(self, config: RecognizerConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or RecognizerConfig()
        self.backbone = build_backbone(c.backbone, width=c.width, text=True)
        info = self.backbone.feature_info[-1]
        rows = -(-c.height // info.stride[0])
        self.collapse = nn.Sequential(
            nn.Conv2d(info.channels, c.mixer, (rows, 1), bias=False), nn.BatchNorm2d(c.mixer), nn.ReLU()
        )
        self.grid = nn.Sequential(*(GridLayer(c.mixer) for _ in range(c.grid_layers)))
        self.merge = RowMerge(c.mixer) if c.tall else None
        self.mixer = nn.Sequential(*(MixerLayer(c.mixer) for _ in range(c.mixer_layers)))
        self.norm = nn.LayerNorm(c.mixer)
        classes = len(c.characters) + 1
        self.head = nn.Linear(c.mixer, classes)
        self.early_head = nn.Linear(c.mixer, classes)

    @property
    def frame_width(self) -> int:
        """Columns of a crop that make one frame."""
        return self.backbone.feature_info[-1].stride[1]

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor | None]:
        """Normalised crops (N, 3, height or tall, W) -> logits (N, T, classes), T = ceil(W / frame_width).

        When training, the logits of the auxiliary head below the mixer come second, else None.
        """
        features = self.backbone(crops)[-1]  # (N, C, rows, T)
        if features.shape[2] > self.window:
            features = F.pad(features, (0, 0, 1, 1))  # letters at the upper and the lower edge, too
        frames = self.frames(self.collapse(features).permute(0, 2, 3, 1))
        logits = self.head(self.norm(self.mixer(frames)))
        return logits, self.early_head(frames) if self.training else None

    @property
    def window(self) -> int:
        """Rows of the backbone's map that one place is made from."""
        return int(self.collapse[0].kernel_size[0])  # type: ignore[union-attr, index]

    def frames(self, places: Tensor) -> Tensor:
        """Places (N, rows, T, mixer) -> frames (N, T, mixer)."""
        if places.shape[1] > 1:
            places = self.grid(places)
        return places.squeeze(1) if self.merge is None else self.merge(places)  # type: ignore[no-any-return]
