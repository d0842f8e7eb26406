"""What the pages point at is there: links, pictures, scripts, configs, options of the commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "data" / "README.md"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_files_of_a_page_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", target):
            assert (page.parent / target.split("#")[0]).exists(), f"{page}: {target}"
    for name in set(re.findall(r"\b(?:scripts|configs)/[\w./-]+\.(?:py|yaml)", text)):
        assert (ROOT / name).is_file(), f"{page}: {name}"


def test_the_course_names_layers_that_there_are() -> None:
    """Layers and options of `signboard explain` in docs/course.md are those of the shipped detector."""
    from signboard.explain import load_subject
    from signboard.explain.hooks import map_layers

    page = (ROOT / "docs" / "course.md").read_text(encoding="utf-8")
    layers = set(re.findall(r"--layer (backbone\S+)", page))
    known = map_layers(load_subject("detector").network, (3, 64, 64))
    assert layers and layers <= set(known)


def test_pictures_of_the_pages_are_small() -> None:
    pictures = [path for path in (ROOT / "docs" / "explain").iterdir() if path.suffix in (".jpg", ".png")]
    assert pictures and sum(path.stat().st_size for path in pictures) < 1.5e6
