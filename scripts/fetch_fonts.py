#!/usr/bin/env python3
"""Installs the typefaces of data/fonts.tsv into a folder, for synthesis: from npm and PyPI, and Debian's if present.

Each face becomes one file `<family>/<family>-<subset>-<weight>-<style>.ttf`. The web subsets (woff2) are unpacked to
TTF because FreeType would otherwise decompress the file again each time a worker opens it.

    python scripts/fetch_fonts.py fonts          every family, about 8 minutes
    python scripts/fetch_fonts.py fonts --few    sixteen of them, for a start in less than a minute
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).resolve().parent.parent / "data" / "fonts.tsv"
DEBIAN_FOLDERS = (Path("/usr/share/fonts/truetype"), Path("/usr/share/fonts/opentype"))
SUBSETS = (
    "latin", "latin-ext", "devanagari", "bengali", "gurmukhi", "gujarati", "oriya", "tamil", "telugu", "kannada",
    "malayalam", "arabic", "meetei-mayek",
)  # fmt: skip
# What `--few` installs: plain, bold, narrow, round, hand-painted and serif faces, most of them with both scripts.
FEW = (
    "Mukta", "Hind", "Poppins", "Baloo 2", "Kalam", "Rajdhani", "Khand", "Rozha One", "Yatra One", "Martel", "Teko",
    "Noto Sans Devanagari", "Oswald", "Roboto Condensed", "Anton", "Lobster",
)  # fmt: skip
PLEX_WEIGHTS = {"Thin": 100, "Light": 300, "Regular": 400, "Medium": 500, "SemiBold": 600, "Bold": 700}


@dataclass(frozen=True, slots=True)
class FontRow:
    """One line of data/fonts.tsv; `weights` are upright, `italics` italic CSS weights."""

    family: str
    package: str
    version: str
    registry: str
    licence: str
    scripts: tuple[str, ...]
    weights: tuple[int, ...]
    italics: tuple[int, ...]


def read_table(path: Path) -> list[FontRow]:
    """The rows of a fonts.tsv; lines that start with # and the heading are skipped."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#") or line.startswith("family\t"):
            continue
        cells = line.split("\t")
        if len(cells) != 8:
            raise SystemExit(f"{path}:{number}: {len(cells)} columns instead of 8")
        weights, italics = (tuple(int(w) for w in cell.split() if w != "-") for cell in cells[6:])
        rows.append(FontRow(*cells[:5], tuple(cells[5].split()), weights, italics))
    return rows


def to_ttf(source: Path, target: Path) -> None:
    """Unpacks a woff/woff2 file to plain TTF/OTF."""
    from fontTools.ttLib import TTFont

    font = TTFont(source)
    font.flavor = None
    target.parent.mkdir(parents=True, exist_ok=True)
    font.save(target)


def slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "", name)


def wanted_files(row: FontRow, root: Path) -> list[tuple[Path, str]]:
    """(file in the unpacked package, name to give it) for the weights and subsets that the row asks for."""
    found = []
    for path in sorted(root.rglob("*.woff2")) + sorted(root.rglob("*.ttf")) + sorted(root.rglob("*.otf")):
        web = re.search(rf"-({'|'.join(SUBSETS)})-(\d+)-(normal|italic)\.woff2$", path.name)
        if web:
            subset, weight, style = web[1], int(web[2]), web[3]
            if subset in row.scripts and weight in (row.weights if style == "normal" else row.italics):
                found.append((path, f"{slug(row.family)}-{subset}-{weight}-{style}.ttf"))
            continue
        named = re.search(r"-(\w+)\.(woff2|ttf|otf)$", path.name)
        if (
            named
            and PLEX_WEIGHTS.get(named[1]) in row.weights
            and "split" not in path.parts
            and row.package[0:8] != "@fontsou"
        ):
            suffix = ".otf" if named[2] == "otf" else ".ttf"
            found.append((path, f"{slug(row.family)}-all-{PLEX_WEIGHTS[named[1]]}-normal{suffix}"))
    return found


def install(row: FontRow, archive: Path, destination: Path) -> int:
    """Unpacks one package archive and writes the wanted faces. Returns how many files were written."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if archive.suffix == ".tgz":
            with tarfile.open(archive) as tar:
                tar.extractall(root, filter="data")
        else:
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(root)
        files = {name: path for path, name in wanted_files(row, root)}
        for name, path in files.items():
            target = destination / slug(row.family) / name
            if path.suffix == ".woff2":
                to_ttf(path, target)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        for licence in [*root.glob("*/LICENSE*"), *root.glob("*/LICENSE.txt")][:1]:
            if files:
                shutil.copyfile(licence, destination / slug(row.family) / "LICENSE")
    return len(files)


def show(text: str, *, last: bool = False) -> None:
    """Draws `text` over the line before, on a terminal only: in a log it would be one endless line."""
    if sys.stderr.isatty():
        print(f"\r{text}\033[K", end="\n" if last else "", file=sys.stderr, flush=True)


def download(rows: list[FontRow], folder: Path) -> dict[str, Path]:
    """Downloads the packages of `rows` into `folder` unless they are there; package -> archive, less missing ones."""

    def archive(row: FontRow) -> Path:
        return folder / f"{row.package.lstrip('@').replace('/', '-')}-{row.version}.tgz"

    npm = [row for row in rows if row.registry == "npm"]
    archives = {row.package: archive(row) for row in npm if archive(row).exists()}
    npm = [row for row in npm if row.package not in archives]
    if npm and shutil.which("npm") is None:
        print("npm is not installed: its packages are skipped", file=sys.stderr)
        npm = []
    for start in range(0, len(npm), 8):
        part = npm[start : start + 8]
        specs = [f"{row.package}@{row.version}" for row in part]
        if subprocess.run(["npm", "pack", "--silent", *specs], cwd=folder, capture_output=True).returncode:
            for spec in specs:  # one missing package fails the whole call
                subprocess.run(["npm", "pack", "--silent", spec], cwd=folder, capture_output=True)
        for row in part:
            if archive(row).exists():
                archives[row.package] = archive(row)
        done = min(start + 8, len(npm))
        show(f"downloaded {done}/{len(npm)} npm packages", last=done == len(npm))
    for row in rows:
        if row.registry == "pypi":
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
            subprocess.run([*command, f"{row.package}=={row.version}"], capture_output=True)
            wheels = sorted(folder.glob(f"{row.package.replace('-', '_')}-*.whl"))
            if wheels:
                archives[row.package] = wheels[0]
    return archives


def copy_debian(destination: Path) -> int:
    """Copies the installed Devanagari faces of Debian's packages. Returns the number of files."""
    names = ("lohit-devanagari", "Gargi", "Nakula", "Sahadeva", "Sarai", "samyak", "annapurna")
    names += ("fonts-aksharyogini2", "fonts-deva-extra", "freefont")
    count = 0
    for root in DEBIAN_FOLDERS:
        files = [path for name in names for path in root.glob(f"{name}/*.[to]tf")]
        files += sorted(root.glob("noto/Noto*Devanagari-*.ttf"))
        for path in files:
            target = destination / f"debian-{path.parent.name}" / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            count += 1
    return count


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("destination", type=Path, help="folder to install into; existing families are kept")
    parser.add_argument("--table", type=Path, default=TABLE, help="list of typefaces (default: data/fonts.tsv)")
    parser.add_argument("--archives", type=Path, help="folder that keeps the downloaded packages")
    parser.add_argument("--few", action="store_true", help=f"only {len(FEW)} families, in less than a minute")
    args = parser.parse_args(arguments)
    args.destination.mkdir(parents=True, exist_ok=True)
    rows = [row for row in read_table(args.table) if row.registry != "debian"]
    if args.few:
        rows = [row for row in rows if row.family in FEW]
    todo = [row for row in rows if not (args.destination / slug(row.family)).is_dir()]
    missing, files = [], 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.archives or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        archives = download(todo, folder)
        for index, row in enumerate(todo, 1):
            count = install(row, archives[row.package], args.destination) if row.package in archives else 0
            files += count
            if not count:
                missing.append(row.package)
            show(f"installed {index}/{len(todo)} families", last=index == len(todo))
    copied = copy_debian(args.destination)
    print(f"{len(rows) - len(missing)} of {len(rows)} families, {files} new files, {copied} files from Debian")
    if missing:
        print(f"not found: {' '.join(missing)}", file=sys.stderr)
    return 1 if len(missing) == len(rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
