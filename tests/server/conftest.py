"""The service in the test's own process, with a fake reader."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("httpx2", reason="httpx2 is not installed")

import server_fake
from starlette.testclient import TestClient

from signboard.server.app import make_app
from signboard.server.batching import BatchQueue
from signboard.server.limits import Limits
from signboard.server.readers import Readers


@contextmanager
def serving(limits: Limits | None = None, **options: Any) -> Iterator[TestClient]:
    """A client of a service, once it is ready."""
    limits = limits or Limits()
    readers = Readers(make=server_fake.FakeReader)
    app = make_app(readers, BatchQueue(readers.get, limit=limits.queue), limits=limits, **options)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        client.get("/v1/health")
        while client.get("/v1/health").json()["status"] == "loading":
            pass
        server_fake.FakeReader.batches.clear()
        yield client


@pytest.fixture
def client() -> Iterator[TestClient]:
    with serving() as client:
        yield client
