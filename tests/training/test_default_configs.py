"""The default configs train from nothing but what the README's own lines make, in a clone with nothing around it."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import signboard
from signboard.recognition import LanguageModel
from signboard.weights import load_card

pytest.importorskip("wordfreq")
ROOT = Path(__file__).parents[2]
SYSTEM = (
    "truetype/lohit-devanagari/Lohit-Devanagari.ttf",
    "truetype/dejavu/DejaVuSans-Bold.ttf",
    "truetype/freefont/FreeSans.ttf",
)
Run = Callable[..., None]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of this repository alone, with a folder of a few typefaces in it instead of fetched ones."""
    folder = tmp_path_factory.mktemp("around") / "signboard"
    for part in ("configs", "scripts", "data"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "sets"))
    faces = sorted(Path(signboard.__file__).parent.rglob("*.ttf"))
    faces += [path for name in SYSTEM if (path := Path("/usr/share/fonts") / name).exists()]
    (folder / "fonts").mkdir()
    for face in faces:
        shutil.copyfile(face, folder / "fonts" / face.name)
    return folder


@pytest.fixture
def run(clone: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a script of the clone as `python scripts/NAME ...` would, from its folder."""
    monkeypatch.chdir(clone)
    monkeypatch.delenv("SIGNBOARD_DATA", raising=False)

    def script(name: str, *arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", [f"scripts/{name}", *arguments])
        try:
            runpy.run_path(f"scripts/{name}", run_name="__main__")
        except SystemExit as end:
            assert not end.code, f"{name} ended with {end.code}"

    for kind in ("words", "scenes"):
        if not Path("synthetic", kind).exists():  # the README's lines, smaller
            made = (
                "--fonts",
                "fonts",
                "--count",
                "3",
                "--seed",
                "1",
                "--split",
                "val",
                "--output",
                f"synthetic/{kind}",
            )
            script("make_synthetic.py", kind, *made)
    return script


STAGES = ["detector", "recognizer"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_default_config_trains_two_steps(stage: str, run: Run, clone: Path) -> None:
    arguments = ("steps=2", "batch_size=2", "workers=0", "device=cpu")
    run(f"train_{stage}.py", "--config", f"configs/{stage}.yaml", *(f"--set={value}" for value in arguments))
    card = load_card(clone / "runs" / stage / "last.json", stage)
    assert card["training"]["steps"] == 2
    assert card["training"]["config"]["validation"], "no validation: the run says nothing of what it reached"
    rows = [json.loads(line) for line in (clone / "runs" / stage / "log.jsonl").read_text().splitlines()]
    assert "score" in rows[-1]["validation"]
    around = [path.name for path in clone.parent.iterdir()]
    assert around == ["signboard"]


def test_the_default_language_model_is_made_and_measured(run: Run, clone: Path) -> None:
    few = ("english=300", "hindi=300", "drawn=200", "numbers=100", "ngrams=20000", "tune_crops=1")
    options = ("--config", "configs/language.yaml", *(f"--set={value}" for value in few))
    run("train_language.py", *options)
    run("train_language.py", *options, "--report")
    card = clone / "runs" / "language" / "language.json"
    assert LanguageModel.load(card).order == 6
    assert load_card(card, "language")["figures"]["words"]["words"] > 0


def test_the_shipped_configs_say_what_they_need(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for stage in STAGES:
        with pytest.raises(AssertionError, match="ended with 1"):
            run(f"train_{stage}.py", "--config", f"configs/shipped/{stage}.yaml")
        assert "say where with --data ROOT" in capsys.readouterr().err


def test_progress_is_for_terminals_only(clone: Path, tmp_path: Path) -> None:
    """Into a file a long run writes no line that is drawn over and over."""
    command = [sys.executable, "scripts/make_synthetic.py", "words", "--fonts", "fonts", "--count", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    made = subprocess.run(
        [*command, "--output", str(tmp_path / "words")], cwd=clone, env=environment, capture_output=True, check=True
    )
    assert b"\r" not in made.stdout + made.stderr
    table = tmp_path / "none.tsv"
    table.write_text("# no typeface\n")
    fetch = [sys.executable, "scripts/fetch_fonts.py", str(tmp_path / "faces"), "--few", "--table", str(table)]
    fetched = subprocess.run(fetch, cwd=clone, env=environment, capture_output=True)
    assert b"\r" not in fetched.stdout + fetched.stderr
    assert b"0 of 0 families" in fetched.stdout
