"""Data sets of other people lie below one root that is named once; cards tell no folder of one machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from signboard.errors import ConfigError
from signboard.training.config import DetectorTrainConfig, load_config
from signboard.training.data_root import set_root, with_root, without_root
from signboard.weights import WEIGHTS_FOLDER

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))


def strings(values: object) -> list[str]:
    """Every string in nested dicts and lists."""
    if isinstance(values, dict):
        return [s for value in values.values() for s in strings(value)]
    if isinstance(values, list):
        return [s for value in values for s in strings(value)]
    return [values] if isinstance(values, str) else []


def test_a_config_may_name_data_below_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("{output: runs/x, steps: 1, batch_size: 1, data: [{path: $SIGNBOARD_DATA/scenes/a}]}")
    monkeypatch.delenv("SIGNBOARD_DATA", raising=False)
    with pytest.raises(ConfigError, match=r"run\.yaml: data\.0\.path: .*--data ROOT.*SIGNBOARD_DATA"):
        load_config(DetectorTrainConfig, config)
    monkeypatch.setenv("SIGNBOARD_DATA", "/elsewhere/")
    assert load_config(DetectorTrainConfig, config).data[0].path == Path("/elsewhere/scenes/a")
    set_root(tmp_path)
    assert load_config(DetectorTrainConfig, config).data[0].path == tmp_path / "scenes" / "a"
    with pytest.raises(ConfigError, match=r"no-such-folder: no such folder"):
        set_root("no-such-folder")


def test_a_card_tells_paths_as_the_config_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNBOARD_DATA", "/home/someone/signs")
    values = {"data": [{"path": "$SIGNBOARD_DATA/scenes/a", "weight": 2}], "tune_on": ["$SIGNBOARD_DATA/words/b val"]}
    assert without_root(with_root(values, "x.yaml")) == values
    told = without_root({"output": "/home/someone/runs/one", "fonts": "fonts", "more": "/home/someone/signs2/c"})
    assert told == {"output": "one", "fonts": "fonts", "more": "c"}
    assert without_root({"start_from": "../others/best.json"}) == {"start_from": "best.json"}


@pytest.mark.parametrize("card", sorted(WEIGHTS_FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_shipped_cards_name_no_outside_path(card: Path) -> None:
    outside = [s for s in strings(json.loads(card.read_text(encoding="utf-8"))) if ".." in s or s.startswith("/")]
    assert outside == []


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_configs_name_no_outside_path(config: Path) -> None:
    """Default configs need nothing but what lies here; those of the shipped weights name data below the root."""
    found = strings(yaml.safe_load(config.read_text(encoding="utf-8")))
    assert [s for s in found if ".." in s or s.startswith(("/", "~"))] == []
    if config.parent.name != "shipped":
        assert [s for s in found if "SIGNBOARD_DATA" in s] == []


def test_every_set_of_the_shipped_configs_is_described() -> None:
    page = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for config in (ROOT / "configs" / "shipped").glob("*.yaml"):
        for s in strings(yaml.safe_load(config.read_text(encoding="utf-8"))):
            if s.startswith("$SIGNBOARD_DATA/"):
                assert f"`{s.removeprefix('$SIGNBOARD_DATA/').split(' ')[0]}`" in page, f"{config}: {s}"
