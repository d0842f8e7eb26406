"""The HTTP service: what it answers to good requests and to bad ones."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from typing import Any

import pytest
from conftest import serving
from PIL import ExifTags, Image
from server_fake import CRASH, EMPTY, SLOW, FakeReader, photo
from starlette.testclient import TestClient

from signboard.output.jsonl import from_dict
from signboard.server import schema
from signboard.server.answers import TYPES
from signboard.server.limits import Limits
from signboard.server.metrics import Metrics


def send(client: TestClient, *photos: bytes | tuple[str, bytes], **query: Any) -> Any:
    files = [("photo", item if isinstance(item, tuple) else (f"{n}.png", item)) for n, item in enumerate(photos)]
    return client.post("/v1/read", files=files, params=query)


def rows(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return answer.json()["readings"]  # type: ignore[no-any-return]


def gps_photo() -> bytes:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (28.0, 36.0, 50.0), 3: "E", 4: (77.0, 12.0, 32.4)})
    return photo(form="JPEG", exif=exif)


def test_rows_come_in_order_under_their_names(client: TestClient) -> None:
    got = rows(send(client, ("b.png", photo(1)), ("dir/a.png", photo(2)), ("b.png", photo(3)), translate=True))
    assert [row["source"] for row in got] == ["b.png", "a.png", "b.png"]
    assert [row["signs"][0]["lines"][0]["words"][1]["text"] for row in got] == ["1 2 3", "2 2 3", "3 2 3"]
    assert got[0]["signs"][0]["lines"][1]["translation"] == "Police station"
    for row in got:
        assert from_dict(row).width == 60
        schema.Row.model_validate(row)


def test_one_photo_as_the_whole_body(client: TestClient) -> None:
    for kind in ("image/png", "application/octet-stream"):
        (row,) = rows(client.post("/v1/read", content=photo(9), headers={"content-type": kind}))
        assert row["source"] == "" and "9 2 3" in row["text"]


def test_a_bad_photo_is_a_row_with_an_error(client: TestClient) -> None:
    got = rows(send(client, photo(1), ("<b>.txt", b"no photo"), b"", photo(CRASH), photo(EMPTY), photo(2)))
    assert [row["error"] for row in got] == [
        None,
        "<b>.txt: not an image that can be opened",
        "2.png: empty file",
        "3.png: could not be read, OverflowError in the reader",
        None,
        None,
    ]
    assert "1 2 3" in got[0]["text"] and got[4]["signs"] == [] and "2 2 3" in got[5]["text"]


def scan(*reds: int) -> bytes:
    """A TIFF of several pages."""
    pages = [Image.new("RGB", (60, 40), (red, 2, 3)) for red in reds]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    return buffer.getvalue()


def test_a_tiff_gives_a_row_a_page(client: TestClient) -> None:
    got = rows(send(client, photo(1), ("scan.tif", scan(5, 6, 7)), photo(2)))
    assert [(row["source"], row["page"]) for row in got] == [
        ("0.png", 1), ("scan.tif", 1), ("scan.tif", 2), ("scan.tif", 3), ("2.png", 1),
    ]  # fmt: skip
    assert [row["signs"][0]["lines"][0]["words"][1]["text"][0] for row in got] == ["1", "5", "6", "7", "2"]
    assert not any(row["warnings"] for row in got)
    drawn = client.post(
        "/v1/annotate", files={"photo": scan(5, 200)}, data={"reading": json.dumps(got[2] | {"signs": []})}
    )
    assert drawn.status_code == 200 and Image.open(io.BytesIO(drawn.content)).getpixel((30, 20))[0] > 150  # type: ignore[index]
    again = client.post("/v1/convert", json={"readings": got, "format": "jsonl"})
    assert [json.loads(line)["page"] for line in again.text.splitlines()] == [1, 1, 2, 3, 1]


def test_a_damaged_page_is_a_row_with_an_error(client: TestClient) -> None:
    data = scan(5, 6)
    cut = data[: len(data) - 200] if len(data) > 8000 else data[:-200]
    got = send(client, ("scan.tif", cut)).json()["readings"]
    assert [row["page"] for row in got] == list(range(1, len(got) + 1))
    assert all(row["error"] is None or row["error"].startswith("scan.tif") for row in got)


def test_pages_count_as_photos() -> None:
    with serving(limits=Limits(files=3)) as client:
        assert len(rows(send(client, scan(1, 2, 3)))) == 3
        for photos in ((scan(1, 2, 3, 4),), (photo(1), scan(1, 2, 3))):
            answer = send(client, *photos)
            assert answer.status_code == 413 and "each page of a TIFF is one" in answer.json()["detail"]
        assert len(rows(send(client, photo(1), photo(2), photo(3)))) == 3


def test_pixels_are_counted_by_the_header() -> None:
    from signboard.photo import count_pixels

    assert count_pixels(photo(size=(50, 31))) == 50 * 31
    assert count_pixels(photo(size=(50, 31))[:60]) == 50 * 31
    assert count_pixels(b"") == count_pixels(b"no photo") == 0


def test_no_photo_can_be_read(client: TestClient) -> None:
    answer = send(client, ("x.jpg", b"nothing"))
    assert answer.status_code == 422
    assert answer.json()["readings"][0]["error"] == "x.jpg: not an image that can be opened"


@pytest.mark.parametrize("form", TYPES)
def test_every_format(client: TestClient, form: str) -> None:
    answer = send(client, photo(1), b"broken", photo(3), format=form)
    assert answer.status_code == 200 and answer.headers["content-type"] == TYPES[form]
    assert "1 2 3" in answer.text and "3 2 3" in answer.text and "1.png: not an image" in answer.text
    assert ("content-disposition" in answer.headers) == (form != "json")
    if form == "hocr":
        assert "<script>" not in answer.text and "&lt;script&gt;" in answer.text
    if form == "jsonl":
        assert [json.loads(line)["source"] for line in answer.text.splitlines()] == ["0.png", "1.png", "2.png"]


def test_text_of_one_photo_stands_alone(client: TestClient) -> None:
    assert send(client, photo(1), format="text").text.startswith("photo 1 2 3\nपुलिस थाना\n\n<script>")


@pytest.mark.parametrize("form", TYPES)
def test_positions_only_when_they_are_asked_for(client: TestClient, form: str) -> None:
    assert "28.61" not in send(client, gps_photo(), format=form).text
    asked = send(client, gps_photo(), format=form, with_position=True).text
    assert ("28.61" in asked) == (form in ("json", "jsonl", "csv", "geojson"))


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ({"min_confidence": 1.5}, "min_confidence"),
        ({"min_confidence": "nan"}, "min_confidence"),
        ({"detection_threshold": "inf"}, "detection_threshold"),
        ({"translate": "perhaps"}, "translate"),
        ({"format": "pdf"}, "format"),
        ({"tile": "\ud800".encode("utf-8", "surrogatepass")}, "tile"),
        ({"tranlate": "true"}, "tranlate"),
    ],
)
def test_wrong_options_are_named(client: TestClient, query: dict[str, Any], key: str) -> None:
    answer = send(client, photo(), **query)
    assert answer.status_code == 422 and answer.json()["detail"].startswith(f"{key}: ")


def test_bodies_that_are_none(client: TestClient) -> None:
    assert client.post("/v1/read").status_code == 415
    assert client.post("/v1/read", json={"path": "/etc/passwd", "url": "http://localhost/"}).status_code == 415
    assert client.post("/v1/read", content=b"", headers={"content-type": "image/png"}).status_code == 422
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x; charset=idna"):
        answer = client.post("/v1/read", content=b"--x\r\n\xff", headers={"content-type": kind})
        assert answer.status_code == 422 and answer.json()["detail"]
    assert client.get("/v1/read").status_code == 405 and client.get("/v1/nothing").status_code == 404
    fields = client.post("/v1/read", data={"photo": "/etc/passwd"}, files={})
    assert fields.status_code == 415
    form = client.post("/v1/read", data={"format": "text"}, files={"photo": photo()})
    assert form.status_code == 422 and "options go into the address" in form.json()["detail"]
    curl = client.post("/v1/translate", content=b'{"texts":["a"]}', headers={"content-type": "text/plain"})
    assert curl.status_code == 415 and "application/json" in curl.json()["detail"]


def test_a_form_that_breaks_off_is_refused_whole(client: TestClient) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n'
    kind = {"content-type": "multipart/form-data; boundary=x"}
    body = head + photo(1) + b"\r\n" + head + photo(2)
    assert len(rows(client.post("/v1/read", content=body + b"\r\n--x--\r\n", headers=kind))) == 2
    answer = client.post("/v1/read", content=body[:-9], headers=kind)  # else the first photo would be all
    assert answer.status_code == 422 and "last boundary" in answer.json()["detail"]


def test_a_client_that_hangs_up_while_it_sends_is_no_fault_of_the_service(client: TestClient) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"image/png"), (b"content-length", b"99")]
    scope = {"type": "http", "method": "POST", "path": "/v1/read", "query_string": b"", "headers": headers}
    asyncio.run(client.app(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 499


def test_limits() -> None:
    with serving(Limits(body=20_000, files=2, pixels=5_000)) as client:
        assert send(client, photo(), photo()).status_code == 200
        many = send(client, photo(), photo(), photo())
        assert many.status_code == 413 and many.json()["detail"] == "too many photos: at most 2 a request"
        assert send(client, b"x" * 30_000).status_code == 413
        chunked = client.post("/v1/read", content=iter([b"x" * 15_000] * 2), headers={"content-type": "image/png"})
        assert chunked.status_code == 413 and "MiB" in chunked.json()["detail"]
        large = client.post("/v1/translate", content=b" " * 30_000, headers={"content-type": "application/json"})
        assert large.status_code == 413
        got = rows(send(client, photo(size=(100, 51)), photo(size=(100, 50))))
        assert got[0]["error"] == "0.png: more than 0.005 megapixels, too large to open" and got[1]["error"] is None
        assert send(client, photo()).status_code == 200


def test_a_full_queue_says_when_to_come_back() -> None:
    with serving(Limits(queue=3)) as client:
        threads = [threading.Thread(target=send, args=(client, photo(SLOW))) for _ in range(2)]
        for thread in threads:
            thread.start()
        while client.get("/v1/metrics").text.count("signboard_reading_photos 2.0") == 0:
            pass
        answer = send(client, *[photo(n) for n in range(4)])
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1
        assert "too many photos" in answer.json()["detail"]
        for thread in threads:
            thread.join()
        assert send(client, photo()).status_code == 200


def test_a_request_that_takes_too_long_is_given_up() -> None:
    with serving(Limits(seconds=0.1)) as client:
        answer = send(client, photo(SLOW))
        assert answer.status_code == 503 and answer.headers["retry-after"] and "0.1 s" in answer.json()["detail"]
        threading.Event().wait(FakeReader.slow)
        assert send(client, photo()).status_code == 200


def test_bytes_in_memory_are_limited() -> None:
    with serving(Limits(held=10_000)) as client:
        answer = send(client, b"x" * 12_000)
        assert answer.status_code == 503 and answer.headers["retry-after"]
        chunked = client.post("/v1/read", content=iter([b"x" * 6_000] * 2), headers={"content-type": "image/png"})
        assert chunked.status_code == 503
        assert "signboard_held_bytes 0.0" in client.get("/v1/metrics").text
        assert send(client, photo()).status_code == 200


def test_translate(client: TestClient) -> None:
    answer = client.post("/v1/translate", json={"texts": ["प्रवेश निषेध", "-", ""], "n_best": 2})
    first, dash, empty = answer.json()["translations"]
    assert first["english"] == "No entry" and first["romanized"] and len(first["spellings"]["प्रवेश"]) == 2
    assert dash["english"] == "-" and empty["english"] == ""
    schema.Translations.model_validate(answer.json())
    scholarly = client.post("/v1/translate", json={"texts": ["हिन्दी"], "scheme": "iso15919"}).json()
    assert scholarly["translations"][0]["romanized"] == "hindī"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"texts": []}',
        b'{"texts": "one"}',
        b'{"texts": ["\\ud800"]}',
        b'{"texts": ["a"], "n_best": 1e400}',
        b'{"texts": ["' + b"x" * 3000 + b'"]}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_bad_json(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/translate", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422) and isinstance(answer.json()["detail"], str)


def test_convert_gives_what_reading_gives(client: TestClient) -> None:
    pictures = (gps_photo(), b"broken", photo(EMPTY))
    got = rows(send(client, *pictures, translate=True, with_position=True))
    for form in TYPES:
        for position in (False, True):
            converted = client.post("/v1/convert", json={"readings": got, "format": form, "with_position": position})
            read = send(client, *pictures, translate=True, with_position=position, format=form)
            assert converted.status_code == 200, converted.text
            assert converted.content == read.content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "signboard/2"),
        (("width",), -1),
        (("width",), 1e30),
        (("signs",), "text"),
        (("signs", 0, "lines"), []),
        (("signs", 0, "lines", 0, "words"), []),
        (("signs", 0, "lines", 0, "polygon"), [[0, 0]]),
        (("signs", 0, "lines", 0, "polygon", 0, 0), "left"),
        (("signs", 0, "lines", 0, "polygon", 0, 0), 1e300),
        (("signs", 0, "lines", 0, "words", 0, "confidence"), 7),
        (("signs", 0, "lines", 0, "words", 0, "text"), None),
        (("metadata", "gps"), {"latitude": 1}),
        (("error",), 5),
    ],
)
def test_rows_that_are_none(client: TestClient, path: tuple[Any, ...], value: Any) -> None:
    (row,) = rows(send(client, photo()))
    place = row
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    answer = client.post("/v1/convert", json={"readings": [row]})
    assert answer.status_code == 422 and answer.json()["detail"].startswith("readings.0.")
    drawn = client.post("/v1/annotate", files={"photo": photo()}, data={"reading": json.dumps(row)})
    assert drawn.status_code == 422 and drawn.json()["detail"].startswith("reading: ")


def test_annotate(client: TestClient) -> None:
    picture = photo(200, 200, 200, size=(300, 200))
    (row,) = rows(send(client, picture))

    def drawn(row: dict[str, Any], picture: bytes = picture) -> Any:
        return client.post("/v1/annotate", files={"photo": ("x", picture)}, data={"reading": json.dumps(row)})

    answer = drawn(row)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
    image = Image.open(io.BytesIO(answer.content))
    assert image.size == (300, 200) and not image.getexif() and len(image.getcolors(100_000) or []) > 20
    plain = Image.open(io.BytesIO(drawn(row | {"signs": []}).content))
    assert plain.getcolors() == [(60_000, (200, 200, 200))]
    assert "of a photo of 300x200, not 60x40" in drawn(row, photo()).json()["detail"]
    assert drawn(row, b"nothing").json()["detail"] == "photo: not an image that can be opened"
    for polygon in ([[-301, 0], [1, 0], [1, 1], [0, 1]], [[0, 0], [1, 0], [1, 401], [0, 401]]):
        row["signs"][0]["lines"][0]["polygon"] = polygon
        assert drawn(row).json()["detail"] == "reading: a polygon lies outside of the photo"
    row["signs"][0]["lines"][0]["polygon"] = [[0, 0], [300, 0], [300, 200], [0, 200]]
    row["signs"] *= 20
    assert drawn(row).json()["detail"] == "reading: more text than fits on a photo"
    for missing in ({"files": {"photo": picture}}, {"data": {"reading": "{}"}, "files": {"a": b"1", "b": b"2"}}):
        assert client.post("/v1/annotate", **missing).status_code in (413, 422)


def test_health_and_metrics(client: TestClient) -> None:
    health = client.get("/v1/health")
    assert health.status_code == 200 and health.json()["status"] == "ready"
    assert health.json()["limits"]["files"] == 32 and not health.json()["token"]
    send(client, photo(), photo(EMPTY), b"broken")
    text = client.get("/v1/metrics").text
    for line in (
        'signboard_requests_total{path="/v1/read",status="200"} 1.0',
        'signboard_photos_total{outcome="read"} 1.0',
        'signboard_photos_total{outcome="empty"} 1.0',
        'signboard_photos_total{outcome="failed"} 1.0',
        'signboard_stage_seconds_count{stage="receive"} 1.0',
        'signboard_stage_seconds_count{stage="answer"} 1.0',
        "signboard_queue_photos 0.0",
        "signboard_reading_photos 0.0",
        "signboard_held_bytes 0.0",
    ):
        assert line in text.splitlines(), line
    assert 'stage="queue"' in text and 'stage="read"' in text
    client.get("/made/up/by/a/client")
    assert "made/up" not in client.get("/v1/metrics").text


def test_metrics_of_two_services_are_apart() -> None:
    one, other = Metrics(), Metrics()
    one.photos.labels("read").inc()
    assert b'outcome="read"' not in other.text()


def test_the_service_describes_itself(client: TestClient) -> None:
    document = client.get("/v1/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/read", "/v1/translate", "/v1/convert", "/v1/annotate", "/v1/health", "/v1/metrics",
    }  # fmt: skip
    read = document["paths"]["/v1/read"]["post"]
    assert {parameter["name"] for parameter in read["parameters"]} == {
        "min_confidence", "detection_threshold", "translate", "tile", "with_position", "format",
    }  # fmt: skip
    assert {"200", "413", "422", "503"} <= set(read["responses"])
    assert "multipart/form-data" in read["requestBody"]["content"]
    assert {"Row", "SignRow", "LineRow", "WordRow"} <= set(document["components"]["schemas"])


def test_networks_that_cannot_be_loaded_are_said() -> None:
    from signboard.errors import WeightsError
    from signboard.server.app import make_app
    from signboard.server.batching import BatchQueue
    from signboard.server.readers import Readers

    def broken(**options: Any) -> Any:
        raise WeightsError("weights.json: damaged")

    said: list[str] = []
    readers = Readers(make=broken)
    app = make_app(readers, BatchQueue(readers.get), failed=said.append)
    with TestClient(app, base_url="http://localhost") as client:
        while not said:
            pass
        answer = send(client, photo())
        assert answer.status_code == 503 and "could not load" in answer.json()["detail"]
        assert client.get("/v1/health").status_code == 503
    assert said == ["weights.json: damaged"]
