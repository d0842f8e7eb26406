"""What every request must pass before it is looked at, and the headers that every answer carries."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import re
import time
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signboard.server.answers import problem
from signboard.server.limits import Limits
from signboard.server.metrics import Metrics

# The page's own files and nothing else; pictures that it makes itself have the schemes blob: and data:.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# A body that is refused is taken in for so long before its client is told.
_DRAIN_SECONDS = 2.0
# Answered without the token: nothing private in them. The page asks for it.
_OPEN = re.compile(r"/|/assets/[^/]*|/v1/health|/v1/openapi\.json")


class Safety:
    """ASGI middleware: the host, the origin, the token, the size of bodies and the time they take.

    Args:
        app: what answers.
        limits: see `Limits`.
        metrics: where answers and held bytes are counted.
        hosts: names that a browser may know this service by, besides localhost and plain addresses.
        token: what clients must send as `Authorization: Bearer TOKEN`; none by default.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, metrics: Metrics, hosts: Iterable[str] = (), token: str | None = None
    ) -> None:
        self._app, self._limits, self._metrics = app, limits, metrics
        self._hosts = {"localhost", *(host.lower().rstrip(".") for host in hosts)}
        self._token = token
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a websocket: there are none here
            await send({"type": "websocket.close", "code": 1008})
            return
        begun = False

        async def send_safely(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
                self._metrics.requests.labels(_route(scope), str(message["status"])).inc()
            await send(message)

        refusal = self._refusal(Headers(scope=scope), scope["path"])
        if refusal is not None:
            await self._drain(receive)
            await refusal(scope, receive, send_safely)
            return
        body = _Body(receive, self._limits, self._hold)
        try:
            await self._app(scope, body, send_safely)
        except HTTPException as error:  # a body that is too large, outside of what catches these
            if begun:
                raise
            await self._drain(receive)
            await problem(error.status_code, str(error.detail), error.headers)(scope, receive, send_safely)
        finally:
            self._hold(-body.size)

    async def _drain(self, receive: Receive) -> None:
        """Takes in what its client still sends, and forgets it: who is busy sending does not see an answer."""
        left = 2 * self._limits.body
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while left > 0:
                    message = await receive()
                    if message["type"] != "http.request" or not message.get("more_body", False):
                        return
                    left -= len(message.get("body", b""))

    def _refusal(self, headers: Headers, path: str) -> Response | None:
        host = headers.get("host", "")
        if not self._knows(host):
            return problem(421, "this host name is not one of this service's; see --allow-host")
        # Pages of other sites may not make a visitor's browser post here. Programs send no origin.
        origin = headers.get("origin")
        if origin is not None and origin.split("://")[-1].lower() != host.lower():
            return problem(403, "requests from pages of other sites are not answered")
        if self._token is not None and not _OPEN.fullmatch(path):
            given = headers.get("authorization", "")
            wanted = f"Bearer {self._token}"
            if not hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
                return problem(401, "a token is needed: Authorization: Bearer TOKEN", {"www-authenticate": "Bearer"})
        length = headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and len(length) < 20:
            if int(length) > self._limits.body:
                return too_large(self._limits)
            if self._held + int(length) > self._limits.held:
                return _busy()
        return None

    def _knows(self, host: str) -> bool:
        """Whether a Host header is right: an address, which no other site's DNS can point here, or one of our names."""
        name = re.sub(r":\d*$", "", host.strip().lower())
        if name.startswith("[") and name.endswith("]"):
            name = name[1:-1]
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.rstrip(".") in self._hosts
        return True

    def _hold(self, change: int) -> None:
        if change > 0 and self._held + change > self._limits.held:
            raise HTTPException(503, "too many photos are being sent; try again", {"retry-after": "2"})
        self._held += change
        self._metrics.held.set(self._held)


class _Body:
    """A request's body, cut off when it grows too large or takes too long."""

    def __init__(self, receive: Receive, limits: Limits, hold: Callable[[int], None]) -> None:
        self._receive, self._limits, self._hold = receive, limits, hold
        self._end = time.monotonic() + limits.seconds
        self._more = True
        self.size = 0

    async def __call__(self) -> Message:
        if not self._more:  # all is there: this waits for the client to go away
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._end - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, f"the body did not arrive within {self._limits.seconds:g} s") from None
        if message["type"] == "http.request":
            size = len(message.get("body", b""))
            if self.size + size > self._limits.body:
                raise HTTPException(413, str(_too_large_line(self._limits)))
            self._hold(size)
            self.size += size
            self._more = message.get("more_body", False)
        return message


def _too_large_line(limits: Limits) -> str:
    return f"the request is larger than {limits.body / (1 << 20):g} MiB"


def too_large(limits: Limits) -> Response:
    """The answer to a body beyond the limit."""
    return problem(413, _too_large_line(limits))


def _busy() -> Response:
    return problem(503, "too many photos are being sent; try again", {"retry-after": "2"})


def _route(scope: Scope) -> str:
    """The path as metrics count it: one that clients make up is "other"."""
    route = scope.get("route")
    return str(getattr(route, "path", "other"))


__all__ = ["Safety", "too_large"]
