"""The page in a browser: a photo is dropped, read, translated, searched and saved, by mouse and by keyboard."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from server_fake import SLOW, FakeReader, photo
from test_api import gps_photo

from signboard.server import app as app_module

PAGE = Path(app_module.__file__).parent / "page"
SAMPLES = Path(__file__).parents[2] / "data" / "samples"
HOSTILE = "<img src=x onerror=\"document.title='hacked'\">.png"


# Without a browser ----------------------------------------------------------------------------------------------------


def test_the_page_needs_nothing_from_elsewhere() -> None:
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8")
        links = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`)]*", text))
        assert {link for link in links if "www.w3.org" not in link and "www.openstreetmap.org" not in link} == set()
        assert "innerHTML" not in text and "eval(" not in text and "document.write" not in text
    index = (PAGE / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)", index) and not re.search(r"\s(style|on\w+)=", index)
    assert "<style" not in index


def test_every_file_that_the_page_names_is_there() -> None:
    named: set[str] = set()
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"/assets/([\w.-]+)", text)) | set(re.findall(r"from \"\./([\w.-]+)\"", text))
    assert named - {path.name for path in PAGE.iterdir()} == {"Mukta-SemiBold.ttf"}
    assert {path.name for path in PAGE.iterdir()} - named == {"index.html"}


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js to check the syntax of the modules")
@pytest.mark.parametrize("name", sorted(path.name for path in PAGE.glob("*.js")))
def test_modules_are_modern_javascript(name: str) -> None:
    command = ["node", "--input-type=module", "--check"]
    done = subprocess.run(command, input=(PAGE / name).read_bytes(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


# In Chromium ----------------------------------------------------------------------------------------------------------

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A service with the fake reader on a port of its own."""
    with Served() as url:
        yield url


class Served:
    """A service in a thread."""

    def __init__(self, **options: Any) -> None:
        import uvicorn

        from signboard.server.app import make_app
        from signboard.server.batching import BatchQueue
        from signboard.server.readers import Readers

        readers = Readers(make=FakeReader)
        app = make_app(readers, BatchQueue(readers.get), **options)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}/"

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()


class Visit:
    """A page that was opened, what went wrong on it, and whom it asked."""

    def __init__(self, browser: Any, address: str, width: int = 1280, scheme: str = "light", **options: Any) -> None:
        phone = {"has_touch": True, "is_mobile": True} if width < 800 else {}
        height = 740 if phone else 860
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            permissions=["clipboard-read", "clipboard-write", "camera"],
            **(phone | options),
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.errors: list[str] = []
        self.urls: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.errors.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: self.urls.append(request.url))
        self.page.on(
            "console",
            lambda said: (
                self.errors.append(said.text) if said.type == "error" and "status of" not in said.text else None
            ),
        )
        self.address = address

    def __enter__(self) -> Visit:
        self.page.goto(self.address)
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        self.context.close()
        if kind is None:
            assert not self.errors
            foreign = [url for url in self.urls if not url.startswith((self.address, "blob:", "data:"))]
            assert not foreign, foreign

    def _hear(self, said: Any) -> None:
        # Answers such as 422 are lines on the console, too.
        if said.type == "error" and "the server responded with a status of" not in said.text:
            self.errors.append(said.text)

    def drop(self, *files: tuple[str, bytes]) -> None:
        """Drops files onto the page as a person does."""
        listed = [[name, base64.b64encode(data).decode()] for name, data in files]
        transfer = self.page.evaluate_handle(
            """files => { const transfer = new DataTransfer();
            for (const [name, data] of files)
                transfer.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name));
            return transfer; }""",
            listed,
        )
        for kind in ("dragenter", "dragover", "drop"):
            self.page.dispatch_event("body", kind, {"dataTransfer": transfer})

    def choose(self, *files: tuple[str, bytes]) -> None:
        listed = [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files]
        self.page.set_input_files("#files", listed)

    def read(self, *files: tuple[str, bytes]) -> None:
        """Chooses files and waits until the first is shown."""
        self.choose(*files)
        self.page.wait_for_selector("#overlay .hit, #message:not([hidden])")

    def saved(self, form: str) -> tuple[str, bytes]:
        with self.page.expect_download() as download:
            self.page.click(f"[data-save={form}]")
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    def texts(self, selector: str) -> list[str]:
        return [text.strip() for text in self.page.locator(selector).all_text_contents()]


def picture(red: int = 10) -> bytes:
    return photo(red, 120, 90, size=(600, 400))


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_a_walk(browser: Any, address: str, width: int, scheme: str) -> None:
    with Visit(browser, address, width, scheme) as visit:
        page = visit.page
        assert page.locator("#welcome").is_visible()
        visit.drop(("one.png", picture(10)), ("two.png", picture(20)), ("no photo.txt", b"nothing"))
        page.wait_for_selector("#overlay .plate.original")
        assert "10 120 90" in visit.texts("#overlay .plate text")
        # English lies over the Hindi line, and only over that.
        page.locator(".modes input[value=english]").first.check(force=True)
        assert visit.texts("#overlay .plate text") == ["Police station"]
        page.keyboard.press("2")
        assert visit.texts("#overlay .plate text") == ["pulis thana"]
        # Each word in its language.
        assert page.locator("#overlay .hit[aria-label='थाना']").get_attribute("lang") == "hi"
        assert page.locator(".read .word[lang=en]", has_text="photo").count() == 1
        assert page.locator("#signs .latin[lang=hi-Latn]").inner_text() == "pulis thana"
        # A word: text, spelling, English, confidence, copy.
        page.locator("#overlay .hit[aria-label='थाना']").click(force=True)
        page.wait_for_selector("#sheet .facts dd:nth-of-type(2):not(:has-text('…'))")
        assert page.locator("#sheet h2").inner_text() == "थाना"
        facts = visit.texts("#sheet dd > span")
        assert facts[0].startswith("than") and facts[1].lower() == "police station"
        assert "40 %, unsure" in page.locator(".sureness").inner_text()
        assert page.locator("#overlay .hit.picked").get_attribute("aria-label") == "थाना"
        page.click("#sheet button:text-is('Copy')")
        assert page.evaluate("navigator.clipboard.readText()") == "थाना"
        page.click("#sheet button:text-is('Whole sign')")
        assert visit.texts("#sheet h2 > span") == ["photo 10 120 90", "पुलिस थाना"]
        page.click("#sheet .close")
        assert page.locator("#sheet").is_hidden()
        # The list lights up the sign's place.
        page.locator(".sign .word").first.hover()
        page.locator(".sign .word").first.focus()
        assert page.locator("#overlay .sign.lit").get_attribute("data-sign") == "0"
        # Three photos, one search.
        page.wait_for_selector(".thumb[data-index='1'].done")
        page.wait_for_selector(".thumb[data-index='2'].failed")
        page.fill("#search", "20 120")
        assert page.locator(".thumb").count() == 1 and page.locator("#found").inner_text() == "1 of 3"
        assert page.locator("#photo-name").inner_text() == "two.png"
        assert page.locator("#overlay .hit.found").count() >= 1
        page.fill("#search", "POLICE")
        assert page.locator(".thumb").count() == 2 and page.locator(".word.found").count() == 2
        page.fill("#search", "")
        page.locator(".thumb").nth(2).click()
        assert "not an image that can be opened" in page.locator("#message").inner_text()
        page.locator(".thumb").nth(0).click()
        # Everything can be saved.
        name, data = visit.saved("json")
        lines = [json.loads(line) for line in data.decode().splitlines()]
        assert name == "signs.jsonl" and [row["source"] for row in lines] == ["one.png", "two.png", "no photo.txt"]
        name, data = visit.saved("text")
        assert (
            name == "signs.txt" and "== two.png ==" in data.decode() and "pulis thana = Police station" in data.decode()
        )
        name, data = visit.saved("geojson")
        assert name == "signs.geojson" and len(json.loads(data)["features"]) == 5
        name, data = visit.saved("picture")
        assert name == "one-read.jpg" and data[:2] == b"\xff\xd8"
        # Nothing sticks out at the side.
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_markup_in_names_and_on_signs_is_text(browser: Any, address: str) -> None:
    with Visit(browser, address) as visit:
        page = visit.page
        visit.read((HOSTILE, picture()), ("<script>document.title='hacked'</script>", b"no photo"))
        assert page.locator("#photo-name").inner_text() == HOSTILE
        assert "<script>document.title='hacked'</script>" in visit.texts(".read .word")
        page.locator("#overlay .hit").last.click(force=True)
        assert page.locator("#sheet h2").inner_text() == "<script>document.title='hacked'</script>"
        page.wait_for_selector(".thumb[data-index='1'].failed")
        page.locator(".thumb").nth(1).click()
        assert "hacked" in page.locator("#photo-name").inner_text()
        page.locator(".thumb").nth(0).click()
        name, _ = visit.saved("picture")
        assert "<" not in name and name.endswith("-read.jpg")
        visit.saved("geojson")
        assert page.title() == "signboard"
        assert page.locator("img[src=x]").count() == 0 and page.locator("script").count() == 1


def test_by_keyboard_alone(browser: Any, address: str) -> None:
    with Visit(browser, address) as visit:
        page = visit.page
        visit.read(("one.png", picture()), ("two.png", picture(20)))
        for key, mode in (("3", "english"), ("2", "latin"), ("0", "photo"), ("1", "original")):
            page.keyboard.press(key)
            assert page.locator(f".modes input[value={mode}]").first.is_checked()
        page.keyboard.press("/")
        page.keyboard.type("13")  # typed, not taken for modes
        assert page.locator("#search").input_value() == "13"
        page.fill("#search", "")
        # One stop for all words on the photo, arrows between them.
        hits = page.locator("#overlay .hit[tabindex='0']")
        assert hits.count() == 1
        hits.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "पुलिस"
        page.keyboard.press("Enter")
        assert page.locator("#sheet h2").inner_text() == "पुलिस"
        assert page.evaluate("document.activeElement.id") == "sheet"
        page.keyboard.press("Escape")
        assert page.locator("#sheet").is_hidden()
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "पुलिस"
        page.keyboard.press("End")
        page.keyboard.press("Home")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "photo"
        page.keyboard.press("PageDown")
        assert page.locator("#photo-name").inner_text() == "two.png"
        # Everything that can be tapped is reached with Tab.
        seen: set[str] = set()
        for _ in range(60):
            page.keyboard.press("Tab")
            seen.add(page.evaluate("document.activeElement.id || document.activeElement.className.toString()"))
        assert {"add", "live", "options-open", "search", "word", "whole", "button small"} <= seen


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_serious(browser: Any, address: str, width: int, scheme: str) -> None:
    base = pytest.importorskip("axe_playwright_python.base", reason="axe-playwright-python is not installed")
    with Visit(browser, address, width, scheme, reduced_motion="reduce") as visit:
        page = visit.page
        page.evaluate(base.AXE_SCRIPT)

        def check(what: str) -> None:
            found = page.evaluate("axe.run({resultTypes: ['violations', 'incomplete']})")
            serious = [
                (what, rule["id"], node["html"], node.get("failureSummary"))
                for rule in found["violations"]
                if rule["impact"] in ("serious", "critical", "moderate")
                for node in rule["nodes"]
            ]
            assert not serious

        check("welcome")
        visit.read(("one.png", picture()), ("two.png", picture(20)), ("broken.png", b"nothing"))
        page.wait_for_selector(".thumb[data-index='2'].failed")
        for mode in "0123":
            page.keyboard.press(mode)
            check(f"mode {mode}")
        page.fill("#search", "police")
        check("search")
        page.fill("#search", "")
        page.locator("#overlay .hit[aria-label='थाना']").click(force=True)
        page.wait_for_selector("#sheet .facts dd:nth-of-type(2):not(:has-text('…'))")
        check("sheet")
        page.keyboard.press("Escape")
        page.locator(".thumb").nth(2).click()
        check("failed")
        page.click("#options-open")
        check("options")


def test_positions_only_when_they_are_asked_for(browser: Any, address: str) -> None:
    with Visit(browser, address) as visit:
        page = visit.page
        visit.read(("here.jpg", gps_photo()), ("nowhere.png", picture()))
        assert page.locator("#map").is_hidden()
        assert "28.6" not in visit.saved("geojson")[1].decode()
        page.click("#options-open")
        page.check("#position")
        page.click("#options button")
        page.wait_for_selector("#map:not([hidden])")
        assert page.locator("#sketch circle.place").count() == 1
        link = page.locator(".place-link")
        assert link.get_attribute("href").startswith(
            "https://www.openstreetmap.org/?mlat=28.613889&mlon=77.209000#map=18/"
        )
        assert link.get_attribute("rel") == "noopener noreferrer"
        page.wait_for_selector(".thumb[data-index='1'].done")
        points = [feature["geometry"] for feature in json.loads(visit.saved("geojson")[1])["features"]]
        assert points[0]["coordinates"] == pytest.approx([77.209, 28.613889], abs=1e-5) and points[-1] is None


def test_a_format_that_the_browser_does_not_show(browser: Any, address: str) -> None:
    """The service turns it into one that it does: TIFF here, HEIC on many machines."""
    with Visit(browser, address) as visit:
        visit.read(("scan.tif", photo(10, 120, 90, size=(600, 400), form="TIFF")))
        visit.page.wait_for_selector("#overlay .hit")
        for _ in range(100):
            if visit.page.evaluate("document.getElementById('picture').naturalWidth") == 600:
                break
            time.sleep(0.1)
        assert visit.page.evaluate("document.getElementById('picture').naturalWidth") == 600


def test_the_token_is_asked_for_once(browser: Any) -> None:
    with Served(token="correct-horse") as url:
        with Visit(browser, url) as visit:
            visit.choose(("one.png", picture()), ("two.png", picture(20)))
            visit.page.fill("#token", "correct-horse")
            visit.page.click("#key button")
            visit.page.wait_for_selector(".thumb[data-index='1'].done")
            visit.page.wait_for_selector("#overlay .hit")
        with Visit(browser, f"{url}#token=correct-horse") as visit:
            visit.address = url
            visit.read(("one.png", picture()))
            assert visit.page.url == url


def test_the_live_camera(browser: Any, address: str) -> None:
    with Visit(browser, address, 360) as visit:
        page = visit.page
        page.click("#live-first")
        page.wait_for_selector("#cam-overlay .plate.english")
        page.locator("#cam-modes input[value=original]").check(force=True)
        assert page.locator("#cam-overlay .plate.original").count() >= 3
        assert page.locator("#cam-overlay > g").get_attribute("transform").startswith("translate(")
        page.click("#cam-keep")
        page.wait_for_selector("#overlay .hit")
        assert page.locator("#photo-name").inner_text() == "camera.jpg" and page.locator("#cam").is_hidden()


def test_the_overlay_follows_the_picture(browser: Any, address: str) -> None:
    with Visit(browser, address) as visit:
        shift = visit.page.evaluate(
            """async () => {
            const { shiftBetween } = await import('/assets/motion.js');
            const wide = 96, tall = 54;
            const at = (x, y) => 128 + 60 * Math.sin(x / 5 + y / 11) + 50 * Math.cos(y / 4 - x / 17);
            const make = (dx, dy) => Float32Array.from({ length: wide * tall },
                (_, i) => at(i % wide - dx, Math.floor(i / wide) - dy));
            return [[0, 0], [3, -2], [-5.5, 4.25]].map(([dx, dy]) => shiftBetween(make(0, 0), make(dx, dy), wide));
            }"""
        )
        for found, true in zip(shift, [[0, 0], [3, -2], [-5.5, 4.25]], strict=True):
            assert found == pytest.approx(true, abs=0.3)


def test_photos_that_find_no_room_come_back(browser: Any) -> None:
    from signboard.server.limits import Limits

    with Served(limits=Limits(queue=1)) as url, Visit(browser, url) as visit:
        visit.choose(*[(f"{n}.png", photo(SLOW if n < 2 else n, 120, 90, size=(600, 400))) for n in range(6)])
        for n in range(6):
            visit.page.wait_for_selector(f".thumb[data-index='{n}'].done")


@pytest.mark.slow
def test_a_sample_is_read_for_real(browser: Any) -> None:
    """The whole program: the networks, the queue, the page."""
    command = [sys.executable, "-m", "signboard.cli", "serve", "--port", "0", "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[1]
            with Visit(browser, url) as visit:
                visit.page.set_default_timeout(180_000)
                visit.drop(("road.jpg", (SAMPLES / "road.jpg").read_bytes()))
                visit.page.wait_for_selector("#overlay .hit")
                visit.page.keyboard.press("3")
                assert visit.texts("#overlay .plate text") == ["Mahatma Gandhi Road"]
                visit.page.locator("#overlay .hit[aria-label='गांधी']").click(force=True)
                visit.page.wait_for_selector("#sheet dd:has-text('gandhi')")
                visit.page.keyboard.press("Escape")
                visit.page.fill("#search", "gandhi")
                assert visit.page.locator("#overlay .hit.found").count() == 6
                name, data = visit.saved("json")
                assert name == "road.json" and json.loads(data)["text"] == "महात्मा गांधी मार्ग\nMahatma Gandhi Road"
        finally:
            process.terminate()
            process.wait(30)
