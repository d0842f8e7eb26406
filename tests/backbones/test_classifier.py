"""Classifiers: the papers' sizes, torchvision's weights, auxiliary heads, boxes, losses, bad input."""

from __future__ import annotations

import pytest
import torch
import torchvision
from counted_networks import measured
from torch import Tensor, nn

from signboard.backbones import build_backbone
from signboard.backbones.arithmetic import layer_table
from signboard.backbones.classifier import CLASSIFIERS, build_classifier, load_torchvision_state
from signboard.backbones.googlenet import Inception
from signboard.backbones.heads import (
    Classifier,
    ClassifierOutput,
    TrainingForm,
    box_corners,
    classification_loss,
    localisation_loss,
)
from signboard.backbones.stack import LocalNorm
from signboard.errors import ConfigError, WeightsError

ALL = [(name, form) for name, forms in CLASSIFIERS.items() for form in forms]
# Built as their shallower kin; running them takes seconds, so they are only counted.
DEEP = ("resnet101", "resnet152", "plain56", "resnet56")
IN_TORCHVISION = [name for name, forms in CLASSIFIERS.items() if "torchvision" in forms and name != "resnet101"]


def meta(name: str, num_classes: int = 1000, **options: object) -> Classifier:
    with torch.device("meta"):
        return build_classifier(name, num_classes, **options)  # type: ignore[arg-type]


def torchvision_model(name: str, **options: object) -> nn.Module:
    if name == "googlenet":
        options["init_weights"] = False
    return torchvision.models.get_model(name, weights=None, **options)


@pytest.mark.parametrize(("name", "form"), [pair for pair in ALL if pair[0] not in DEEP])
def test_every_form_gives_logits(name: str, form: str) -> None:
    # The small ones for real, the full ones without numbers.
    device = "cpu" if form == "narrow" else "meta"
    options = {"width": 0.125} if form == "narrow" else {}
    with torch.device(device):
        model = build_classifier(name, 7, form=form, **options).eval()
        output = model.outputs(torch.zeros(2, 3, model.input_size, model.input_size + 13))
    assert output.logits.shape == (2, 7)
    assert output.auxiliary == () and output.box is None


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds", "depth"),
    [
        # AlexNet's 60 million and 650,000 units, the rest as Caffe and torchvision count them; ResNet's multiply-adds
        # are the paper's table 1 (1.8, 3.6, 3.8, 7.6, 11.3 billion).
        ("alexnet", 60_965_224, 0.724e9, 8),
        ("zfnet", 62_357_608, 1.168e9, 8),
        ("vgg16", 138_357_544, 15.47e9, 16),
        ("vgg19", 143_667_240, 19.63e9, 19),
        ("googlenet", 6_998_552, 1.583e9, 22),
        ("resnet18", 11_689_512, 1.81e9, 18),
        ("resnet34", 21_797_672, 3.66e9, 34),
        ("resnet50", 25_557_032, 3.86e9, 50),
        ("resnet101", 44_549_160, 7.57e9, 101),
        ("resnet152", 60_192_808, 11.28e9, 152),
    ],
)
def test_sizes_are_the_papers(name: str, parameters: int, multiply_adds: float, depth: int) -> None:
    summary = measured(name, "paper", 227)[1] if name == "alexnet" else measured(name)[1]
    assert summary.parameters == parameters
    assert summary.multiply_adds == pytest.approx(multiply_adds, rel=0.005)
    assert summary.depth == depth


@pytest.mark.parametrize(("depth", "parameters"), [(20, 0.27e6), (56, 0.85e6)])
def test_small_networks_are_the_papers(depth: int, parameters: float) -> None:
    plain, residual = (measured(f"{kind}{depth}", "paper", 32, 10)[1] for kind in ("plain", "resnet"))
    assert plain.depth == residual.depth == depth
    assert plain.parameters == residual.parameters == pytest.approx(parameters, rel=0.02)
    assert plain.multiply_adds == residual.multiply_adds


def test_a_plain_network_has_no_shortcut() -> None:
    torch.manual_seed(0)
    for name, passes in (("plain20", False), ("resnet20", True)):
        model = build_classifier(name, 3).eval()
        with torch.no_grad():
            for part in model.layer1.modules():  # type: ignore[union-attr]
                if isinstance(part, nn.Conv2d):
                    part.weight.zero_()
            x = torch.rand(1, 16, 8, 8)
            assert torch.equal(model.layer1(x), x if passes else torch.zeros_like(x))  # type: ignore[operator]


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_names_and_shapes_are_torchvisions(name: str) -> None:
    with torch.device("meta"):
        theirs = torchvision_model(name)
    forms = ("torchvision",) if name in ("alexnet", "googlenet") else ("paper", "torchvision")
    for form in forms:
        ours = meta(name, form=form)
        assert {k: v.shape for k, v in ours.state_dict().items()} == {
            k: v.shape for k, v in theirs.state_dict().items()
        }
    ours = meta(name, form="torchvision")
    assert load_torchvision_state(ours, name, theirs.state_dict()) == []
    if name in DEEP:
        return
    # The same windows in the same order give the same shapes and cost.
    kinds = ("Conv2d", "MaxPool2d", "Linear")
    tables = [
        [
            (r.kind, r.kernel, r.stride, r.padding, r.groups, r.output_shape, r.parameters)
            for r in layer_table(model, (3, 224, 224))
            if r.kind in kinds
        ]
        for model in (ours, theirs)
    ]
    assert tables[0] == tables[1]


@pytest.mark.parametrize(
    ("name", "side"), [("resnet18", 48), ("resnet50", 32), ("googlenet", 48)]
)  # AlexNet's and VGG's fully connected layers take seconds; their tables are compared above
def test_torchvisions_weights_give_torchvisions_logits(name: str, side: int) -> None:
    torch.manual_seed(0)
    theirs = torchvision_model(name, num_classes=5).eval()
    ours = build_classifier(name, 5, form="torchvision").eval()
    load_torchvision_state(ours, name, theirs.state_dict())
    x = torch.rand(2, 3, side, side)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)


def test_other_classes_leave_the_class_layers_out() -> None:
    with torch.device("meta"):
        state = torchvision_model("googlenet").state_dict()
    left = load_torchvision_state(meta("googlenet", 36, form="torchvision"), "googlenet", state)
    assert sorted(left) == sorted(f"{n}.{p}" for n in ("fc", "aux1.fc2", "aux2.fc2") for p in ("weight", "bias"))
    left = load_torchvision_state(meta("googlenet", form="torchvision", auxiliary=False), "googlenet", state)
    assert left and all(key.startswith("aux") for key in left)


@pytest.mark.parametrize(
    ("name", "text"), [("vgg16", False), ("vgg16", True), ("googlenet", False), ("resnet18", True), ("resnet50", False)]
)
def test_torchvisions_weights_load_into_backbones(name: str, text: bool) -> None:
    with torch.device("meta"):
        backbone = build_backbone(name, text=text)
        theirs = torchvision_model("vgg16_bn" if name == "vgg16" else name)
    left = load_torchvision_state(backbone, name, theirs.state_dict())
    assert all(key.startswith(("fc.", "classifier.", "aux")) for key in left)


def test_a_small_filter_in_a_large_one_computes_the_same() -> None:
    torch.manual_seed(0)
    small = Inception(8, (8, 8, 8, 8, 8, 8), large=3, batch_norm=True).eval()
    large = Inception(8, (8, 8, 8, 8, 8, 8), large=5, batch_norm=True).eval()
    load_torchvision_state(large, "inception", small.state_dict())
    x = torch.rand(1, 8, 9, 9)
    torch.testing.assert_close(small(x), large(x))


def test_weights_of_another_network_say_what_to_do() -> None:
    with torch.device("meta"):
        alexnet, resnet50 = (torchvision_model(name).state_dict() for name in ("alexnet", "resnet50"))
    with pytest.raises(WeightsError, match=r"alexnet: weight features.0.weight is \(64.*\(96.*form='torchvision'"):
        load_torchvision_state(meta("alexnet"), "alexnet", alexnet)
    with pytest.raises(WeightsError, match=r"resnet50: .*stride on their 3x3.*form='torchvision'"):
        load_torchvision_state(meta("resnet50"), "resnet50", resnet50)
    with pytest.raises(WeightsError, match="resnet18"):
        load_torchvision_state(meta("resnet18"), "resnet18", resnet50)
    with pytest.raises(WeightsError, match="lack"):
        load_torchvision_state(meta("resnet18"), "resnet18", {})


@pytest.mark.parametrize(
    ("name", "form"),
    [(name, form) for name, form in ALL if form != "narrow" and name in ("alexnet", "zfnet", "vgg16", "googlenet")],
)
def test_the_smallest_input_is_the_smallest(name: str, form: str) -> None:
    model = meta(name, 5, form=form).eval()
    claimed, model.smallest = model.smallest, 1  # so that the network itself complains
    assert model(torch.empty(1, 3, claimed, claimed, device="meta")).shape == (1, 5)
    with pytest.raises(RuntimeError):
        model(torch.empty(1, 3, claimed - 1, claimed - 1, device="meta"))


def test_too_small_a_picture_names_the_smallest() -> None:
    model = meta("alexnet", 5)
    with pytest.raises(ConfigError, match="input 66x227 is too small for this network: the smallest is 67x67"):
        model(torch.empty(1, 3, 66, 227, device="meta"))
    with pytest.raises(ConfigError, match=r"pictures must be \(N, 3, H, W\)"):
        model(torch.empty(1, 1, 227, 227, device="meta"))


def test_response_norm_is_the_papers() -> None:
    x = torch.rand(1, 7, 2, 2) * 30
    found = LocalNorm().build()(x)
    for channel in range(7):
        squares = x[:, max(0, channel - 2) : channel + 3].square().sum(1)
        torch.testing.assert_close(found[:, channel], x[:, channel] / (2 + 1e-4 * squares) ** 0.75)


def test_googlenet_has_auxiliary_logits_in_training_only() -> None:
    x = torch.rand(2, 3, 32, 32)
    model = build_classifier("googlenet", 5, form="narrow", width=0.125)
    assert [logits.shape for logits in model.outputs(x).auxiliary] == [(2, 5), (2, 5)]
    assert model(x).shape == (2, 5)
    assert model.eval().outputs(x).auxiliary == ()
    model = build_classifier("googlenet", 5, form="narrow", width=0.125, auxiliary=False)
    assert model.outputs(x).auxiliary == ()
    full = meta("googlenet")
    assert [logits.shape for logits in full.outputs(torch.empty(2, 3, 224, 224, device="meta")).auxiliary] == [
        (2, 1000),
        (2, 1000),
    ]
    with pytest.raises(ConfigError, match="auxiliary heads"):
        full.outputs(torch.empty(2, 3, 64, 64, device="meta"))


def test_auxiliary_losses_reach_the_early_layers_and_weigh_as_told() -> None:
    labels = torch.tensor([0, 1])
    logits = torch.zeros(2, 4)
    main, both = ClassifierOutput(logits), ClassifierOutput(logits, (logits, logits))
    one = torch.log(torch.tensor(4.0))
    assert torch.isclose(classification_loss(main, labels), one)
    assert torch.isclose(classification_loss(both, labels), one * 1.6)
    assert torch.isclose(classification_loss(both, labels, auxiliary_weight=0.0), one)


def test_a_box_beside_the_class() -> None:
    torch.manual_seed(0)
    for name in ("alexnet", "googlenet", "resnet18"):
        model = TrainingForm(build_classifier(name, 3, form="narrow", width=0.125, localisation=True))
        output = model(torch.rand(4, 3, 48, 48))
        assert output.box.shape == (4, 4)
        assert output.box.min() > 0 and output.box.max() < 1
        loss = localisation_loss(output, torch.tensor([0, 1, 2, 0]), torch.rand(4, 4))
        loss.backward()
        assert model.model.box.weight.grad.abs().sum() > 0
        first = next(part for part in model.modules() if isinstance(part, nn.Conv2d))
        assert first.weight.grad.abs().sum() > 0


def test_localisation_in_the_papers_form() -> None:
    model = meta("vgg16", 10, localisation=True)
    assert model.outputs(torch.empty(1, 3, 224, 224, device="meta")).box.shape == (1, 4)  # type: ignore[union-attr]
    with torch.device("meta"):
        state = torchvision_model("vgg16", num_classes=10).state_dict()
    assert load_torchvision_state(model, "vgg16", state) == []


def test_pictures_without_a_box_count_by_their_class_only() -> None:
    box = torch.full((2, 4), 0.5, requires_grad=True)
    output = ClassifierOutput(torch.zeros(2, 3), (), box)
    labels = torch.tensor([0, 1])
    nothing = torch.full((2, 4), float("nan"))
    loss = localisation_loss(output, labels, nothing)
    assert torch.isclose(loss, torch.log(torch.tensor(3.0)))
    loss.backward()
    assert box.grad is not None and box.grad.abs().sum() == 0
    half = nothing.clone()
    half[0] = 0.9
    # |0.5 - 0.9| is beyond beta: 0.4 - 0.1 / 2, over the one box there is.
    assert torch.isclose(localisation_loss(output, labels, half, box_weight=1) - loss, torch.tensor(0.35))


def test_a_network_without_a_box_says_so() -> None:
    with pytest.raises(ConfigError, match="localisation=True"):
        localisation_loss(ClassifierOutput(torch.zeros(1, 3)), torch.tensor([0]), torch.zeros(1, 4))


def test_boxes_in_pixels_are_clipped() -> None:
    box = torch.tensor([[0.5, 0.5, 0.5, 0.2], [0.0, 1.0, 0.4, 0.4]])
    found = box_corners(box, 200, 100)
    torch.testing.assert_close(found, torch.tensor([[50.0, 40, 150, 60], [0, 80, 40, 100]]))


def test_one_batch_overfits_with_class_and_box() -> None:
    torch.manual_seed(0)
    x = torch.zeros(8, 1, 32, 32)
    boxes = torch.zeros(8, 4)
    for index in range(8):  # bright squares in one of four corners
        row, column = index // 2 % 2, index % 2
        x[index, :, 4 + 14 * row : 14 + 14 * row, 4 + 14 * column : 14 + 14 * column] = 1
        boxes[index] = torch.tensor([(9 + 14 * column) / 32, (9 + 14 * row) / 32, 10 / 32, 10 / 32])
    labels = torch.arange(8) % 4
    model = build_classifier("vgg16", 4, form="narrow", width=0.125, in_channels=1, localisation=True)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(30):
        loss = localisation_loss(model.outputs(x), labels, boxes)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    output = model.outputs(x)
    assert (output.logits.argmax(1) == labels).all()
    assert output.box is not None and (output.box - boxes).abs().mean() < 0.1


def test_a_narrow_classifier_holds_the_backbones_weights() -> None:
    for name in ("zfnet", "googlenet", "resnet18"):
        model = build_classifier(name, 5, form="narrow", width=0.25)
        backbone = build_backbone(name, width=0.25)
        backbone.load_state_dict(model.backbone.state_dict())  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "lenet"}, "unknown architecture 'lenet'; there are: alexnet, zfnet"),
        ({"name": "vgg16", "form": "course"}, "vgg16 has no form 'course'; there are: paper, torchvision, narrow"),
        ({"name": "vgg16", "num_classes": 1}, "at least 2 classes"),
        ({"name": "vgg16", "width": 0.5}, "width is for form 'narrow'"),
        ({"name": "vgg16", "form": "narrow", "width": -1.0}, "width must be greater than 0"),
        ({"name": "vgg16", "in_channels": 0}, "in_channels"),
        ({"name": "resnet18", "auxiliary": False}, "are for googlenet"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_classifier(**({"num_classes": 10} | options))  # type: ignore[arg-type]


def test_logits_and_outputs_agree() -> None:
    torch.manual_seed(0)
    model = build_classifier("resnet20", 4).eval()
    x: Tensor = torch.rand(2, 3, 32, 32)
    assert torch.equal(model(x), model.outputs(x).logits)
