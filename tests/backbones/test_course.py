"""Every figure of the course text against the program: where both agree, and where the text contradicts itself.

`docs/course-notes.md` says the same in prose.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from counted_networks import measured
from torch import nn

from signboard.backbones.arithmetic import LayerRow, layer_table
from signboard.backbones.classifier import CLASSIFIERS, build_classifier
from signboard.backbones.googlenet import MODULES, Inception

NOTES = Path(__file__).parents[2] / "docs" / "course-notes.md"


def rows(name: str, form: str = "paper", side: int = 224) -> list[LayerRow]:
    return [row for row in measured(name, form, side)[0] if row.kind in ("Conv2d", "MaxPool2d", "Linear")]


def shapes(name: str, form: str = "paper", side: int = 224) -> list[tuple[int, ...]]:
    return [row.output_shape for row in rows(name, form, side)]


def weights(name: str, form: str, side: int = 227) -> list[int]:
    return [row.weights for row in rows(name, form, side) if row.weights]


ALEXNET_WEIGHTS = [34_848, 614_400, 884_736, 1_327_104, 884_736, 4_194_304, 16_777_216, 4_096_000]


def test_alexnet_weights_layer_by_layer() -> None:
    assert weights("alexnet", "course") == ALEXNET_WEIGHTS


def test_alexnet_maps_layer_by_layer() -> None:
    assert shapes("alexnet", "course", 227) == [
        (96, 55, 55), (96, 27, 27), (256, 23, 23), (256, 11, 11), (384, 9, 9), (384, 7, 7), (256, 5, 5), (256, 2, 2),
        (4096,), (4096,), (1000,),
    ]  # fmt: skip


def test_alexnet_first_layer() -> None:
    first = rows("alexnet", "course", 227)[0]
    assert (first.kernel, first.stride, first.padding) == ((11, 11), (4, 4), (0, 0))
    assert first.output_shape[1] == (227 - 11 + 2 * 0) // 4 + 1 == 55
    assert first.weights == 11 * 11 * 3 * 96
    assert first.dense_weights == 227 * 227 * 3 * 55 * 55 * 96 == 44_892_064_800  # 4.49e10


def test_alexnet_pools_have_no_parameters_and_eight_layers_have() -> None:
    pools = [row for row in rows("alexnet", "course", 227) if row.kind == "MaxPool2d"]
    assert len(pools) == 3 and all(row.parameters == 0 for row in pools)
    assert measured("alexnet", "course", 227)[1].depth == 8


def test_alexnet_total_contradicts_its_rows() -> None:
    """The text says 27.55 million; its own rows add up to 28.81. The 25 million in the last three layers are right."""
    assert sum(ALEXNET_WEIGHTS) == 28_813_344
    assert sum(ALEXNET_WEIGHTS[5:]) == 25_067_520
    # 27.55 million is what comes out with the convolutions of the later one-tower network.
    later = measured("alexnet", "torchvision")[1].convolution_parameters
    course = measured("alexnet", "course", 227)[1].fully_connected_parameters
    assert later + course == 27_546_408


def test_alexnet_pool_strides_contradict_its_maps() -> None:
    """The text prints strides 4 and 3; its maps of 27 and 11 take 2 and 2."""
    for size, printed, gives, wanted in ((55, 4, 14, 27), (23, 3, 7, 11)):
        pooled = {stride: nn.MaxPool2d(3, stride)(torch.zeros(1, size, size)).shape[-1] for stride in (2, printed)}
        assert pooled == {2: wanted, printed: gives}
    strides = [row.stride for row in rows("alexnet", "course", 227) if row.kind == "MaxPool2d"]
    assert strides == [(2, 2)] * 3


def test_the_paper_has_half_the_weights_where_the_course_has_all() -> None:
    """Two groups on two GPUs halve conv2, conv4 and conv5; padding keeps 13x13 maps, so FC1 is nine times larger."""
    assert weights("alexnet", "paper") == [
        34_848, 307_200, 884_736, 663_552, 442_368, 37_748_736, 16_777_216, 4_096_000,
    ]  # fmt: skip
    assert shapes("alexnet", "paper", 227)[:2] == [(96, 55, 55), (96, 27, 27)]
    with torch.device("meta"):
        at_224 = layer_table(build_classifier("alexnet", 1000), (3, 224, 224))[0]
    assert at_224.output_shape == (96, 54, 54)  # the paper's 224 does not give its 55


def test_zfnet_weights_layer_by_layer() -> None:
    assert weights("zfnet", "course") == [
        14_112, 614_400, 1_179_648, 4_718_592, 4_718_592, 8_388_608, 16_777_216, 4_096_000,
    ]  # fmt: skip
    assert measured("zfnet", "course", 227)[1].depth == 8


def test_zfnet_maps_layer_by_layer_contradict_the_first_only() -> None:
    """A 7x7 filter of stride 4 on 227 gives 56, not the printed 55; the pool brings both to 27."""
    assert shapes("zfnet", "course", 227) == [
        (96, 56, 56), (96, 27, 27), (256, 23, 23), (256, 11, 11), (512, 9, 9), (1024, 7, 7), (512, 5, 5), (512, 2, 2),
        (4096,), (4096,), (1000,),
    ]  # fmt: skip


def test_zfnet_minus_alexnet_contradicts_the_rows() -> None:
    """The text says 1.45 million; its rows differ by 11.69, the papers' networks by 1.39."""
    assert sum(weights("zfnet", "course")) - sum(weights("alexnet", "course")) == 11_693_824
    assert sum(weights("zfnet", "course")[:5]) - sum(weights("alexnet", "course")[:5]) == 7_499_520
    assert measured("zfnet")[1].parameters - measured("alexnet", "paper", 227)[1].parameters == 1_392_384


def test_zfnet_in_the_paper_has_stride_two() -> None:
    assert rows("zfnet")[0].stride == (2, 2)
    assert [shape[1] for shape in shapes("zfnet")[:-3]] == [110, 55, 26, 13, 13, 13, 13, 6]


def test_vgg16_bundles() -> None:
    assert shapes("vgg16")[:18] == [
        (64, 224, 224), (64, 224, 224), (64, 112, 112),
        (128, 112, 112), (128, 112, 112), (128, 56, 56),
        (256, 56, 56), (256, 56, 56), (256, 56, 56), (256, 28, 28),
        (512, 28, 28), (512, 28, 28), (512, 28, 28), (512, 14, 14),
        (512, 14, 14), (512, 14, 14), (512, 14, 14), (512, 7, 7),
    ]  # fmt: skip
    assert all(row.kernel == (3, 3) for row in rows("vgg16") if row.kind == "Conv2d")
    assert (measured("vgg16")[1].depth, measured("vgg19")[1].depth) == (16, 19)


def test_vgg16_parameters_contradict_the_round_figures() -> None:
    """The text: about 16 million outside and 122 in the fully connected layers. Measured: 14.7 and 123.6."""
    summary = measured("vgg16")[1]
    assert summary.convolution_parameters == 14_714_688
    assert summary.fully_connected_parameters == 123_642_856
    connected = [row.weights for row in rows("vgg16") if row.kind == "Linear"]
    assert connected == [102_760_448, 16_777_216, 4_096_000]  # "about 102 million" in the first is right


def test_a_one_by_one_convolution_shrinks_the_depth_only() -> None:
    row = layer_table(nn.Conv2d(64, 16, 1), (64, 28, 28))[0]
    assert row.output_shape == (16, 28, 28)
    assert row.weights == 64 * 16
    following = [layer_table(nn.Conv2d(depth, 32, 5, padding=2), (depth, 28, 28))[0] for depth in (64, 16)]
    assert following[0].multiply_adds == 4 * following[1].multiply_adds


def test_computations_of_a_convolution() -> None:
    """W x H x F x F x D for each filter."""
    row = layer_table(nn.Conv2d(6, 1, 3, padding=1), (6, 10, 12))[0]
    assert row.multiply_adds == (10 * 12) * (3 * 3 * 6)


@pytest.mark.parametrize(("stride", "padding", "size"), [(2, 0, 14), (1, 1, 28)])
def test_max_pooling_halves_or_keeps(stride: int, padding: int, size: int) -> None:
    kernel = 2 if stride == 2 else 3
    assert layer_table(nn.MaxPool2d(kernel, stride, padding), (3, 28, 28))[0].output_shape == (3, size, size)


def test_googlenet_modules() -> None:
    with torch.device("meta"):
        model = build_classifier("googlenet", 1000)
    table = layer_table(model, (3, 224, 224), keep=lambda part: isinstance(part, Inception | nn.MaxPool2d))
    found = {row.name: (row.input_shape, row.output_shape) for row in table if "branch" not in row.name}
    assert found["maxpool3"][1] == (480, 14, 14)
    modules = [found[f"inception{name}"] for name in MODULES]
    assert modules[2][0] == (480, 14, 14) and modules[4][1] == (512, 14, 14)  # modules 3 to 5
    assert modules[5] == ((512, 14, 14), (528, 14, 14))
    assert modules[6] == ((528, 14, 14), (832, 14, 14))
    assert found["maxpool4"][1] == (832, 7, 7)
    assert modules[7] == ((832, 7, 7), (832, 7, 7))
    assert modules[8] == ((832, 7, 7), (1024, 7, 7))


def test_inception_stacks_and_does_not_sum() -> None:
    """The text speaks of summing the outputs; the depths add up because the maps are stacked (D = D0 + ... + D3)."""
    module = Inception(192, MODULES["3a"], large=5, batch_norm=False)
    assert module(torch.zeros(1, 192, 3, 3)).shape == (1, 64 + 128 + 32 + 32, 3, 3)
    # ... and of 3x3 convolutions followed by 1x1 ones, where the fourth branch has a 3x3 max pool.
    assert isinstance(module.branch4[0], nn.MaxPool2d)


def test_googlenet_average_pooling_saves_49_in_50() -> None:
    pooled, flat = measured("googlenet"), measured("googlenet", average_pool=False)
    assert [row.weights for row in pooled[0] if row.kind == "Linear"] == [1_024_000]
    assert [row.weights for row in flat[0] if row.kind == "Linear"] == [50_176_000]


def test_googlenet_without_reduction() -> None:
    with_it, without = measured("googlenet")[1], measured("googlenet", reduction=False)[1]
    assert (with_it.multiply_adds, without.multiply_adds) == (1_582_671_872, 4_426_547_200)
    assert (with_it.parameters, without.parameters) == (6_998_552, 25_305_944)


def test_googlenet_against_alexnet() -> None:
    """Twice the computations is right, twelve times fewer parameters is the paper's own rounding of 8.7."""
    googlenet, alexnet = measured("googlenet")[1], measured("alexnet", "paper", 227)[1]
    assert googlenet.multiply_adds / alexnet.multiply_adds == pytest.approx(2.18, abs=0.01)
    assert alexnet.parameters / googlenet.parameters == pytest.approx(8.71, abs=0.01)
    assert googlenet.depth == 22


def test_resnets_have_50_and_152_layers() -> None:
    """The text speaks of ResNet-51 and ResNet-151."""
    assert "resnet51" not in CLASSIFIERS and "resnet151" not in CLASSIFIERS
    assert (measured("resnet50")[1].depth, measured("resnet101")[1].depth) == (50, 101)
    assert measured("resnet152")[1].depth == 152


def test_three_layers_of_three_by_three_see_three_five_seven() -> None:
    model = nn.Sequential(*(nn.Conv2d(1, 1, 3) for _ in range(3)))
    assert [row.receptive_field for row in layer_table(model, (1, 9, 9))] == [(3, 3), (5, 5), (7, 7)]


@pytest.mark.parametrize(
    "figure",
    [
        "34,848", "614,400", "884,736", "1,327,104", "4,194,304", "16,777,216", "4,096,000", "28,813,344", "27,546,408",
        "14,112", "1,179,648", "4,718,592", "8,388,608", "11,693,824", "1,392,384", "14,714,688", "123,642,856",
        "102,760,448", "50,176,000", "1,024,000", "44,892,064,800", "8.7", "2.2", "25,305,944", "4,426,547,200",
    ],
)  # fmt: skip
def test_the_notes_give_the_measured_figures(figure: str) -> None:
    assert figure in NOTES.read_text(encoding="utf-8")
