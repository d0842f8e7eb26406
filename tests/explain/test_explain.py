"""Looking inside: on networks small enough to know what must come out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from typer.testing import CliRunner

from signboard.backbones.arithmetic import evaluating
from signboard.backbones.heads import Classifier
from signboard.commands.explain import app
from signboard.detection import Detector, DetectorConfig, DetectorNetwork
from signboard.errors import ConfigError
from signboard.explain import (
    Subject,
    best_patches,
    classifier_subject,
    effective_fields,
    effective_side,
    layer_filters,
    load_subject,
    occlude,
    pictures,
    receptive_fields,
    strongest_patches,
)
from signboard.explain.hooks import map_layers, recording, unit_at, unit_box
from signboard.explain.occlusion import drop_map, occlusion_scores, patch_places, word_probability
from signboard.explain.result import Result
from signboard.recognition import Recognizer, RecognizerConfig, RecognizerNetwork

SIDE = 24


class Fuse(nn.Module):
    """The identity, until it is lit; then it raises on real numbers (not on the arithmetic's stand-ins)."""

    lit = False

    def forward(self, x: Tensor) -> Tensor:
        if self.lit and x.device.type != "meta":
            raise RuntimeError("blown")
        return x


class Tiny(Classifier):
    """Two convolutions and a class layer; takes pictures of 5 pixels or more."""

    def __init__(self) -> None:
        super().__init__(3, 3, input_size=SIDE, smallest=5)
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, 2, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 2), Fuse(), nn.Dropout(0.5)
        )
        self.fc = nn.Linear(5, 3)
        self._finish(localisation=False)

    def hidden(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return self.features(x).mean(dim=(2, 3)), ()

    def last_layer(self) -> nn.Linear:
        return self.fc


@pytest.fixture
def subject() -> Subject:
    torch.manual_seed(0)
    return classifier_subject("tiny", Tiny())


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def hooks(module: nn.Module) -> int:
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(part, name)) for part in module.modules() for name in names)


LOOKS: dict[str, Callable[[Subject, np.ndarray], Result]] = {
    "receptive_field": lambda s, p: receptive_fields(s, p, draws=1),
    "filters": lambda s, p: layer_filters(s, trials=2),
    "activations": lambda s, p: strongest_patches(s, [("a", p)], top=1),
    "occlusion": lambda s, p: occlude(s, p, patch=(12, 12), stride=(12, 12)),
}


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("look", LOOKS)
def test_the_network_is_given_back_as_it_was(
    subject: Subject, photo: np.ndarray, look: str, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = subject.network
    for index, part in enumerate(network.modules()):
        part.training = index % 2 == 0  # a mixture that neither train() nor eval() would leave
    modes = [part.training for part in network.modules()]
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    if fails:
        network.features[4].lit = True

        def blown(weights: Any) -> Any:
            assert not any(part.training for part in network.modules())
            raise RuntimeError("blown")

        monkeypatch.setattr("signboard.explain.filters.best_patches", blown)
        with pytest.raises(RuntimeError, match="blown"):
            LOOKS[look](subject, photo)
    else:
        LOOKS[look](subject, photo)
    assert [part.training for part in network.modules()] == modes
    assert hooks(network) == 0
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


def test_inside_the_body_the_network_evaluates_and_is_recorded(subject: Subject, photo: np.ndarray) -> None:
    network = subject.network.train()
    with evaluating(network), recording(network, ["features.0"]) as outputs:
        assert hooks(network) == 1 and not any(part.training for part in network.modules())
        network(subject.tensor(photo[None]))
    assert outputs["features.0"].shape == (1, 4, 11, 11)
    assert network.features[1].training
    with (
        pytest.raises(ConfigError, match=r"unknown layer 'conv9'; there are: features, features.0"),
        recording(network, ["features.0", "conv9"]),
    ):
        pass
    assert hooks(network) == 0


# -- receptive fields


def test_the_effective_field_lies_inside_the_theoretical_one(subject: Subject, photo: np.ndarray) -> None:
    result = receptive_fields(subject, photo, layers=["features.0", "features.3"], point=(12, 12))
    assert {f.layer: f.size for f in result.layers}["features.3"] == (5, 5)
    for f in result.layers:
        if f.layer not in result.effective:
            continue
        field = result.effective[f.layer]
        x0, y0, x1, y1 = (int(v) for v in f.box)
        assert field.shape == photo.shape[:2]
        inside = field[y0:y1, x0:x1]
        assert field.sum() == pytest.approx(inside.sum(), rel=1e-5) and inside.any()
        assert f.layer != "features.0" or (inside > 0).all()  # no ReLU on the way yet
        assert abs((x0 + x1) / 2 - 12) <= f.jump[1] / 2  # the unit nearest the point


def test_the_effective_field_of_known_weights() -> None:
    layer = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(54.0).reshape(3, 2, 3, 3) - 20)
    module = nn.Sequential(layer)
    x = torch.zeros(2, 2, 5, 5)
    one = effective_fields(module, x, {"0": (2, 2)}, channel=1)["0"]
    expected = layer.weight[1].detach().square().sum(dim=0).sqrt().numpy()
    np.testing.assert_allclose(one[1:4, 1:4], expected, rtol=1e-5)
    assert one.sum() == pytest.approx(expected.sum(), rel=1e-5)
    # Random signs come to the root mean square over the channels.
    every = effective_fields(module, x, {"0": (2, 2)}, draws=600)["0"]
    expected = layer.weight.detach().square().sum(dim=1).mean(dim=0).sqrt().numpy()
    np.testing.assert_allclose(every[1:4, 1:4], expected, rtol=0.1)
    assert effective_side(np.ones((6, 6), np.float32)) == 6
    assert effective_side(np.zeros((6, 6), np.float32)) == 0
    with pytest.raises(ConfigError, match=r"units up to \(4, 4\)"):
        effective_fields(module, x, {"0": (5, 0)})
    with pytest.raises(ConfigError, match="channels 0 to 2"):
        effective_fields(module, x, {"0": (0, 0)}, channel=3)


def test_units_and_points(subject: Subject, photo: np.ndarray) -> None:
    row = map_layers(subject.network, (3, SIDE, SIDE))["features.3"]
    assert unit_box(row, (1, 2)) == (4, 2, 9, 7)
    assert unit_at(row, 6.5, 4.5) == (1, 2)
    assert unit_at(row, 1000, -5) == (0, 9)
    result = receptive_fields(subject, photo, layers=["features.3"], unit=(1, 2))
    assert result.point == (6.5, 4.5)
    with pytest.raises(ConfigError, match="units up to"):
        receptive_fields(subject, photo, layers=["features.3"], unit=(10, 0))
    with pytest.raises(ConfigError, match="outside the photo"):
        receptive_fields(subject, photo, point=(SIDE, 0))
    with pytest.raises(ConfigError, match=r"unknown layer 'layer9'; there are: features.0"):
        receptive_fields(subject, photo, layers=["layer9"])


# -- filters


def test_no_unit_patch_fires_a_filter_more_than_its_own(subject: Subject) -> None:
    result = layer_filters(subject)
    generator = torch.Generator().manual_seed(1)
    for f in result.layers:
        norms = np.linalg.norm(f.weights.reshape(len(f.weights), -1), axis=1)
        np.testing.assert_allclose(np.linalg.norm(f.patches.reshape(len(norms), -1), axis=1), 1, rtol=1e-5)
        np.testing.assert_allclose(f.responses, norms, rtol=1e-5)
        layer = subject.network.get_submodule(f.layer)
        own = nn.functional.conv2d(torch.from_numpy(f.patches), layer.weight)[..., 0, 0].diagonal()
        noise = torch.randn((2000, *f.weights.shape[1:]), generator=generator)
        noise /= noise.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        # Small steps away from the best patch are the hardest rivals.
        near = torch.from_numpy(f.patches).repeat(50, 1, 1, 1)
        near = near + 0.05 * torch.randn(near.shape, generator=generator)
        near /= near.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        rivals = nn.functional.conv2d(torch.cat([noise, near]), layer.weight)[..., 0, 0].amax(dim=0)
        assert (rivals < own).all() and (f.random_best <= f.responses).all()
    assert result.first == "features.0"


def test_filters_of_zeros_and_unknown_layers(subject: Subject) -> None:
    assert not best_patches(np.zeros((2, 3, 3, 3), np.float32)).any()
    with pytest.raises(ConfigError, match=r"unknown layer 'fc'; there are: features.0, features.3"):
        layer_filters(subject, layers=["fc"])


# -- activations


def test_the_patch_that_fires_is_found_and_cut_out(subject: Subject) -> None:
    first = subject.network.features[0]
    with torch.no_grad():
        first.weight.fill_(1.0)  # fires at white
    photos = []
    for i, x in enumerate((3, 9, 15)):
        pixels = np.zeros((2 * SIDE, 2 * SIDE, 3), np.uint8)
        pixels[8:14, 2 * x : 2 * x + 6] = 100 + 50 * i  # a 3x3 square of the input, twice as large on the photo
        photos.append((f"photo {i}", pixels))
    result = strongest_patches(subject, photos, layers=["features.0"], neurons=[1], top=2)
    (neuron,) = result.neurons
    assert [p.photo for p in neuron.patches] == ["photo 2", "photo 1"]
    x0, y0, x1, y1 = neuron.patches[0].box
    assert (x1 - x0, y1 - y0) == (6, 6) and abs(x0 - 30) <= 2 and abs(y0 - 8) <= 2
    assert neuron.patches[0].image.max() == 200


def test_the_heap_equals_sorting_everything_and_the_stream_is_read_once(subject: Subject) -> None:
    random = np.random.default_rng(1)
    photos = [(str(i), random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)) for i in range(12)]
    alive = 0

    def stream() -> Iterator[tuple[str, np.ndarray]]:
        nonlocal alive
        for entry in photos:
            alive += 1
            yield entry

    result = strongest_patches(subject, stream(), layers=["features.3"], neurons=[2], top=5, per_photo=2)
    values = []
    with evaluating(subject.network), torch.inference_mode(), recording(subject.network, ["features.3"]) as outputs:
        for _, pixels in photos:
            subject.network(subject.tensor(pixels[None]))
            values += outputs["features.3"][0, 2].flatten().topk(2).values.tolist()
    assert [p.value for p in result.neurons[0].patches] == pytest.approx(sorted(values, reverse=True)[:5])
    assert alive == result.photos == 12
    with pytest.raises(ConfigError, match="no photos"):
        strongest_patches(subject, [])
    with pytest.raises(ConfigError, match="neurons 0 to 4, not 5"):
        strongest_patches(subject, photos, layers=["features.3"], neurons=[5])


# -- occlusion


def test_places_cover_everything() -> None:
    for length, patch, stride in itertools.product((7, 16, 31), (1, 3, 7), (1, 2, 3)):
        if stride > patch:
            with pytest.raises(ConfigError, match="never be covered"):
                patch_places(length, patch, stride)
            continue
        covered = np.zeros(length, bool)
        for place in patch_places(length, patch, stride):
            assert place + patch <= length
            covered[place : place + patch] = True
        assert covered.all()
    with pytest.raises(ConfigError, match="larger than the input"):
        patch_places(6, 7, 1)


def test_the_map_shows_where_the_score_comes_from() -> None:
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[6:9, 20:24] = 255

    def score(batch: np.ndarray) -> np.ndarray:  # brightness where the square is
        return batch[:, 6:9, 20:24, 0].mean(axis=(1, 2), keepdims=False)[:, None].astype(np.float32)

    found = [occlusion_scores(score, picture, patch=(4, 4), stride=(2, 3), fill=(0, 0, 0), batch=n) for n in (1, 7)]
    np.testing.assert_array_equal(found[0][0], found[1][0])  # several a forward change nothing
    scores, tops, lefts = found[0]
    values = drop_map(score(picture[None])[0], scores, tops, lefts, (4, 4), (20, 30))[0]
    assert values.shape == (20, 30)
    y, x = np.unravel_index(values.argmax(), values.shape)
    assert 6 <= y < 9 and 20 <= x < 24
    assert not values[:, :15].any() and not values[14:].any()
    assert picture[7, 21, 0] == 255  # left as it was


def test_places_between_are_tried_where_the_output_moved() -> None:
    """Coarse then fine finds the place that a full search finds, with fewer forwards, and agrees where it looked."""
    picture = np.full((64, 96, 3), 200, np.uint8)
    calls: list[tuple[int, int]] = []

    def score(batch: np.ndarray) -> np.ndarray:  # light of one corner, and a little of everything
        x = batch.astype(np.float32) / 255
        return np.stack([x[:, 18:27, 61:70].mean(axis=(1, 2, 3)), x.mean(axis=(1, 2, 3)) / 1000], axis=1)

    options = {"patch": (16, 16), "stride": (5, 4), "fill": (0, 0, 0), "batch": 8}
    clean = score(picture[None])[0]
    full, tops, lefts = occlusion_scores(lambda b: score(b)[:, :1], picture, **options)  # type: ignore[arg-type]
    fine, _, _ = occlusion_scores(
        lambda b: score(b)[:, :1],
        picture,
        clean=clean[:1],
        progress=lambda done, total: calls.append((done, total)),
        **options,  # type: ignore[arg-type]
    )
    tried = np.isfinite(fine[0])
    assert np.array_equal(fine[0][tried], full[0][tried]) and 0.1 < tried.mean() < 0.5
    assert np.nanargmin(fine[0]) == full[0].argmin()
    assert calls[-1] == (tried.sum(), tried.sum()) and all(a < b for a, b in itertools.pairwise(c[0] for c in calls))
    drops = [drop_map(clean[:1], scores, tops, lefts, (16, 16), (64, 96))[0] for scores in (full, fine)]
    assert np.isfinite(drops[1]).all()
    everywhere, _, _ = occlusion_scores(score, picture, clean=clean, **options)  # type: ignore[arg-type]
    assert np.isfinite(everywhere).all(), "a score that every place moves alike needs every place"
    flat, _, _ = occlusion_scores(lambda b: np.ones((len(b), 1), np.float32), picture, clean=np.ones(1), **options)  # type: ignore[arg-type]
    assert 0 < np.isfinite(flat).sum() < flat.size, "nothing moved: no place between is needed"


def test_a_class_and_its_options(subject: Subject, photo: np.ndarray) -> None:
    result = occlude(subject, photo, patch=(8, 8), stride=(8, 8), target=2, fill="mean")
    assert result.maps.shape == (1, SIDE, SIDE) and result.what == "class 2"
    with evaluating(subject.network), torch.inference_mode():
        covered = photo.copy()
        covered[:8, 8:16] = result.fill
        expected = [subject.network(subject.tensor(p[None])).softmax(dim=1)[0, 2].item() for p in (photo, covered)]
    assert result.clean[0] == pytest.approx(expected[0], abs=1e-6)
    assert result.maps[0, 3, 12] == pytest.approx(expected[0] - expected[1], abs=1e-6)
    with pytest.raises(ConfigError, match="classes 0 to 2, not 3"):
        occlude(subject, photo, target=3)
    with pytest.raises(ConfigError, match="text is not for a classifier"):
        occlude(subject, photo, text="WORD")
    with pytest.raises(ConfigError, match="grey level"):
        occlude(subject, photo, fill=300)


def test_word_probability_is_the_sum_over_all_paths() -> None:
    torch.manual_seed(2)
    logits = torch.randn(2, 4, 3)
    shares = logits.softmax(dim=-1)
    for word in ([], [1], [1, 2], [2, 2]):
        expected = torch.zeros(2)
        for path in itertools.product(range(3), repeat=4):
            merged = [c for c, before in zip(path, (None, *path), strict=False) if c != before and c != 0]
            if merged == word:
                expected += torch.stack([shares[:, t, c] for t, c in enumerate(path)]).prod(dim=0)
        torch.testing.assert_close(word_probability(logits, word), expected)


def test_the_detector_and_the_recogniser(tmp_path: Path) -> None:
    torch.manual_seed(0)
    photo = np.random.default_rng(0).integers(0, 256, (40, 64, 3), np.uint8)
    detector = Detector(DetectorNetwork(DetectorConfig("resnet18", 0.125, 8)), side=64)
    subject = Subject("detector", detector.network, "detector", (64, 64), detector=detector)
    polygon = np.array([[8, 8], [40, 8], [40, 24], [8, 24]], np.float32)
    result = occlude(subject, photo, patch=(32, 32), stride=(32, 32), polygon=polygon)
    assert result.maps.shape == (1, *result.picture.shape[:2]) and result.region is not None
    maps = detector.probability_maps(torch.from_numpy(result.picture[None])).numpy()[0]
    assert result.clean[0] == pytest.approx(maps[result.region].mean(), abs=1e-5)
    result.save(tmp_path)
    with pytest.raises(ConfigError, match="no word"):
        occlude(subject, photo)

    tool = Recognizer(RecognizerNetwork(RecognizerConfig("resnet18", 0.125, mixer=32, mixer_layers=1, characters="ab")))
    words = Subject("recognizer", tool.network, "recognizer", (32, 128), recognizer=tool)
    result = occlude(words, photo, patch=(16, 16), stride=(16, 16), text="ab")
    assert result.maps.shape == (1, *result.picture.shape[:2]) and result.what == "word ab"
    with pytest.raises(ConfigError, match="does not know 'z'"):
        occlude(words, photo, text="z")
    with torch.no_grad():
        tool.network.head.bias.copy_(torch.tensor([0.0, 50.0, 0.0]))  # reads "a" everywhere
    result = occlude(words, photo, patch=(16, 16), stride=(16, 16))
    assert result.names == ("word probability", "letter a") and result.what == "word a"
    with torch.no_grad():
        tool.network.head.bias.copy_(torch.tensor([50.0, 0.0, 0.0]))
    with pytest.raises(ConfigError, match="reads nothing here"):
        occlude(words, photo)


# -- files, names, the command


@pytest.mark.parametrize("look", LOOKS)
def test_three_files_that_fit_together(subject: Subject, photo: np.ndarray, look: str, tmp_path: Path) -> None:
    packed, drawn, manifest = LOOKS[look](subject, photo).save(tmp_path / "new" / "folder")
    listed = json.loads(manifest.read_text(encoding="utf-8"))
    with np.load(packed) as arrays:
        assert {name: list(arrays[name].shape) for name in arrays} == {
            name: entry["shape"] for name, entry in listed["arrays"].items()
        }
        assert len(arrays.files) > 2
    assert listed["model"] == "tiny" and listed["files"]["picture"] == drawn.name
    with Image.open(drawn) as image:
        assert min(image.size) > 50


def test_sizes_and_names() -> None:
    torch.manual_seed(0)
    with pytest.raises(ConfigError, match="input 4x9 is too small for this network: the smallest is 5x5"):
        classifier_subject("tiny", Tiny(), size=(4, 9))
    with pytest.raises(ConfigError, match="unknown model 'lenet'; there are: detector, recognizer, alexnet"):
        load_subject("lenet")
    with pytest.raises(ConfigError, match="unknown device"):
        load_subject("resnet20", device="abacus")


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_command(tmp_path: Path, photo: np.ndarray) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(photo).save(tmp_path / "photos" / name)
    small = ("--model", "resnet20", "--output", tmp_path / "out")
    code, out, err = run("occlusion", tmp_path / "photos", tmp_path / "none.png", *small, "--patch", 32, "--class", 1)
    assert code == 1 and err.count("\n") == 1 and "none.png: no such file" in err
    assert len(out.splitlines()) == 6 and (tmp_path / "out" / "b" / "occlusion.png").exists()
    code, _, err = run("activations", tmp_path / "empty", *small)
    assert code == 2 and err.count("\n") == 1 and "no photos in" in err
    code, _, err = run("activations", tmp_path / "none.png", *small)
    assert code == 2 and "no such file" in err
    code, _, err = run("receptive-field", tmp_path / "photos" / "a.png", *small, "--layer", "conv9")
    assert code == 2 and err.count("\n") == 1 and "unknown layer 'conv9'; there are: conv1, bn1" in err
    for wrong in (
        ("--patch", "big"),
        ("--fill", "green"),
        ("--at", "1"),
        ("--polygon", "1,2,3,4"),
        ("--crop", "9,9,1,1"),
    ):
        code, _, err = run("occlusion", tmp_path / "photos" / "a.png", *small, *wrong)
        assert code == 2 and err.count("\n") == 1, wrong
    code, out, err = run("filters", "--model", "resnet20", "--layer", "conv1", "--output", tmp_path / "out")
    assert code == 0 and (tmp_path / "out" / "filters.npz").exists(), err


def test_a_caption_is_never_cut_off() -> None:
    """A narrow sheet breaks its headings into lines instead of losing their ends."""
    text = "layer backbone.layer3.1: fields of 291x291 (down x across) input pixels, word मिष्ठान"
    wide, narrow = pictures.caption(text, 1200), pictures.caption(text, 240)
    assert wide.shape == (pictures.LINE, 1200, 3) and narrow.shape[0] >= 2 * pictures.LINE
    ink = [int((caption < 128).any(axis=2).sum()) for caption in (wide, narrow)]
    assert abs(ink[0] - ink[1]) < 0.05 * ink[0], "the same letters, in one line or in several"
    assert not (narrow[:, -2:] < 128).any(), "no letter runs over the edge"
    sheet = pictures.titled(pictures.blank(20, 80), text)
    assert int((sheet < 128).any(axis=2).sum()) == ink[1]
