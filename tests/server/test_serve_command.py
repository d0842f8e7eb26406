"""`signboard serve` as a program: how it starts, what it says, how it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import server_fake
from server_fake import SLOW, photo
from typer.testing import CliRunner

from signboard.cli import app


@contextmanager
def program(*options: str, slow: float = 0.5) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program with the fake reader, and its address."""
    command = [sys.executable, str(Path(server_fake.__file__)), str(slow), "serve", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()[1]
        finally:
            process.kill()


def send(url: str, *photos: bytes, **options: Any) -> httpx2.Response:
    files = [("photo", (f"{n}.png", data)) for n, data in enumerate(photos)]
    return httpx2.post(f"{url}v1/read", files=files, timeout=60, **options)


def wait_until_reading(url: str) -> None:
    """Waits until a photo is being read; an error when none is within half a minute."""
    end = time.monotonic() + 30
    while not re.search(r"signboard_reading_photos [1-9]", httpx2.get(f"{url}v1/metrics").text):
        assert time.monotonic() < end, "no photo is being read"
        time.sleep(0.01)


def photos_read(url: str) -> float:
    """How many photos were given to the reader, those of batches that it is still reading included."""
    return float(re.findall(r"^signboard_batch_photos_sum (.*)$", httpx2.get(f"{url}v1/metrics").text, re.M)[0])


def numbers(answer: httpx2.Response) -> list[str]:
    return [row["signs"][0]["lines"][0]["words"][1]["text"] for row in answer.json()["readings"]]


def test_it_prints_its_address_and_answers_there() -> None:
    with program() as (process, url):
        assert url.startswith("http://127.0.0.1:") and url.endswith("/")
        assert numbers(send(url, photo(7), photo(8))) == ["7 2 3", "8 2 3"]
        assert "<title>signboard</title>" in httpx2.get(url).text
        assert "server" not in httpx2.get(url).headers
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0 and out == "" and errors == "", errors


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9 here")
def test_killed_in_the_middle_clients_get_errors_and_no_wrong_answers() -> None:
    with program("--workers", "2", slow=0.05) as (process, url):
        send(url, photo())
        answers: list[tuple[int, list[str]]] = []
        errors: list[BaseException] = []

        def client(blue: int) -> None:
            for green in range(200):
                try:
                    answer = send(url, photo(SLOW, green, blue))
                except httpx2.HTTPError as error:
                    errors.append(error)
                    return
                answers.append((answer.status_code, numbers(answer)))
                assert answers[-1] == (200, [f"{SLOW} {green} {blue}"])

        clients = [threading.Thread(target=client, args=(blue,)) for blue in range(8)]
        for thread in clients:
            thread.start()
        end = time.monotonic() + 60
        while len(answers) < 20 and time.monotonic() < end:
            time.sleep(0.01)
        process.kill()
        for thread in clients:
            thread.join(60)
        assert len(errors) == 8 and all(status == 200 and len(found) == 1 for status, found in answers)


def test_stopped_in_the_middle_it_says_so() -> None:
    with program("--workers", "1", slow=3.0) as (process, url):
        send(url, photo())
        answers: list[httpx2.Response] = []
        clients = [threading.Thread(target=lambda n=n: answers.append(send(url, photo(SLOW, n)))) for n in range(3)]
        for thread in clients:
            thread.start()
        wait_until_reading(url)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        for thread in clients:
            thread.join(60)
        for answer in answers:
            assert answer.status_code in (200, 503)
            if answer.status_code == 503:
                assert answer.json()["detail"] == "the service is stopping" and answer.headers["retry-after"]
        assert len(answers) == 3 and process.wait(30) in (0, -signal.SIGTERM, 143)


def test_a_client_that_goes_away_costs_nothing() -> None:
    with program("--workers", "1", slow=4.0) as (_, url):
        send(url, photo())
        threads = [threading.Thread(target=send, args=(url, photo(SLOW)))]
        threads[0].start()
        wait_until_reading(url)
        with pytest.raises(httpx2.ReadTimeout):
            httpx2.post(f"{url}v1/read", content=photo(SLOW), headers={"content-type": "image/png"}, timeout=0.2)
        assert send(url, photo(1)).status_code == 200
        threads[0].join()
        assert photos_read(url) == 3  # not the one that nobody waits for


def test_a_body_that_is_too_large_is_told_so() -> None:
    with program("--max-body", "1") as (_, url):
        for size in (1_100_000, 1_900_000):
            answer = send(url, b"x" * size)
            assert answer.status_code == 413 and answer.json()["detail"] == "the request is larger than 1 MiB"
        chunks = iter([b"x" * 100_000] * 19)
        answer = httpx2.post(f"{url}v1/read", content=chunks, headers={"content-type": "image/png"}, timeout=60)
        assert answer.status_code == 413


def test_a_body_that_does_not_come_is_given_up() -> None:
    with program("--timeout", "0.5") as (_, url):
        port = int(url.rstrip("/").rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
            lines = (
                "POST /v1/read HTTP/1.1",
                "Host: localhost",
                "Content-Type: image/png",
                "Content-Length: 99",
                "",
                "",
            )
            slow.sendall("\r\n".join(lines).encode() + b"a little")
            answer = ""
            while "detail" not in answer:
                answer += slow.recv(4096).decode()
        assert answer.startswith("HTTP/1.1 408 ") and "did not arrive within 0.5 s" in answer
        assert "signboard_held_bytes 0.0" in httpx2.get(f"{url}v1/metrics").text


def test_an_address_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(app, ["serve", "--port", str(taken.getsockname()[1])])
    assert result.exit_code == 2 and "in use" in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--device", "gpu"], "--device gpu: must be"),
        (["--precision", "int4"], "--precision int4: must be"),
        (["--token", "short"], "--token: must be 8 to 200"),
        (["--certificate", "a.pem"], "--certificate and --key belong together"),
        (["--certificate", "no.pem", "--key", "no.pem"], "--certificate no.pem: no such file"),
        (["--host", "no such host"], "--host no such host: "),
    ],
)
def test_options_that_make_no_sense(options: list[str], line: str) -> None:
    result = CliRunner().invoke(app, ["serve", *options])
    assert result.exit_code == 2 and line in result.stderr and result.stderr.count("\n") == 1


def test_a_reader_that_cannot_be_made_ends_it() -> None:
    code = (
        "import sys; from signboard.server import readers; from signboard.errors import WeightsError\n"
        "def broken(**options): raise WeightsError('weights.json: damaged')\n"
        "readers.load_reader = broken; sys.argv = ['signboard', 'serve', '--port', '0']\n"
        "from signboard.cli import app; app()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stderr == "signboard: weights.json: damaged\n"


def test_the_token_comes_from_the_environment_and_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNBOARD_TOKEN", "correct-horse")
    with program() as (_, url):
        assert "correct" not in url
        assert send(url, photo()).status_code == 401
        assert send(url, photo(), headers={"authorization": "Bearer correct-horse"}).status_code == 200


def test_other_machines_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGNBOARD_TOKEN", raising=False)
    with program("--host", "0.0.0.0") as (process, url):
        assert send(url, photo()).status_code == 200
        process.send_signal(signal.SIGINT)
        assert "anybody who reaches this machine" in process.communicate(timeout=60)[1]


def test_without_the_extra_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['fastapi'] = None; sys.argv = ['signboard', 'serve']\n"
        "from signboard.cli import app; app()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "pip install 'signboard[serve]'" in done.stderr and done.stderr.count("\n") == 1


def test_help_does_not_import_the_server() -> None:
    code = (
        "import sys; sys.argv = ['signboard', 'serve', '--help']\n"
        "from signboard.cli import app\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        "names = ('torch', 'numpy', 'fastapi', 'starlette', 'uvicorn', 'signboard.server')\n"
        "print([name for name in names if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert "--allow-host" in done.stdout and done.stderr == "[]\n"


def test_the_page_goes_along_with_an_installation() -> None:
    """Every kind of file of the page is among the package's data."""
    import tomllib

    root = Path(__file__).parents[2]
    with (root / "pyproject.toml").open("rb") as file:
        patterns = tomllib.load(file)["tool"]["setuptools"]["package-data"]["signboard"]
    kinds = {path.suffix for path in (root / "signboard" / "server" / "page").iterdir()}
    assert kinds and {f"**/*{kind}" for kind in kinds} <= set(patterns)
