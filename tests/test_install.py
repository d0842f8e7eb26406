"""What an installation must hold to: OpenCV that imports without a display, lean imports."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_one_distribution_owns_opencv() -> None:
    """opencv-python and opencv-python-headless unpack into the same folder: only one may be asked for."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    names = {line.split(">")[0].split("=")[0].split("[")[0].strip() for line in wanted}
    assert {n for n in names if n.startswith("opencv")} == {"opencv-python-headless"}


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("ldd") is None, reason="looks at Linux libraries with ldd")
def test_opencv_needs_no_libgl() -> None:
    """Every native library that `import cv2` loads does so on a machine that has no libGL."""
    code = (
        "import cv2, re; maps = open('/proc/self/maps').read();"
        "print('\\n'.join(sorted(set(re.findall(r'\\S+cv2\\S*\\.so\\S*|\\S+opencv\\S*\\.so\\S*', maps)))))"
    )
    libraries = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert libraries
    for library in libraries:
        needed = subprocess.run(["ldd", library], capture_output=True, text=True, check=True).stdout
        assert "libGL" not in needed and "libX11" not in needed, f"{library} needs a display library:\n{needed}"


def test_reading_needs_none_of_the_training_libraries() -> None:
    blocked = ["albumentations", "pydantic", "yaml", "matplotlib", "shapely", "rapidfuzz", "tensorboard", "lmdb"]
    code = (
        f"import sys\nfor name in {blocked!r}: sys.modules[name] = None\n"
        "import signboard, signboard.reader, signboard.pipeline.layout, signboard.output, signboard.translation\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_public_names_are_there() -> None:
    import signboard

    assert all(getattr(signboard, name) is not None for name in signboard.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = signboard.no_such_name  # type: ignore[attr-defined]
