"""The layer arithmetic against hand-worked cases and against gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from signboard.backbones import build_backbone
from signboard.backbones.arithmetic import (
    Field,
    layer_table,
    measure,
    output_fields,
    smallest_input,
    summarise,
)
from signboard.backbones.stack import LocalNorm
from signboard.errors import ConfigError


def conv(kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(1, 1, kernel, stride, padding, dilation)


def field_of(*layers: nn.Module, shape: tuple[int, int, int] = (1, 32, 32)) -> Field:
    return output_fields(nn.Sequential(*layers), shape, meta=False)[0][1]


def test_a_window_follows_the_formula() -> None:
    field = field_of(conv(7, 2, 3), nn.MaxPool2d(3, 2, 1), conv(3, 1, 2, dilation=2))
    # 7; + 2 * 2 = 11; + 2 * 2 * 4 = 27. Starts: -3; -3 - 2 = -5; -5 - 2 * 4 = -13.
    assert field == Field(jump=(4, 4), size=(27, 27), start=(-13, -13))
    assert field.box(1, 2) == (-13 + 8, -13 + 4, -13 + 8 + 27, -13 + 4 + 27)


def test_axes_are_told_apart() -> None:
    field = field_of(nn.Conv2d(1, 1, (3, 5), (2, 1), (1, 2)), conv(3))
    assert field.jump == (2, 1)
    assert field.size == (3 + 2 * 2, 5 + 2)
    assert field.start == (-1, -2)


class Branches(nn.Module):
    """A shortcut beside a 5x5: the sum sees what either sees."""

    def __init__(self) -> None:
        super().__init__()
        self.large, self.small = conv(5, 2, 2), conv(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.small(x) + self.large(x)


def test_branches_join_in_the_larger_field() -> None:
    assert field_of(Branches()) == Field(jump=(2, 2), size=(5, 5), start=(-2, -2))


def test_flattening_sees_the_whole_map() -> None:
    field = field_of(conv(3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(49, 3), shape=(1, 16, 16))
    assert field.size == (16, 16)


def test_global_average_sees_the_whole_map() -> None:
    assert field_of(conv(3), nn.AdaptiveAvgPool2d(1), shape=(1, 16, 16)).size == (16, 16)


def test_adaptive_pool_of_its_own_size_changes_nothing() -> None:
    assert field_of(conv(3), nn.AdaptiveAvgPool2d(14), shape=(1, 16, 16)).size == (3, 3)


def test_response_norm_keeps_the_field() -> None:
    assert field_of(nn.Conv2d(1, 8, 3), LocalNorm().build()).size == (3, 3)


class Pyramid(nn.Module):
    """A coarse map enlarged onto a finer one, as in a feature pyramid; and its counterpart that learns to enlarge."""

    def __init__(self, up: nn.Module) -> None:
        super().__init__()
        self.fine, self.coarse, self.up = conv(3, 2, 1), conv(3, 2, 1), up

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(x)
        return fine + self.up(self.coarse(fine))


@pytest.mark.parametrize(
    "up",
    [
        nn.Upsample(scale_factor=2),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.ConvTranspose2d(1, 1, 2, 2),
        nn.ConvTranspose2d(1, 1, 4, 2, 1),
    ],
    ids=["nearest", "bilinear", "learnt2", "learnt4"],
)
def test_enlarged_maps_have_a_field_that_holds_the_true_one(up: nn.Module) -> None:
    model = Pyramid(up)
    _, field = output_fields(model, (1, 32, 32), meta=False)[0]
    assert field.jump == (2, 2)
    for row in (6, 7):
        x0, y0, x1, y1 = seen_by(model, (32, 32), 0, row, row)
        left, top, right, bottom = field.box(row, row)
        assert left <= x0 and top <= y0 and right >= x1 and bottom >= y1
        assert right - left <= (x1 - x0) + 4  # one unit of the coarse map


def test_attention_sees_everything() -> None:
    class Mixer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 8, 3, padding=1)
            self.mix = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.mix(self.conv(x).flatten(2).transpose(1, 2))

    (shape, field), *_ = output_fields(Mixer(), (1, 4, 12))
    assert shape == (48, 8)
    assert field.size[0] >= 4 and field.size[1] >= 12
    # Query, key, value, output: 4 * 48 * 8 * 8; scores and values: 2 * 48 * 48 * 8; feed-forward: 2 * 48 * 8 * 16.
    rows = layer_table(Mixer(), (1, 4, 12), keep=lambda part: isinstance(part, nn.TransformerEncoderLayer))
    assert rows[0].multiply_adds == 4 * 48 * 64 + 2 * 48 * 48 * 8 + 2 * 48 * 8 * 16


def test_a_convolution_costs_area_times_filter_times_filters() -> None:
    row = layer_table(nn.Conv2d(16, 24, 5, padding=2), (16, 9, 7))[0]
    assert row.output_shape == (24, 9, 7)
    assert (row.weights, row.biases) == (5 * 5 * 16 * 24, 24)
    assert row.multiply_adds == 9 * 7 * (5 * 5 * 16) * 24
    assert row.dense_weights == (16 * 9 * 7) * (24 * 9 * 7)


def test_groups_divide_weights_and_cost() -> None:
    row = layer_table(nn.Conv2d(16, 24, 3, padding=1, groups=2), (16, 9, 7))[0]
    assert row.groups == 2
    assert row.weights == 3 * 3 * 8 * 24
    assert row.multiply_adds == 9 * 7 * row.weights


def test_transposed_convolution_costs_once_for_each_input_unit() -> None:
    assert layer_table(nn.ConvTranspose2d(4, 6, 2, 2), (4, 5, 5))[0].multiply_adds == 5 * 5 * 4 * 6 * 2 * 2


def test_a_layer_called_twice_has_its_parameters_once() -> None:
    layer = nn.Conv2d(3, 3, 3, padding=1)
    rows = layer_table(nn.Sequential(layer, layer), (3, 8, 8))
    assert [row.weights for row in rows] == [81, 0]
    assert rows[0].multiply_adds == rows[1].multiply_adds


def test_depth_is_the_longest_way_with_weights() -> None:
    assert summarise(nn.Sequential(Branches(), nn.ReLU(), nn.MaxPool2d(2), conv(1)), (1, 16, 16)).depth == 2


def test_the_module_is_left_as_it_was() -> None:
    model = nn.Sequential(conv(3), nn.BatchNorm2d(1), nn.Dropout())
    model[2].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    measure(model, (1, 8, 8))
    output_fields(model, (1, 8, 8), meta=False)
    assert [part.training for part in model] == [True, True, False]
    assert all(not part._forward_hooks and not part._forward_pre_hooks for part in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_hooks_are_gone_after_an_error() -> None:
    model = nn.Sequential(conv(9))
    with pytest.raises(ConfigError):
        layer_table(model, (1, 8, 8))
    assert not model[0]._forward_hooks and not model[0]._forward_pre_hooks
    assert model.training


def test_too_small_a_picture_names_the_smallest() -> None:
    model = nn.Sequential(conv(5), nn.MaxPool2d(2), conv(3))
    assert smallest_input(model, 1) == 10
    model(torch.zeros(1, 1, 10, 10))
    with pytest.raises(ConfigError, match="input 9x20 is too small for this network: the smallest is 10x10"):
        layer_table(model, (1, 9, 20))


def test_wrong_channels_are_not_called_too_small() -> None:
    with pytest.raises(ConfigError, match="does not run on input"):
        layer_table(nn.Conv2d(3, 4, 3), (1, 64, 64))


def seen_by(
    model: nn.Module, size: tuple[int, int], output: int, row: int, column: int
) -> tuple[float, float, float, float]:
    """(x0, y0, x1, y1) of the pixels that a unit has a gradient for, with all weights 1 so that nothing cancels."""
    model = model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1)
        for name, buffer in model.named_buffers():
            if "running_mean" in name:
                buffer.fill_(0)
    channels = next(part for part in model.modules() if isinstance(part, nn.Conv2d)).in_channels
    x = torch.ones(1, channels, *size, dtype=torch.float64, requires_grad=True)
    result = model(x)
    # All channels: the first ones of an inception module have seen less than the others.
    unit = (result if isinstance(result, Tensor) else result[output])[0, :, row, column].sum()
    (gradient,) = torch.autograd.grad(unit, x)
    rows, columns = torch.nonzero(gradient[0].sum(0), as_tuple=True)
    return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)


class SharedMax(nn.Module):
    """An average pool in a max pool's place: a maximum passes its gradient to one pixel only."""

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.options = (pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode)

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, *self.options)


def share_maxima(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.MaxPool2d):
            setattr(module, name, SharedMax(child))
        else:
            share_maxima(child)


@pytest.mark.parametrize("text", [False, True], ids=["photo", "text"])
@pytest.mark.parametrize("name", ["alexnet", "zfnet", "vgg16", "googlenet", "resnet18", "resnet50"])
def test_fields_are_those_of_the_gradients(name: str, text: bool) -> None:
    model = build_backbone(name, width=0.01, in_channels=1, text=text)  # 8 channels everywhere
    fields = [field for _, field in output_fields(model, (1, 64, 64), meta=False)]
    share_maxima(model)
    tested = 0
    for index, field in enumerate(fields):
        if max(field.size) > 230:  # gradients over larger pictures take seconds
            continue
        info = model.feature_info[index]
        assert info.receptive_field == field.size
        # The unit in the middle of a picture that holds its field sees all of it; the one in the corner is cut off.
        size = (int(field.size[0] + 2 * info.stride[0] + 3), int(field.size[1] + 2 * info.stride[1] + 3))
        middle = (-(-size[0] // info.stride[0]) // 2, -(-size[1] // info.stride[1]) // 2)
        for row, column in (middle, (0, 0)):
            x0, y0, x1, y1 = field.box(row, column)
            clipped = (max(x0, 0), max(y0, 0), min(x1, size[1]), min(y1, size[0]))
            assert seen_by(model, size, index, row, column) == clipped
        tested += 1
    assert tested >= 2
