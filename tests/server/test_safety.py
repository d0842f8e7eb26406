"""What strangers send: never a traceback, never a file on the disk, never an answer to somebody else's page."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from conftest import serving
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server_fake import photo
from starlette.testclient import TestClient

from signboard.server.forms import base_name
from signboard.server.limits import Limits


@pytest.fixture(scope="module")
def small() -> Iterator[TestClient]:
    with serving(Limits(body=50_000, files=3, seconds=5)) as client:
        yield client


def read(client: TestClient, **headers: str) -> Any:
    return client.post("/v1/read", content=photo(), headers={"content-type": "image/png", **headers})


@pytest.mark.parametrize("path", ["/", "/assets/main.js", "/v1/health", "/v1/metrics", "/nothing", "/v1/read"])
def test_headers_of_every_answer(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'" and policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'" and policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"] and "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY" and "camera=(self)" in headers["permissions-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    if path.startswith("/v1/"):
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:8000", "[::1]:8000", "192.168.1.7", "sign.lan:80"]
)
def test_hosts_that_are_ours(host: str) -> None:
    with serving(hosts=["Sign.lan"]) as client:
        assert read(client, host=host).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "localhost@evil", "1", "[evil]"]
)
def test_hosts_of_dns_rebinding(client: TestClient, host: str) -> None:
    for path in ("/", "/v1/health", "/v1/metrics"):
        assert client.get(path, headers={"host": host}).status_code == 421
    assert read(client, host=host).status_code == 421


def test_pages_of_other_sites_get_nothing(client: TestClient) -> None:
    assert read(client, origin="http://localhost").status_code == 200
    for origin in ("http://evil.example", "null", "http://localhost:81", "http://localhost.evil.example"):
        assert read(client, origin=origin).status_code == 403


def test_the_token() -> None:
    with serving(token="correct-horse") as client:
        for path in ("/", "/assets/main.js", "/v1/health", "/v1/openapi.json"):
            assert client.get(path).status_code == 200
        assert client.get("/v1/health").json()["token"]
        for header in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": "correct-horse"},
            {"authorization": "é"},
        ):
            answer = read(client, **{name: value.encode("latin-1") for name, value in header.items()})  # type: ignore[arg-type]
            assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
        for path in ("/v1/metrics", "//v1/metrics", "/v1/health/../metrics", "/assets/../v1/metrics", "/v1/%6detrics"):
            assert client.get(path).status_code in (401, 404)
        assert read(client, authorization="Bearer correct-horse").status_code == 200
        assert client.get("/v1/metrics", headers={"authorization": "Bearer correct-horse"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/assets/../app.py", "/assets/%2e%2e/app.py", "/assets/..%2fapp.py", "/assets//etc/passwd", "/assets/index.html",
     "/assets/", "/assets/main.js%00", "/../../etc/passwd"],
)  # fmt: skip
def test_no_file_but_the_page_s(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404 and "root:" not in answer.text


def test_the_page_is_not_sent_twice(client: TestClient) -> None:
    first = client.get("/assets/style.css")
    again = client.get("/assets/style.css", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304 and not again.content


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.jpg", "a.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\b.jpg", "b.jpg"),
        ("http://x/c.jpg", "c.jpg"),
        ("<img src=x onerror=alert(1)>.jpg", "<img src=x onerror=alert(1)>.jpg"),
        ("two\nlines\x1b[31m.jpg", "two\\nlines\\x1b[31m.jpg"),
        ("\udcff.jpg", "?.jpg"),
        ("x" * 500, "x" * 199 + "…"),
        (None, ""),
    ],
)
def test_names_are_only_labels(name: str | None, shown: str) -> None:
    assert base_name(name) == shown


def test_nothing_is_written_to_the_disk(small: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> Any:
        raise AssertionError("a temporary file")

    for name in ("TemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    monkeypatch.setattr("starlette.formparsers.MultiPartParser.spool_max_size", 10)
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    big = photo() + b"\0" * 40_000
    answer = small.post("/v1/read", files={"photo": ("a.png", big)})
    assert answer.status_code == 200
    row = answer.json()["readings"][0] | {"signs": []}
    drawn = small.post("/v1/annotate", files={"photo": ("a.png", big)}, data={"reading": json.dumps(row)})
    assert drawn.status_code == 200


# Requests that make no sense ------------------------------------------------------------------------------------------

_PNG = photo()
_TEXT = st.text(max_size=40)
_HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
_PART_HEADS = st.sampled_from(
    [
        b'Content-Disposition: form-data; name="photo"; filename="a.png"',
        b"Content-Disposition: form-data; name=photo; filename*=UTF-8''%ff%00",
        b'Content-Disposition: form-data; name="reading"',
        b"Content-Disposition: form-data",
        b'content-disposition: form-data; name="\xff"; filename="\xff\xfe"',
        b"Content-Type: image/png\r\nContent-Disposition: attachment; name=x; filename=",
        b"X: y",
        b"",
    ]
)
_PART_BODIES = st.one_of(
    st.just(_PNG),
    st.binary(max_size=60),
    st.builds(lambda cut: _PNG[:cut], st.integers(0, len(_PNG))),
    st.builds(
        lambda at, value: _PNG[:at] + bytes([value]) + _PNG[at + 1 :],
        st.integers(0, len(_PNG) - 1),
        st.integers(0, 255),
    ),
)


@st.composite
def _multipart(make: Any) -> bytes:
    boundary = make(st.sampled_from([b"x", b"x", b"y", b""]))
    parts = make(st.lists(st.tuples(_PART_HEADS, _PART_BODIES), max_size=5))
    gap = make(st.sampled_from([b"\r\n", b"\r\n", b"\n", b""]))
    body = b"".join(b"--" + boundary + gap + head + gap + gap + data + gap for head, data in parts)
    return body + make(st.sampled_from([b"--" + boundary + b"--\r\n", b"--" + boundary, b"", b"\x00"]))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def _damaged_rows(make: Any) -> bytes:
    """A row of which one value is another."""
    row = json.loads(
        '{"schema":"signboard/1","source":"a","width":60,"height":40,"text":"a","error":null,"warnings":[],'
        '"metadata":{"gps":{"latitude":1,"longitude":2}},"signs":[{"text":"a","polygon":[[0,0],[9,0],[9,9],[0,9]],'
        '"lines":[{"text":"a","polygon":[[0,0],[9,0],[9,9],[0,9]],"translation":"b","words":[{"text":"a","polygon":'
        '[[0,0],[9,0],[9,9],[0,9]],"confidence":0.5,"detection_score":0.5,"script":"latin","rotation":0}]}]}]}'
    )
    place: Any = row
    while isinstance(place, dict | list) and place:
        key = make(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or make(st.integers(0, 3)) == 0:
            place[key] = make(_VALUES)
            break
        place = place[key]
    return json.dumps(
        {"readings": [row], "format": make(st.sampled_from(["json", "csv", "geojson", "hocr", "text"]))}
    ).encode()


_JSON_BODIES = st.one_of(
    st.builds(lambda value: json.dumps(value).encode(), _VALUES),
    st.builds(lambda value: json.dumps({"texts": value}).encode(), _VALUES),
    st.builds(lambda texts: json.dumps({"texts": texts}).encode(), st.lists(st.text(), max_size=3)),
    _damaged_rows(),
    st.binary(max_size=80),
)
_KINDS = st.sampled_from(
    [
        "multipart/form-data; boundary=x", "multipart/form-data; boundary=x; charset=idna", "multipart/form-data",
        "multipart/form-data; boundary=", "application/json", "application/json", "image/png", "image/jpeg",
        "application/octet-stream", "text/plain", "",
    ]
)  # fmt: skip
_QUERY = st.dictionaries(
    st.sampled_from(["min_confidence", "detection_threshold", "translate", "tile", "with_position", "format"]) | _TEXT,
    st.sampled_from(["1", "0.5", "nan", "-inf", "true", "json", "geojson", "hocr", "text", "csv", ""]) | _TEXT,
    max_size=3,
)


_PATHS = st.sampled_from(
    ["/v1/read", "/v1/read", "/v1/translate", "/v1/convert", "/v1/annotate", "/v1/health", "/", "/assets/x"]
) | _TEXT.map(lambda text: "/" + quote(text.encode("utf-8", "surrogatepass")))


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(["POST", "POST", "POST", "POST", "GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"]),
    path=_PATHS,
    query=_QUERY,
    kind=_KINDS,
    body=st.one_of(_multipart(), _multipart(), _JSON_BODIES, _PART_BODIES),
    header=_HEADER,
)
def test_a_thousand_malformed_requests_and_never_a_500(
    small: TestClient, method: str, path: str, query: dict[str, str], kind: str, body: bytes, header: str
) -> None:
    def ask(query: dict[str, str]) -> Any:
        headers = {"content-type": kind, "accept": header, "if-none-match": header}
        return small.request(method, "http://localhost" + path, params=query, content=body, headers=headers)

    answer = ask(query)
    assert answer.status_code < 500, (answer.status_code, answer.text)
    if answer.status_code >= 400 and method != "HEAD":
        other_format = path == "/v1/read" and query.get("format") in ("geojson", "hocr", "text", "csv")
        if answer.status_code == 422 and other_format and not answer.text.startswith('{"detail"'):
            # Photos that cannot be opened are rows with their errors in the format that was asked for.
            rows = ask({**query, "format": "json"}).json()["readings"]
            reasons = [row["error"].split(": ", 1)[-1] for row in rows if row["error"]]
            assert reasons and all(reason in answer.text for reason in reasons), answer.text
        else:
            assert {"detail", "readings"} & set(answer.json()), answer.text
