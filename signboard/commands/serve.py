"""`signboard serve`: a page and an HTTP service that read and translate signs."""

from __future__ import annotations

import ipaddress
import re
import socket
import sys
import threading
import warnings
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from signboard.commands.messages import complain, usage
from signboard.commands.options import DeviceOption, PrecisionOption, check_device


def serve_command(
    host: Annotated[
        str, typer.Option(help="Address to listen on. 0.0.0.0 lets other machines in: give a --token, too.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8000,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=64, help="Threads that read side by side; default: one a core, from two to four, on CUDA two."
        ),
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="SIGNBOARD_TOKEN",
            help="What clients must send as Authorization: Bearer TOKEN. Other users do not see the variable.",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", help="A name that browsers may use for this machine, besides localhost."),
    ] = None,
    certificate: Annotated[
        str | None, typer.Option(help="PEM file, for https: phones let a page use the camera live only then.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="PEM file of the certificate's private key.")] = None,
    max_body: Annotated[int, typer.Option(min=1, max=4096, help="MiB of one request.")] = 64,
    max_files: Annotated[int, typer.Option(min=1, max=1000, help="Photos of one request.")] = 32,
    max_megapixels: Annotated[float, typer.Option(min=0.001, max=150, help="Of one photo.")] = 150.0,
    max_queue: Annotated[int, typer.Option(min=1, max=100_000, help="Photos that may wait.")] = 128,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds until a request is given up.")] = 60.0,
) -> None:
    """Show a page, and answer requests, that read and translate signs.

    The page is at the address that is printed, the service's description at /v1/openapi.json. Ctrl-C stops.
    Exit codes: 0 stopped, 1 the networks could not be loaded, 2 the command makes no sense as given.
    """
    try:
        import uvicorn

        from signboard.server.app import make_app
    except ImportError as error:
        raise usage(f"serve needs extra packages: pip install 'signboard[serve]' ({error})") from None
    from signboard.server import readers
    from signboard.server.batching import BatchQueue
    from signboard.server.limits import MIB, Limits

    check_device(device, precision)
    if token is not None and not re.fullmatch(r"[!-~]{8,200}", token):
        raise usage("--token: must be 8 to 200 letters, digits and signs of ASCII, without spaces")
    if (certificate is None) != (key is None):
        raise usage("--certificate and --key belong together")
    for option, path in (("--certificate", certificate), ("--key", key)):
        if path is not None and not Path(path).is_file():
            raise usage(f"{option} {path}: no such file")
    # Pillow warns of odd EXIF and large pictures in lines of its own; what matters is in the rows.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    limits = Limits(
        body=max_body * MIB,
        files=max_files,
        pixels=round(max_megapixels * 1e6),
        seconds=timeout,
        queue=max_queue,
        held=max(Limits().held, 2 * max_body * MIB),
    )
    listening = _listen(host, port)
    address = _address(listening, host, "https" if certificate else "http")
    shared = readers.Readers(device=device, precision=precision, make=readers.load_reader)
    queue = BatchQueue(shared.get, limit=max_queue)
    failure: list[str] = []

    def failed(line: str) -> None:
        failure.append(line)
        server.should_exit = True

    app = make_app(
        shared,
        queue,
        limits=limits,
        hosts=[*(allow_host or ()), host],
        token=token,
        workers=workers,
        failed=failed,
    )

    class Server(uvicorn.Server):
        """Answers requests that wait in the queue as soon as it is asked to stop, not when those in hand are done."""

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            queue.close()
            await super().shutdown(sockets)

    server = Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=512,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=5,
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
    )
    if token is None and not _is_local(host):
        complain("anybody who reaches this machine can use the service; give a --token to keep it to yourself")
    page = f"{address}#token={token}" if token is not None else address
    print(f"signboard: {page if token is not None and sys.stdout.isatty() else address} (Ctrl-C stops)", flush=True)
    if open_browser:
        threading.Timer(0.5, webbrowser.open, (page,)).start()
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    except OSError as error:  # a certificate that is none
        raise usage(f"cannot serve: {error}") from None
    if failure:
        complain(failure[0])
        raise typer.Exit(1)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that an address in use is an error before anything is loaded."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise usage(f"--host {host}: {getattr(error, 'strerror', None) or error}") from None
    try:
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise usage(f"--host {host} --port {port}: {error.strerror or error}; try another --port") from None
    return listening


def _address(listening: socket.socket, host: str, scheme: str) -> str:
    """The page's address as a browser on this machine takes it."""
    port = listening.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{port}/"


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
