"""Training classifiers: pictures and their boxes, the loss, one batch learned by heart, resume, cards, bad input."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from signboard.backbones.heads import classification_loss
from signboard.errors import ConfigError, DataError, SignboardError, WeightsError
from signboard.training import pictures as pictures_module
from signboard.training.classifier_task import ClassifierTask, centred, errors, normalize_pictures, overlap
from signboard.training.commands import run_training
from signboard.training.config import ClassifierTrainConfig, load_config
from signboard.training.curves import RunCurves, curves, draw_run, read_log, smooth
from signboard.training.engine import train
from signboard.training.pictures import FolderPictures, LabelledPicture, fit, open_pictures

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs" / "backbones").glob("*.yaml"))


def _quiet(line: str) -> None:
    pass


def _config(folder: Path, **changes: Any) -> ClassifierTrainConfig:
    values: dict[str, Any] = {
        "output": folder.parent / "run", "name": "resnet20", "size": 16, "steps": 2, "batch_size": 4, "device": "cpu",
        "workers": 0, "threads": 1, "log_every": 1, "validate_every": 1000, "save_every": 1000, "ema": 0.5,
        "data": {"folder": folder},
        "optimizer": {"learning_rate": 3e-3, "warmup_steps": 2, "decay": 0.5},
    }  # fmt: skip
    return ClassifierTrainConfig.model_validate({**values, **changes})


NARROW = {"name": "resnet18", "form": "narrow", "width": 0.125, "size": 32}


# ---- pictures --------------------------------------------------------------------------------------------------


def test_folders_give_classes_in_order_and_boxes_as_fractions(folder: Path) -> None:
    training, validation = open_pictures(_config(folder))
    assert training.classes == validation.classes == ("left", "right")
    assert (len(training), len(validation)) == (16, 4)
    last = training[15]
    assert last.label == 1 and last.image.shape == (20, 20, 3)
    np.testing.assert_allclose(last.box, np.array([11, 6, 18, 14]) / 20)


@pytest.mark.parametrize("keep", [1.0, 0.5])
def test_a_fitted_picture_keeps_its_box_on_its_object(keep: float) -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[14:24, 24:38] = 255
    box = np.array([24 / 60, 14 / 40, 38 / 60, 24 / 40], np.float32)
    fitted = fit(LabelledPicture(image, 0, box), 64, keep)
    x0, y0, x1, y1 = np.round(fitted.box * 64).astype(int)  # type: ignore[operator]
    assert fitted.image.shape == (64, 64, 3)
    assert fitted.image[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2].min() > 250
    assert fitted.image[: y0 - 3].max(initial=0) < 5 and fitted.image[:, x1 + 3 :].max(initial=0) < 5


def test_augmentation_moves_the_box_with_the_object(folder: Path) -> None:
    augment = {"turn": 0, "shift": 0.2, "colour": 0, "damage": 0}
    source = ClassifierTask(_config(folder, size=40, localisation=True, augment=augment)).source
    seen = set()
    for batch in (source.pool(i)[0] for i in range(6)):
        for image, box in zip(batch["image"].numpy(), batch["box"].numpy(), strict=True):
            low, high = (box[:2] - box[2:] / 2) * 40, (box[:2] + box[2:] / 2) * 40
            bright = np.argwhere(image.min(axis=2) > 140)
            # Rows and columns of the bright square; shear lets its box be a little looser.
            if len(bright) and bright.min() > 0 and bright.max() < 39:
                assert np.abs(bright.min(axis=0)[::-1] - low).max() < 4
                assert np.abs(bright.max(axis=0)[::-1] + 1 - high).max() < 4
                seen.add(tuple(box))
    assert len(seen) > 5


def test_batches_depend_on_seed_and_index_alone_and_a_pass_shows_every_picture(folder: Path) -> None:
    one, two = (ClassifierTask(_config(folder)).source for _ in range(2))
    two.pool(0)
    assert torch.equal(one.pool(5)[0]["image"], two.pool(5)[0]["image"])
    assert not torch.equal(one.pool(5)[0]["image"], one.pool(6)[0]["image"])
    numbers = [one._number(i) for i in range(32)]
    assert sorted(numbers[:16]) == sorted(numbers[16:]) == list(range(16)) and numbers[:16] != numbers[16:]


def test_sign_characters_of_training_and_validation_have_different_typefaces(tmp_path: Path) -> None:
    from signboard.synthesis import FontLibrary
    from signboard.training.characters import split_families

    system = Path("/usr/share/fonts/truetype/dejavu")
    files = [system / "DejaVuSans-Bold.ttf", system / "DejaVuSerif.ttf"]
    if not all(file.is_file() for file in files):
        pytest.skip("needs the DejaVu typefaces: install fonts-dejavu")
    for file in files:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    training, validation = split_families(FontLibrary.from_folder(tmp_path), 0.2, 0)
    assert len(training) == len(validation) == 1 and not training & validation
    data = {"characters": {"sets": ["digits"], "per_class": 3, "val_per_class": 2}}
    config = _config(tmp_path / "x", data=data, fonts=tmp_path, size=24)
    one, two = open_pictures(config)
    assert one.classes == tuple("0123456789") and (len(one), len(two)) == (30, 20)
    drawn = one[17].image
    one.prepare()
    np.testing.assert_array_equal(one[17].image, drawn)  # in memory or not, the same
    assert not np.array_equal(one[17].image, one[16].image) and not np.array_equal(one[0].image, two[0].image)
    box = one[17].box
    assert box is not None and (box >= 0).all() and (box <= 1).all() and (box[2:] - box[:2]).max() > 0.4


def test_characters_that_no_typeface_draws_are_named(tmp_path: Path) -> None:
    system = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf")
    if not system.is_file():
        pytest.skip("needs the DejaVu typefaces: install fonts-dejavu")
    (tmp_path / system.name).write_bytes(system.read_bytes())
    config = _config(tmp_path, fonts=tmp_path, data={"characters": {"sets": ["digits"]}})
    with pytest.raises(DataError, match="no validation typeface draws 0 1"):
        open_pictures(config)


# ---- loss and figures ------------------------------------------------------------------------------------------


def test_auxiliary_losses_count_in_training_only(folder: Path) -> None:
    config = _config(folder, name="googlenet", form="narrow", width=0.125, size=32)
    task = ClassifierTask(config)
    batch = task.source.pool(0)[0]
    torch.manual_seed(1)
    task.model.train()
    full = float(task.loss(task.model, batch, torch.device("cpu"))["loss"].detach())
    torch.manual_seed(1)  # the same dropout
    output = task.network.outputs(normalize_pictures(batch["image"]))
    assert len(output.auxiliary) == 2
    main = float(torch.nn.functional.cross_entropy(output.logits, batch["label"]).detach())
    heads = [float(torch.nn.functional.cross_entropy(a, batch["label"]).detach()) for a in output.auxiliary]
    assert full == pytest.approx(main + 0.3 * sum(heads), rel=1e-4)
    task.model.eval()
    with torch.inference_mode():
        figures = task.loss(task.model, batch, torch.device("cpu"))
        output = task.network.outputs(normalize_pictures(batch["image"]))
    assert not output.auxiliary
    assert float(figures["loss"]) == pytest.approx(float(figures["cross_entropy"]), rel=1e-5)
    assert float(classification_loss(output, batch["label"])) == pytest.approx(float(figures["loss"]), rel=1e-5)


def test_top_k_errors_and_box_overlap() -> None:
    logits = torch.tensor([[5.0, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5]])
    assert errors(logits, torch.tensor([0, 0]), 1) == 1
    assert errors(logits, torch.tensor([4, 1]), 5) == 0
    assert errors(logits, torch.tensor([5, 0]), 5) == 2
    first = torch.from_numpy(centred(np.array([0.0, 0, 0.5, 0.5])))[None]
    second = torch.from_numpy(centred(np.array([0.25, 0, 0.75, 0.5])))[None]
    assert float(overlap(first, second)) == pytest.approx(1 / 3)
    assert float(overlap(first, first)) == pytest.approx(1)


def test_one_batch_is_learned_by_heart(folder: Path) -> None:
    calm = {"turn": 0, "shift": 0, "colour": 0, "damage": 0}
    config = _config(folder, **NARROW, steps=25, batch_size=16, localisation=True, augment=calm)
    rows: list[dict[str, Any]] = []
    task = ClassifierTask(config)
    batch = task.source.pool(0)
    task.source = _Same(batch)  # type: ignore[assignment]
    figures = train(task, config, log=_quiet, watch=rows.append)
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < 0.3 * losses[0]
    assert rows[-2]["top1_error"] == 0
    assert figures["top1_error"] == 0 and figures["overlap"] > 0.3
    assert set(figures) == {
        "top1_error",
        "top5_error",
        "cross_entropy",
        "overlap",
        "localisation_error",
        "score",
    }


class _Same:
    def __init__(self, batches: list[dict[str, Any]]) -> None:
        self.batches = batches

    def pool(self, index: int) -> list[dict[str, Any]]:
        return [dict(batch) for batch in self.batches]


# ---- runs ------------------------------------------------------------------------------------------------------


class _Stopping(ClassifierTask):
    """Asks for the end of the run, as Ctrl-C does, at step 3."""

    def loss(self, model: Any, batch: dict[str, Any], device: torch.device) -> dict[str, torch.Tensor]:
        if batch["step"] == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().loss(model, batch, device)


def test_a_resumed_run_ends_where_an_unbroken_one_does(folder: Path) -> None:
    configs = [_config(folder, **NARROW, output=folder.parent / n, steps=7) for n in ("a", "b")]
    whole, again = ClassifierTask(configs[0]), ClassifierTask(configs[1])
    train(whole, configs[0], log=_quiet)
    train(_Stopping(configs[1]), configs[1], log=_quiet)
    assert [row["step"] for row in read_log(configs[1].output / "log.jsonl")][-1] == 4
    train(again, configs[1], resume=True, log=_quiet)
    for a, b in zip(whole.model.state_dict().values(), again.model.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_a_run_leaves_a_card_that_explain_reads_and_curves(folder: Path) -> None:
    from typer.testing import CliRunner

    from signboard.cli import app
    from signboard.explain import load_subject

    config = _config(folder, **NARROW)
    task = ClassifierTask(config)
    with RunCurves.of(config) as watch:
        train(task, config, log=_quiet, watch=watch)
    card = config.output / "last.json"
    content = json.loads(card.read_text())
    assert content["kind"] == "classifier" and content["classes"] == ["left", "right"]
    assert content["config"] == {"name": "resnet18", "num_classes": 2, "form": "narrow", "width": 0.125}
    subject = load_subject("resnet18", card=card, size=(32, 32))
    assert subject.trained and subject.classes == ("left", "right")
    assert Image.open(config.output / "curves.png").width > 300
    assert Image.open(config.output / "samples" / "classifier.png").size == (128, 32)
    result = CliRunner().invoke(
        app,
        [
            "explain", "occlusion", str(folder / "val" / "left" / "0.png"), "--model", "resnet18", "--card", str(card),
            "--size", "32", "--patch", "16", "--stride", "16", "-o", str(folder.parent / "out"),
        ],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads((folder.parent / "out" / "occlusion.json").read_text())["kind"] == "occlusion"


def test_weights_of_a_run_start_another_with_other_classes(folder: Path) -> None:
    config = _config(folder, **NARROW)
    first = ClassifierTask(config)
    train(first, config, log=_quiet)
    (folder / "train" / "third").mkdir()
    Image.new("RGB", (20, 20)).save(folder / "train" / "third" / "0.png")
    second = ClassifierTask(_config(folder, **NARROW, start_from=config.output / "last.json"))
    assert second.network.num_classes == 3
    saved = first.network.state_dict()["backbone.layer1.0.conv1.weight"]
    torch.testing.assert_close(second.network.state_dict()["backbone.layer1.0.conv1.weight"], saved, rtol=0, atol=0.02)
    with pytest.raises(WeightsError, match=r"another architecture .*resnet18, not resnet34"):
        ClassifierTask(_config(folder, **{**NARROW, "name": "resnet34"}, start_from=config.output / "last.json"))


def test_a_checkpoint_of_another_architecture_is_one_line(folder: Path) -> None:
    plain = _config(folder, name="plain20")
    train(ClassifierTask(plain), plain, log=_quiet)
    # Weight for weight the same names and shapes as the residual network, and yet another.
    other = _config(folder, name="resnet20", steps=3)
    with pytest.raises(WeightsError, match=r"last\.pt: is of another architecture .*plain20.*resnet20") as caught:
        train(ClassifierTask(other), other, resume=True, log=_quiet)
    assert "\n" not in str(caught.value)


def test_curves_are_read_from_a_log_that_was_resumed(tmp_path: Path) -> None:
    rows = [{"step": 1, "loss": 5.0}, {"step": 2, "loss": 4.0}, {"step": 2, "validation": {"loss": 3, "score": 1}}]
    again = [{"step": 2, "loss": 3.5}, {"step": 3, "loss": 2.0}]
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(json.dumps(r) for r in rows + again) + '\n{"step": 4, "lo')
    found = curves(read_log(log))
    assert found == {"loss": ([1, 2, 3], [5.0, 3.5, 2.0]), "validation/loss": ([2], [3.0])}
    assert smooth([1.0, 1.0, 4.0], 1.0)[1] == 2.0 and smooth([1.0, 5.0], 0.0) == [1.0, 5.0]
    assert draw_run(log, tmp_path / "c.png").is_file()


def test_tensorboard_gets_the_curves(folder: Path) -> None:
    pytest.importorskip("tensorboard")
    output = folder.parent / "run"
    output.mkdir()
    with RunCurves(output, board=True) as watch:
        (output / "log.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
        watch({"step": 1, "loss": 2.0})
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(output / "tensorboard"))
    events.Reload()
    assert events.Scalars("training/loss")[0].value == 2.0


@pytest.mark.parametrize("package", ["matplotlib", "torch.utils.tensorboard"])
def test_missing_packages_are_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=r"pip install 'signboard\[train\]'"):
        RunCurves(tmp_path, board=True)


@pytest.mark.parametrize("file", CONFIGS, ids=lambda p: p.stem)
def test_the_shipped_configs_name_networks_that_take_their_pictures(file: Path) -> None:
    from signboard.backbones.classifier import CLASSIFIERS

    config = load_config(ClassifierTrainConfig, file)
    assert config.form in CLASSIFIERS[config.name]
    assert config.output.name == file.stem and config.data.characters is not None
    # Blank pictures stand in for the sign characters, which this is not about.
    ClassifierTask(config, (_Blank(), _Blank()))  # a training step without numbers is part of it


def test_every_family_has_a_config() -> None:
    from signboard.backbones.classifier import CLASSIFIERS

    assert {file.stem for file in CONFIGS} == {*CLASSIFIERS, "alexnet_course", "zfnet_course"}


class _Blank:
    classes = ("a", "b")

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> LabelledPicture:
        return LabelledPicture(np.zeros((8, 8, 3), np.uint8), index, None)

    def prepare(self) -> None:
        pass


# ---- bad input -------------------------------------------------------------------------------------------------


def test_a_class_folder_without_pictures(folder: Path) -> None:
    (folder / "train" / "void").mkdir()
    with pytest.raises(DataError, match="void: class folder without pictures"):
        open_pictures(_config(folder))


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_file_that_is_no_picture_is_found_before_training_begins(content: bytes, folder: Path) -> None:
    for part in ("train", "val"):
        broken = folder / part / "left" / "broken.png"
        broken.write_bytes(content)
        with pytest.raises(DataError, match=rf"{part}/left/broken\.png: empty or no picture"):
            open_pictures(_config(folder))
        broken.unlink()
    open_pictures(_config(folder))


def test_one_class_only(folder: Path) -> None:
    for part in ("train", "val"):
        for file in [*(folder / part / "right").iterdir()]:
            file.unlink()
        (folder / part / "right").rmdir()
    with pytest.raises(DataError, match=r"one class only \(left\)"):
        open_pictures(_config(folder))


def test_folders_that_are_not_there_or_not_as_expected(folder: Path) -> None:
    with pytest.raises(DataError, match="absent/train: no such folder"):
        open_pictures(_config(folder, data={"folder": folder / "absent"}))
    with pytest.raises(DataError, match="no class folders"):
        FolderPictures(folder / "train" / "left")
    (folder / "val" / "strange").mkdir()
    with pytest.raises(DataError, match="strange: the training part has no such class"):
        open_pictures(_config(folder))
    (folder / "train" / "boxes.csv").write_text("picture,x0,y0,x1,y1\nleft/0.png,1,2,3\n")
    with pytest.raises(DataError, match=r"boxes\.csv, line 2"):
        FolderPictures(folder / "train")


def test_torchvision_sets_are_fetched_only_when_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="unknown data set 'CIFAR11'; there are: CIFAR10"):
        open_pictures(_config(folder, data={"torchvision": {"name": "CIFAR11", "root": folder}}))
    with pytest.raises(DataError, match=r"CIFAR10 is not there; .*data\.torchvision\.download=true"):
        open_pictures(_config(folder, data={"torchvision": {"name": "CIFAR10", "root": folder}}))
    asked = []

    class Fake:
        classes = ("0 - zero", "1 - one")

        def __init__(self, root: str, download: bool, train: bool) -> None:
            asked.append((root, download, train))

        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> tuple[Image.Image, int]:
            return Image.new("L", (28, 28), 100 * index), index

    monkeypatch.setattr("torchvision.datasets.MNIST", Fake)
    training, _ = open_pictures(_config(folder, data={"torchvision": {"name": "MNIST", "root": folder}}))
    assert asked == [(str(folder), False, True), (str(folder), False, False)]
    assert training[1].label == 1 and training[1].image.shape == (28, 28, 3)
    assert set(pictures_module.TORCHVISION) <= set(dir(__import__("torchvision").datasets))


def test_unknown_architectures_and_forms_list_those_there_are(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown architecture 'resnet19'; there are: alexnet, .*resnet56"):
        ClassifierTask(_config(folder, name="resnet19"))
    with pytest.raises(ConfigError, match=r"form 'narow'; there are: paper, course"):
        ClassifierTask(_config(folder, name="alexnet", form="narow"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "alexnet", "form": "course", "size": 100}, "100x100 is too small .*: the smallest is 195x195"),
        ({"name": "googlenet", "form": "paper", "size": 48, "batch_size": 1}, "too small for the paper's auxiliary"),
        ({**NARROW, "batch_size": 1}, "batches of 1 leaves one unit a channel"),
    ],
)
def test_pictures_that_are_too_small(folder: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        ClassifierTask(_config(folder, **changes))
    assert "\n" not in str(caught.value)


def test_localisation_needs_boxes(folder: Path) -> None:
    (folder / "train" / "boxes.csv").unlink()
    with pytest.raises(DataError, match="have no boxes"):
        ClassifierTask(_config(folder, localisation=True))


def test_one_source_of_pictures_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("output: runs\nname: resnet20\nsteps: 1\nbatch_size: 2\ndata: {}\n")
    with pytest.raises(ConfigError, match=r"data: .*give one of folder, torchvision, characters"):
        load_config(ClassifierTrainConfig, file)


def test_a_loss_that_is_not_finite_stops_the_run(folder: Path) -> None:
    config = _config(folder, steps=3)
    task = ClassifierTask(config)
    with torch.no_grad():
        task.network.last_layer().bias.fill_(float("nan"))
    with pytest.raises(SignboardError, match="the loss is not finite at step 1") as caught:
        train(task, config, log=_quiet)
    assert "\n" not in str(caught.value)


def test_the_script_says_an_error_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--config", str(ROOT / "configs" / "backbones" / "resnet20.yaml"), "--set", "name=resnet21"]
    with pytest.raises(SystemExit) as caught:
        run_training(ClassifierTrainConfig, ClassifierTask, arguments, watch=RunCurves.of)
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("error: unknown architecture 'resnet21'") and said.count("\n") == 1
