"""A real local Ray cluster of two workers, one of which is killed: every photo has exactly one row, in order."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cli_fake
import pytest
from PIL import Image
from typer.testing import CliRunner

from signboard import cluster
from signboard.cli import app
from signboard.cluster import ClusterError, is_remote, list_remote, read_on_cluster
from signboard.commands.inputs import SUFFIXES

HAS_RAY = importlib.util.find_spec("ray") is not None and importlib.util.find_spec("pyarrow") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="the extra ray is not installed")
OPTIONS: dict[str, Any] = {"min_confidence": None, "translate": False, "device": "cpu"}


@pytest.fixture
def street(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(24):
        Image.new("RGB", (32, 32)).save(folder / f"{number:02}.jpg")
    Image.new("RGB", (32, 32)).save(folder / "13 deadly.jpg")
    (folder / "07 broken.jpg").write_bytes(b"no photo")
    return folder


def test_without_ray_there_is_one_clear_line(street: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = CliRunner().invoke(app, ["run", str(street), "--ray"])
    assert result.exit_code == 1
    assert result.stderr == "signboard: --ray needs an extra package: pip install 'signboard[ray]'\n"


def test_urls() -> None:
    assert is_remote("s3://bucket/a.jpg") and is_remote("gs://bucket")
    assert not is_remote("photos/a.jpg") and not is_remote("C:\\a.jpg") and not is_remote("a b://c")


def test_listing_a_store(street: Path) -> None:
    pytest.importorskip("fsspec")
    url = street.as_uri()
    listed = list(list_remote(url, SUFFIXES))
    assert len(listed) == 26 and listed == sorted(listed) and all(is_remote(name) for name in listed)
    assert len(list(list_remote(f"{url}/0*.jpg", SUFFIXES))) == 11
    assert len(list(list_remote(f"{url}/03.jpg", SUFFIXES))) == 1
    for bad in (f"{url}/gone.jpg", "nosuchstore://bucket/a"):
        with pytest.raises(ClusterError) as caught:
            list(list_remote(bad, SUFFIXES))
        assert bad in str(caught.value) and "\n" not in str(caught.value)


def test_a_worker_finds_words_on_one_window_while_it_reads_another(street: Path) -> None:
    paths = [str(path) for path in sorted(street.glob("*.jpg"))]
    worker = cluster._Worker("cluster_fake:AheadReader", {}, 4)
    for _ in range(2):
        rows = worker({"number": range(len(paths)), "photo": [os.fsencode(path) for path in paths], "page": [0] * 26})
        found = [json.loads(row) for row in rows["row"]]
        assert [row["source"] for row in found] == paths
        assert [row["source"] for row in found if row["error"]] == [str(street / "07 broken.jpg")]
    assert worker._reader.windows == [4, 3, 4, 4, 4, 4, 2] * 2  # one photo of the second cannot be opened


def test_what_cannot_be_fetched_or_read_keeps_its_place(street: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = ["gone://bucket/1.jpg", str(street / "00.jpg"), "gone://bucket/2.jpg", str(street / "bug.jpg")]
    Image.new("RGB", (32, 32)).save(street / "bug.jpg")  # on which all are read again, one by one
    for last, errors in ((3, [True, False, True]), (4, [True, False, True, True])):
        worker = cluster._Worker("cli_fake:FakeReader", OPTIONS, "auto")
        names = [os.fsencode(path) for path in paths[:last]]
        rows = worker({"number": range(last), "photo": names, "page": [0] * last})["row"]
        found = [json.loads(row) for row in rows]
        assert [row["source"] for row in found] == paths[:last]
        assert [row["error"] is not None for row in found] == errors


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[None]:
    """Two workers on this machine, for all tests of this file: starting a cluster takes seconds."""
    import ray

    tests = str(Path(__file__).parent)
    ray.init(
        address="local", num_cpus=2, num_gpus=0, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
        object_store_memory=100_000_000, runtime_env={"env_vars": {"PYTHONPATH": tests}},
    )  # fmt: skip
    yield
    ray.shutdown()


@needs_ray
@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_a_killed_worker_loses_and_doubles_nothing(street: Path) -> None:
    paths = [str(path) for path in sorted(street.glob("*.jpg"))]
    found = list(
        read_on_cluster(paths, reader_options=OPTIONS, workers=2, batch_size=4, reader="cluster_fake:MortalReader")
    )
    assert (street / "13 deadly.mark").exists()  # it did die
    assert len(list(street.glob("*.pid"))) >= 2  # and it was not alone, or another took its place
    assert [reading.source for reading in found] == paths
    assert [reading.source for reading in found if reading.error] == [str(street / "07 broken.jpg")]
    local = cli_fake.FakeReader(**OPTIONS).read_many(paths)
    assert [reading.text for reading in found] == [reading.text for reading in local]


@needs_ray
@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_the_rows_are_those_of_a_local_run(street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        read_on_cluster, "__kwdefaults__", read_on_cluster.__kwdefaults__ | {"reader": "cluster_fake:MortalReader"}
    )
    monkeypatch.setattr("signboard.commands.readers.make_reader", cli_fake.FakeReader)
    (street / "13 deadly.mark").touch()
    for name, extra in (("local.jsonl", []), ("cluster.jsonl", ["--ray", "--workers", "2"])):
        result = CliRunner().invoke(app, ["run", str(street), "--output", str(tmp_path / name), *extra])
        assert result.exit_code == 1 and "25 read, 0 empty, 1 failed" in result.stderr, result.stderr
    assert (tmp_path / "cluster.jsonl").read_bytes() == (tmp_path / "local.jsonl").read_bytes()
    url = f"{street.as_uri()}/*.jpg"
    result = CliRunner().invoke(app, ["run", url, "--json", "--ray"])
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == 26 and all(row["source"].startswith("file://") and row["width"] == 32 for row in rows)
    assert CliRunner().invoke(app, ["run", url, "--ray", "--html", str(tmp_path / "a.html")]).exit_code == 2


@needs_ray
@pytest.mark.slow
def test_a_cluster_that_cannot_be_reached(street: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def refuse(**_: Any) -> None:
        raise ConnectionError("no such\ncluster")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    result = CliRunner().invoke(app, ["run", str(street), "--ray", "host:6379"])
    assert result.exit_code == 1
    assert result.stderr == "signboard: --ray host:6379: cannot be reached, no such cluster\n"
    assert cluster.HELP not in result.stderr
