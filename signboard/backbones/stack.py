"""Networks that are one stack of convolutions and pools: the layer table as data, and what builds from it.

AlexNet, ZFNet and VGG are such tables (`alexnet.py`, `zfnet.py`, `vgg.py`). `ConvStack` builds a paper's classifier
from one, `StackBackbone` the feature form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from signboard.backbones.base import Backbone, Pair, initialise, plain_strides, scaled, text_strides
from signboard.backbones.heads import Classifier


@dataclass(frozen=True, slots=True)
class Conv:
    """A square convolution followed by ReLU. `padding` None is half the kernel, which gives ceil(size / stride)."""

    channels: int
    kernel: int
    stride: int = 1
    padding: int | None = None
    groups: int = 1


@dataclass(frozen=True, slots=True)
class Pool:
    """A max pool. `ceil` keeps a last window that hangs over the edge, as Caffe did."""

    kernel: int
    stride: int
    ceil: bool = False


@dataclass(frozen=True, slots=True)
class LocalNorm:
    """Local response normalisation over `size` neighbouring channels (Krizhevsky et al. 2012, section 3.3).

    `alpha` is the paper's, which multiplies the sum of squares; PyTorch's and Caffe's multiplies their mean.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 2.0

    def build(self) -> nn.Module:
        """The PyTorch layer that computes the same."""
        return nn.LocalResponseNorm(self.size, alpha=self.alpha * self.size, beta=self.beta, k=self.k)


@dataclass(frozen=True, slots=True)
class Tap:
    """The output of the layer before is a feature map of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class StackForm:
    """A classifier as data.

    Attributes:
        layers: convolutions, pools and norms in order.
        grid: side of the map that the first fully connected layer takes. Pictures of another size than `input_size` are
            averaged to this grid; at `input_size` nothing changes.
        input_size: side of the paper's pictures, pixels.
        dropout_first: torchvision's AlexNet drops before the fully connected layers, Caffe and VGG after them.
        hidden: units of the two hidden fully connected layers.
    """

    layers: tuple[Conv | Pool | LocalNorm, ...]
    grid: int
    input_size: int
    dropout_first: bool = False
    hidden: int = 4096

    @property
    def smallest(self) -> int:
        """Side of the smallest picture of which a map is left at the end, pixels."""
        size = 1
        for layer in reversed(self.layers):
            if isinstance(layer, Conv):
                padding = layer.kernel // 2 if layer.padding is None else layer.padding
                size = max(1, (size - 1) * layer.stride + layer.kernel - 2 * padding)
            elif isinstance(layer, Pool):
                size = (size - 1) * layer.stride + layer.kernel - (layer.stride - 1 if layer.ceil else 0)
        return size


class ConvStack(Classifier):
    """A classifier from a `StackForm`: `features`, an average to the grid, three fully connected layers.

    The names (features.N, classifier.N) are torchvision's.
    """

    def __init__(self, form: StackForm, num_classes: int, *, in_channels: int = 3, localisation: bool = False) -> None:
        super().__init__(num_classes, in_channels, input_size=form.input_size, smallest=form.smallest)
        before = in_channels
        layers: list[nn.Module] = []
        for layer in form.layers:
            if isinstance(layer, Conv):
                padding = layer.kernel // 2 if layer.padding is None else layer.padding
                layers.append(
                    nn.Conv2d(before, layer.channels, layer.kernel, layer.stride, padding, groups=layer.groups)
                )
                layers.append(nn.ReLU())
                before = layer.channels
            elif isinstance(layer, Pool):
                layers.append(nn.MaxPool2d(layer.kernel, layer.stride, ceil_mode=layer.ceil))
            else:
                layers.append(layer.build())
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((form.grid, form.grid))
        flat, hidden = before * form.grid**2, form.hidden
        first = [nn.Linear(flat, hidden), nn.ReLU(), nn.Dropout(0.5)]
        second = [nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(0.5)]
        if form.dropout_first:
            first, second = first[2:] + first[:2], second[2:] + second[:2]
        self.classifier = nn.Sequential(*first, *second, nn.Linear(hidden, num_classes))
        self._finish(localisation)

    def hidden(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(N, C, H, W) -> the second hidden layer, (N, 4096); no auxiliary logits."""
        x = self.avgpool(self.features(x)).flatten(1)  # (N, channels * grid * grid)
        for layer in list(self.classifier)[:-1]:
            x = layer(x)
        return x, ()

    def last_layer(self) -> nn.Linear:
        """The layer that gives the logits."""
        layer = self.classifier[-1]
        assert isinstance(layer, nn.Linear)
        return layer


class StackBackbone(Backbone):
    """A stack in the feature form: batch norm after each convolution, same-style padding, maps at the taps.

    Batch norm stands in for the papers' local response normalisation (or nothing), because these networks train from
    scratch here on a small budget. Pools of an even kernel keep the hanging window, so each map is ceil(size / stride).

    Args:
        layers: the table, with a `Tap` after each layer whose output is a feature map.
        width: multiplies all channel counts, rounded to multiples of 8.
        in_channels: of the pictures.
        text: keep the width of a text line, see `text_strides`; a pool left without a stride becomes the identity.
        bias: whether convolutions keep a bias (batch norm makes it idle; torchvision's VGG has one).
    """

    def __init__(
        self,
        layers: Sequence[Conv | Pool | Tap],
        *,
        width: float = 1.0,
        in_channels: int = 3,
        text: bool = False,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        factors = [layer.stride for layer in layers if not isinstance(layer, Tap) and layer.stride > 1]
        strides = iter(text_strides(factors) if text else plain_strides(factors))
        before = in_channels
        built: list[nn.Module] = []
        self.taps: list[int] = []
        names = []
        for layer in layers:
            if isinstance(layer, Tap):
                names.append(layer.name)
                self.taps.append(len(built) - 1)
                continue
            stride = next(strides) if layer.stride > 1 else (1, 1)
            if isinstance(layer, Conv):
                after = scaled(layer.channels, width)
                convolution = nn.Conv2d(before, after, layer.kernel, stride, layer.kernel // 2, bias=bias)
                built += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
                before = after
            else:
                built.append(_same_pool(layer.kernel, stride))
        self.features = nn.Sequential(*built)
        initialise(self)
        self._describe(names)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) to one map a tap, finest first."""
        maps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taps:
                maps.append(x)
        return maps


def _same_pool(kernel: int, stride: Pair) -> nn.Module:
    """A max pool whose output has ceil(size / stride) units; the identity where the stride is (1, 1)."""
    if stride == (1, 1):
        return nn.Identity()
    if kernel % 2:
        return nn.MaxPool2d(kernel, stride, kernel // 2)
    # An even window cannot be centred: it is kept to the axes that shrink, and may hang over the edge.
    return nn.MaxPool2d((kernel if stride[0] > 1 else 1, kernel if stride[1] > 1 else 1), stride, ceil_mode=True)
