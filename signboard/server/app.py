"""The HTTP service: its routes, and how they use the queue. `make_app` puts it all together."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import io
import mimetypes
import re
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from signboard.errors import SignboardError
from signboard.image_files import HEAD, kind_of, tiff_pages
from signboard.output import annotate
from signboard.output.jsonl import from_dict
from signboard.output.markup import program
from signboard.photo import Page, PhotoSource, count_pixels, load_photo, printable
from signboard.reading import Reading
from signboard.server import schema
from signboard.server.answers import TYPES, problem, render, to_json
from signboard.server.batching import BatchQueue, ClosedError, QueueFullError
from signboard.server.crew import crew_for
from signboard.server.forms import Upload, read_form
from signboard.server.limits import Limits
from signboard.server.metrics import Metrics
from signboard.server.readers import Readers, ReadOptions
from signboard.server.safety import Safety

_PAGE = Path(__file__).parent / "page"
# Pictures are drawn on at no more than this: each label's plate is twice its size.
_DRAWN_PIXELS = 25_000_000
# Rows that say more than this about one photo are not drawn.
_DRAWN_LINES = 2000
_JSON = re.compile(r"application/([\w.-]+\+)?json")


@dataclasses.dataclass
class Service:
    """What the routes share.

    Attributes:
        readers: gives readers; `load` is called in a thread when the service starts.
        queue: where photos wait and are read.
        limits, metrics: see there.
        token: whether clients need one.
        workers: threads that read; None for what suits the device.
        failed: called with a line when the networks cannot be loaded.
        ready: set once photos can be read.
    """

    readers: Readers
    queue: BatchQueue
    limits: Limits
    metrics: Metrics
    token: bool
    workers: int | None
    failed: Callable[[str], None]
    ready: bool = False
    stopping: bool = False

    def load(self) -> None:
        """Loads the networks and opens the queue."""
        try:
            self.queue.start(crew_for(self.readers.load(), self.workers))
            self.ready = True
        except Exception as error:
            if not isinstance(error, SignboardError):
                traceback.print_exc(file=sys.stderr)
            self.queue.close("the service could not load its networks")
            self.failed(printable(str(error) or type(error).__name__))


def make_app(
    readers: Readers,
    queue: BatchQueue,
    *,
    limits: Limits | None = None,
    hosts: Iterable[str] = (),
    token: str | None = None,
    workers: int | None = None,
    failed: Callable[[str], None] = lambda line: None,
) -> Any:
    """The service as an ASGI application.

    Args:
        readers: where readers come from; loaded when the application starts.
        queue: not started yet; started once the networks are loaded.
        limits: `Limits()` by default.
        hosts, token: see `Safety`.
        workers: threads that read; by default what suits the device.
        failed: called with a line of text when the networks cannot be loaded.
    """
    limits = limits or Limits()
    service = Service(readers, queue, limits, queue.metrics, token is not None, workers, failed)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(asyncio.to_thread(service.load))
        yield
        service.stopping = True
        queue.close()
        await loading
        await asyncio.to_thread(queue.join, 5.0)

    app = FastAPI(
        title="signboard",
        summary="Finds, reads and translates every word on photos of signboards, Hindi and English.",
        version=program().removeprefix("signboard").strip() or "0",
        docs_url=None,  # a page that would load its scripts from elsewhere
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientDisconnect, _on_gone)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(QueueFullError, _on_full)
    app.add_exception_handler(ClosedError, _on_closed)
    app.add_exception_handler(Exception, _on_error)
    _add_page(app)
    _add_api(app, service)
    return Safety(app, limits, queue.metrics, hosts, token)


# Errors ---------------------------------------------------------------------------------------------------------------


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, printable(str(error.detail)), error.headers)


async def _on_gone(request: Request, error: Exception) -> Response:
    return problem(499, "the client went away")


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if any(found.get("loc") == ("body",) for found in error.errors()) and not _JSON.fullmatch(kind):
        return problem(415, "send JSON, as Content-Type: application/json")
    return problem(422, _first(error.errors()))


async def _on_full(request: Request, error: Exception) -> Response:
    assert isinstance(error, QueueFullError)
    return problem(503, str(error), {"retry-after": str(error.retry_after)})


async def _on_closed(request: Request, error: Exception) -> Response:
    return problem(503, str(error), {"retry-after": "5"})


async def _on_error(request: Request, error: Exception) -> Response:
    return problem(500, "something went wrong in the service; its terminal says what")


def _first(errors: Sequence[Any]) -> str:
    """The first of pydantic's errors in one line that names the key."""
    if not errors:
        return "not as documented in /v1/openapi.json"
    where = ".".join(str(part) for part in errors[0].get("loc", ()) if part not in ("body", "query"))
    return printable(f"{where[:200]}: {errors[0].get('msg', 'wrong')}" if where else str(errors[0].get("msg", "wrong")))


# The page -------------------------------------------------------------------------------------------------------------


def _add_page(app: FastAPI) -> None:
    """The page's files, from memory: a name that is not among them leads nowhere."""
    files = {path.name: path.read_bytes() for path in sorted(_PAGE.iterdir()) if path.is_file()}
    files[annotate.FONT_PATH.name] = annotate.FONT_PATH.read_bytes()
    tags = {name: f'"{hashlib.sha256(data).hexdigest()[:20]}"' for name, data in files.items()}
    kinds = {".js": "text/javascript", ".ttf": "font/ttf", ".webmanifest": "application/manifest+json"}

    def answer(name: str, request: Request) -> Response:
        headers = {"etag": tags[name], "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tags[name]:
            return Response(status_code=304, headers=headers)
        kind = kinds.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Response(files[name], headers=headers, media_type=kind)

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return answer("index.html", request)

    @app.get("/assets/{name}", include_in_schema=False)
    async def asset(name: str, request: Request) -> Response:
        if name not in files or name == "index.html":
            raise HTTPException(404, "no such file")
        return answer(name, request)


# The API --------------------------------------------------------------------------------------------------------------

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": schema.Problem, "description": "The token is missing or wrong."},
    403: {"model": schema.Problem, "description": "Asked for by a page of another site."},
    408: {"model": schema.Problem, "description": "The body took too long."},
    413: {"model": schema.Problem, "description": "The body is too large, or holds too many photos."},
    415: {"model": schema.Problem, "description": "A body of a kind that is not taken here."},
    422: {"model": schema.Problem, "description": "An option or the body is not as documented here."},
    503: {"model": schema.Problem, "description": "Too much to do; Retry-After says when to try again."},
}


def _only(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: _PROBLEMS[code] for code in codes}


_BINARY = {"type": "string", "format": "binary"}
_PHOTOS = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"photo": {"type": "array", "items": _BINARY, "description": "Photos, any field name."}},
            }
        },
        "image/*": {"schema": _BINARY},
        "application/octet-stream": {"schema": _BINARY},
    },
}
_PHOTO_AND_ROW = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["photo", "reading"],
                "properties": {
                    "photo": _BINARY,
                    "reading": {"type": "string", "description": "The photo's row of /v1/read, as JSON."},
                },
            }
        }
    },
}

_OPTIONS = ("min_confidence", "detection_threshold", "translate", "tile", "with_position", "format")
"""Of /v1/read."""

_Share = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)]


def _add_api(app: FastAPI, service: Service) -> None:
    limits, metrics = service.limits, service.metrics
    drawing = asyncio.Semaphore(1)  # of pictures: each takes hundreds of megabytes
    writing = asyncio.Semaphore(2)

    @app.post(
        "/v1/read",
        summary="Read photos of signs.",
        response_model=schema.Readings,
        responses=_only(401, 403, 408, 413, 415, 422, 503),
        openapi_extra={"requestBody": _PHOTOS},
    )
    async def read(
        request: Request,
        min_confidence: _Share = None,
        detection_threshold: _Share = None,
        translate: bool = False,
        tile: bool = False,
        with_position: bool = False,
        format: Literal["json", "jsonl", "csv", "text", "geojson", "hocr"] = "json",
    ) -> Response:
        """Photos as multipart/form-data, or one as the whole body. The options are those of `signboard run`.

        One row a photo, in the order they were sent, whatever `format` is; a TIFF of several pages gives a row a page,
        each of which counts as a photo. A photo that cannot be read is a row with
        its error; when no photo of the request can be read, the rows come with status 422.
        """
        for name in request.query_params:
            if name not in _OPTIONS:
                raise HTTPException(422, f"{name[:200]}: no such option; there are {', '.join(_OPTIONS)}")
        begin = time.monotonic()
        service.queue.check_room()
        service.queue.arriving(1)
        try:
            uploads, _ = await read_form(request, limits, files=limits.files)
            if not uploads:
                raise HTTPException(422, "no photo in the request")
            photos = await asyncio.to_thread(_photos, uploads, limits.files)
        finally:
            service.queue.arriving(-1)
        metrics.seconds.labels("receive").observe(time.monotonic() - begin)
        options = ReadOptions(_rounded(min_confidence), _rounded(detection_threshold), translate, tile)
        futures = _submit(service, photos, options)
        readings = await _within(_all(futures), limits.seconds, request)
        begin = time.monotonic()
        named = [_labelled(reading, photo, with_position) for reading, photo in zip(readings, photos, strict=True)]
        for reading in named:
            outcome = "failed" if reading.error is not None else "read" if reading.text else "empty"
            metrics.photos.labels(outcome).inc()
        body = render(named, format, position=with_position)
        metrics.seconds.labels("answer").observe(time.monotonic() - begin)
        status = 422 if all(reading.error is not None for reading in named) else 200
        return Response(body, status, _as_file(format), TYPES[format])

    @app.post(
        "/v1/translate",
        summary="Hindi texts of signs in English and in Latin letters.",
        response_model=schema.Translations,
        responses=_only(401, 403, 408, 413, 415, 422, 503),
    )
    async def translate_texts(asked: schema.TranslateRequest, request: Request) -> Response:
        """As `signboard translate --json`."""
        async with writing:
            rows = await _within(
                asyncio.to_thread(_translate, asked.texts, asked.scheme, asked.n_best), limits.seconds, request
            )
        return to_json({"translations": rows})

    @app.post(
        "/v1/convert",
        summary="Rows of /v1/read in another format.",
        responses=_only(401, 403, 408, 413, 415, 422)
        | {200: {"content": {kind.split(";")[0]: {} for kind in TYPES.values()}, "description": "The file."}},
    )
    async def convert(asked: schema.ConvertRequest, request: Request) -> Response:
        """As `signboard convert`. Positions are left out unless they are asked for."""

        def write() -> bytes:
            sent = [_Sent(b"", row.source, row.page, 0) for row in asked.readings]
            rows = [from_dict(row.plain()) for row in asked.readings]
            readings = [_labelled(row, photo, asked.with_position) for row, photo in zip(rows, sent, strict=True)]
            return render(readings, asked.format, position=asked.with_position)

        async with writing:
            data = await _within(asyncio.to_thread(write), limits.seconds, request)
        return Response(data, headers=_as_file(asked.format), media_type=TYPES[asked.format])

    @app.post(
        "/v1/annotate",
        summary="The photo with what was read drawn on it.",
        response_class=Response,
        responses=_only(401, 403, 408, 413, 415, 422, 503)
        | {200: {"content": {"image/jpeg": {"schema": _BINARY}}, "description": "A JPEG without EXIF."}},
        openapi_extra={"requestBody": _PHOTO_AND_ROW},
    )
    async def draw(request: Request) -> Response:
        """As `signboard run --annotate`: nothing is read anew. A row without signs gives the upright photo itself."""
        uploads, form = await read_form(request, limits, files=1, fields=1)
        text = form.get("reading")
        if len(uploads) != 1 or not isinstance(text, str):
            raise HTTPException(422, "send the file photo and the field reading, which is the photo's row")
        try:
            row = schema.Row.model_validate_json(text)
        except ValidationError as error:
            raise HTTPException(422, f"reading: {_first(error.errors())}") from None
        async with drawing:
            data = await _within(asyncio.to_thread(_draw, uploads[0].data, row, limits), limits.seconds, request)
        return Response(data, media_type="image/jpeg")

    @app.get("/v1/health", summary="Whether photos can be read.", response_model=schema.Health)
    async def health() -> Response:
        """Status 200 when they can, 503 while the networks are being loaded or the service stops."""
        status = "stopping" if service.stopping else "ready" if service.ready else "loading"
        value = {
            "status": status,
            "version": app.version,
            "token": service.token,
            "limits": dataclasses.asdict(limits),
        }
        return to_json(value, 200 if status == "ready" else 503, None if status == "ready" else {"retry-after": "2"})

    @app.get(
        "/v1/metrics",
        summary="Counters in Prometheus' text format.",
        response_class=Response,
        responses=_only(401) | {200: {"content": {"text/plain": {}}, "description": "The counters."}},
    )
    async def show_metrics() -> Response:
        """Requests, photos, seconds by stage, the queue."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@dataclasses.dataclass(frozen=True, slots=True)
class _Sent:
    """A photo of a request: what is opened, the name that its client uses, its page, its pixels by its header."""

    source: PhotoSource
    name: str
    page: int
    pixels: int


def _photos(uploads: Sequence[Upload], most: int) -> list[_Sent]:
    """The photos of a request: a file each, or its pages.

    Raises:
        HTTPException: 413, more pages than a request may have photos.
    """
    photos = []
    for upload in uploads:
        size = count_pixels(upload.data)
        pages = 1
        if kind_of(upload.data[:HEAD]) == "TIFF":
            pages = len(tiff_pages(io.BytesIO(upload.data)))
        if pages == 1:
            photos.append(_Sent(upload.data, upload.name, 1, size))
            continue
        if len(photos) + pages > most:
            raise HTTPException(413, f"too many photos: at most {most} a request, and each page of a TIFF is one")
        photos += [_Sent(Page("", page, upload.data), upload.name, page, size) for page in range(1, pages + 1)]
    return photos


def _submit(service: Service, photos: Sequence[_Sent], options: ReadOptions) -> list[Future[Reading]]:
    """The photos into the queue; those with too many pixels are answered at once. Raises as `BatchQueue.submit`."""
    futures: list[Future[Reading]] = [Future() for _ in photos]
    good = [i for i, photo in enumerate(photos) if photo.pixels <= service.limits.pixels]
    queued = service.queue.submit([(photos[i].source, photos[i].pixels) for i in good], options)
    for i, future in zip(good, queued, strict=True):
        futures[i] = future
    for i in set(range(len(photos))).difference(good):
        line = f"photo: more than {service.limits.pixels / 1e6:g} megapixels, too large to open"
        futures[i].set_result(Reading("", 0, 0, error=line))
    return futures


async def _all(futures: Sequence[Future[Reading]]) -> list[Reading]:
    """The results of all; photos that nobody waits for any more lose their place in the queue."""
    waiting = [asyncio.wrap_future(future) for future in futures]
    try:
        await asyncio.wait(waiting)
        return [future.result() for future in waiting]
    finally:
        for future in waiting:
            if not future.cancel() and not future.cancelled():
                future.exception()  # looked at, so that asyncio does not complain


async def _within(work: Any, seconds: float, request: Request) -> Any:
    """The result of `work`, which is cancelled when it takes too long or its client goes away.

    Raises:
        HTTPException: 503 when it takes too long, 499 when there is nobody to answer.
        ClosedError: the server stops, and does not wait for it any longer.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if gone.done():
            raise HTTPException(499, "the client went away")
        raise HTTPException(503, f"not done within {seconds:g} s; try again", {"retry-after": "5"})
    except asyncio.CancelledError:  # the server's patience with requests in hand has ended
        raise ClosedError("the service is stopping") from None
    finally:
        gone.cancel()
        task.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _labelled(reading: Reading, photo: _Sent, position: bool) -> Reading:
    """The reading under the name that its client uses, its error too, and without a position that nobody asked for."""
    name, error = photo.name, reading.error
    if error is not None and name and error.startswith(("photo: ", "photo, page ")):
        error = name + error.removeprefix("photo")
    metadata = reading.metadata if position else {k: v for k, v in reading.metadata.items() if k != "gps"}
    return dataclasses.replace(reading, source=name, page=photo.page, error=error, metadata=metadata)


def _as_file(form: str) -> dict[str, str]:
    """Headers that make a browser save what it would else show."""
    if form == "json":
        return {}
    endings = {"jsonl": "jsonl", "csv": "csv", "text": "txt", "geojson": "geojson", "hocr": "hocr"}
    return {"content-disposition": f'attachment; filename="signs.{endings[form]}"'}


def _rounded(value: float | None) -> float | None:
    """A threshold with three decimals: fewer different ones, more photos that can be read together."""
    return None if value is None else round(value, 3)


def _translate(texts: Sequence[str], scheme: str, n_best: int) -> list[dict[str, Any]]:
    from signboard.translation.translator import default_translator

    return list(default_translator().records(texts, scheme, n_best))


def _draw(data: bytes, row: schema.Row, limits: Limits) -> bytes:
    """The annotated picture as the bytes of a JPEG.

    Raises:
        HTTPException: 422, a photo that cannot be opened or a row of another photo.
    """
    from PIL import Image

    try:
        source = data if row.page == 1 else Page("", row.page, data)
        photo = load_photo(source, max_pixels=limits.pixels, decode_side=5000)
    except SignboardError as error:
        raise HTTPException(422, str(error)) from None
    reading = from_dict(row.plain())
    if reading.signs and (row.width, row.height) != (photo.width, photo.height):
        raise HTTPException(422, f"reading: of a photo of {row.width}x{row.height}, not {photo.width}x{photo.height}")
    _check_lines(reading)
    image = Image.fromarray(photo.pixels)
    if (share := _DRAWN_PIXELS / (image.width * image.height)) < 1:
        image = image.resize((max(1, round(image.width * share**0.5)), max(1, round(image.height * share**0.5))))
    import numpy as np

    drawn = annotate.annotate(np.asarray(image), reading, scale=image.width / photo.width)
    return annotate.encode(drawn, ".jpg")


def _check_lines(reading: Reading) -> None:
    """Raises HTTPException 422 for a row that no photo can have: lines outside of it, or many times its area."""
    area = 0.0
    for line in reading.lines:
        for x, y in (*line.polygon, *(point for word in line.words for point in word.polygon)):
            if not (-reading.width <= x <= 2 * reading.width and -reading.height <= y <= 2 * reading.height):
                raise HTTPException(422, "reading: a polygon lies outside of the photo")
        xs, ys = zip(*line.polygon, strict=True)
        area += (max(xs) - min(xs)) * (max(ys) - min(ys))
    if len(reading.words) > _DRAWN_LINES or area > 8 * reading.width * reading.height:
        raise HTTPException(422, "reading: more text than fits on a photo")
