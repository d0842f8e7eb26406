"""Bodies of requests: photos and fields out of multipart/form-data or a bare picture, all in memory."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from signboard.photo import printable
from signboard.server.limits import Limits

_NAME_LENGTH = 200


class _MemoryParser(MultiPartParser):
    """Starlette's parser, whose files never move to the disk: their size is bounded by that of the body."""

    spool_max_size = 1 << 62
    ended = False

    def on_end(self) -> None:
        """Notes that the boundary behind the last part was there: what breaks off before it may lack photos."""
        self.ended = True


class Upload:
    """A file of a request: its bytes and the name that its client calls it by, which is only ever a label."""

    __slots__ = ("data", "name")

    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name = data, name


async def read_form(request: Request, limits: Limits, *, files: int, fields: int = 0) -> tuple[list[Upload], FormData]:
    """The files of a request, in their order, and its fields.

    The body is multipart/form-data, whose files may have any field name, or one picture without any wrapping.

    Raises:
        HTTPException: 413 too many files, 415 another kind of body, 422 a damaged body or none.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        # One more than allowed, so that too many are told from a damaged body.
        parser = _MemoryParser(
            request.headers, _chunks(request), max_files=files + 1, max_fields=fields, max_part_size=limits.body
        )
        try:
            form = await parser.parse()
        except MultiPartException as error:
            if "Too many files" in error.message:
                raise HTTPException(413, f"too many photos: at most {files} a request") from None
            if "Too many fields" in error.message:
                allowed = "files only" if not fields else f"files and at most {fields} other field"
                message = f"multipart/form-data: send {allowed}; options go into the address, as ?format=text"
                raise HTTPException(422, message) from None
            raise HTTPException(422, f"multipart/form-data: {printable(error.message)}") from None
        except UnicodeError:  # a charset such as idna, whose errors are of another kind
            raise HTTPException(422, "multipart/form-data: names that are no text in the charset given") from None
        try:
            if not parser.ended:
                raise HTTPException(422, "multipart/form-data: the body ends before its last boundary")
            uploads = [
                Upload(await value.read(), base_name(value.filename))
                for _, value in form.multi_items()
                if isinstance(value, UploadFile)
            ]
        finally:
            await form.close()
        if len(uploads) > files:
            raise HTTPException(413, f"too many photos: at most {files} a request")
        return uploads, form
    if kind.startswith("image/") or kind == "application/octet-stream":
        data = b"".join([chunk async for chunk in _chunks(request)])
        return [Upload(data, "")] if data else [], FormData()
    raise HTTPException(415, "send photos as multipart/form-data, or one photo as image/* or application/octet-stream")


async def _chunks(request: Request) -> AsyncGenerator[bytes, None]:
    async for chunk in request.stream():
        yield chunk


def base_name(name: str | None) -> str:
    """The last part of a file name as a client gives it, on one line and not too long."""
    last = re.split(r"[/\\]", name or "")[-1]
    shown = printable(last.encode("utf-8", "replace").decode("utf-8"))
    return shown if len(shown) <= _NAME_LENGTH else shown[: _NAME_LENGTH - 1] + "…"
