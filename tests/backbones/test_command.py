"""`signboard backbones`: the list, one network, three formats, bad input."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from signboard.backbones import BACKBONES
from signboard.backbones.published import PUBLISHED
from signboard.commands.backbones import app

runner = CliRunner()


def run(*arguments: str) -> str:
    result = runner.invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_list_in_json_and_text() -> None:
    entries = json.loads(run("--json"))
    assert [entry["name"] for entry in entries] == list(PUBLISHED)
    alexnet = entries[0]
    assert alexnet["layers_with_weights"] == 8
    assert alexnet["convolution_parameters"] + alexnet["fully_connected_parameters"] == 60_965_224
    assert alexnet["receptive_field"] == [195, 195]
    assert all(entry["source"] for entry in entries)


def test_every_architecture_has_a_source() -> None:
    assert set(PUBLISHED) <= set(BACKBONES)
    for figures in PUBLISHED.values():
        assert "table" in figures.source
        assert figures.top1 is not None or figures.top5 is not None
        if figures.top1 is not None and figures.top5 is not None:
            assert figures.top5 < figures.top1


def test_one_network_as_text() -> None:
    text = run("show", "alexnet", "--input", "227")
    line = next(line for line in text.splitlines() if line.startswith("features.0"))
    assert line.split() == [
        "features.0",
        "Conv2d",
        "11",
        "4",
        "0",
        "96x55x55",
        "34,848",
        "96",
        "105,415,200",
        "11",
        "4",
    ]
    assert "2 groups" in text
    assert "layers with weights  8" in text


def test_one_network_as_json() -> None:
    document = json.loads(run("show", "googlenet", "--form", "narrow", "--input", "64", "--json"))
    assert document["summary"]["layers_with_weights"] == 22
    assert document["summary"]["training_only_parameters"] > 0
    first = document["layers"][0]
    assert (first["kernel"], first["stride"], first["output_shape"]) == ([7, 7], [2, 2], [16, 32, 32])


def test_one_network_as_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(run("show", "zfnet", "--form", "course", "--csv"))))
    assert rows[0]["weights"] == "14112"
    assert rows[0]["output_shape"] == "96x56x56"
    assert rows[0]["jump"] == "4x4"


def test_backbones_of_both_stages() -> None:
    document = json.loads(run("show", "resnet18", "--form", "text", "--width", "0.25", "--input", "32x128", "--json"))
    assert document["layers"][-1]["output_shape"] == [128, 2, 32]
    assert "features.0" in run("show", "vgg16", "--form", "features", "--width", "0.125", "--input", "64", "--all")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "squeezenet"], "unknown architecture 'squeezenet'; there are: alexnet, zfnet"),
        (["show", "squeezenet", "--form", "text"], "unknown backbone 'squeezenet'; there are: alexnet"),
        (["show", "zfnet", "--form", "torchvision"], "there are: paper, course, narrow, features, text"),
        (["show", "alexnet", "--input", "66"], "the smallest is 67x67"),
        (["show", "alexnet", "--input", "0"], "is no size"),
        (["show", "alexnet", "--input", "big"], "is no size"),
        (["show", "alexnet", "--json", "--csv"], "not both"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_command_is_light_to_import() -> None:
    code = "import sys, signboard.commands.backbones; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
