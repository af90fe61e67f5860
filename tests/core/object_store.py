"""An object store: moto's S3 server on loopback, which counts, refuses and holds up requests."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

import pytest
from fsspec.config import conf
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from s3fs import S3FileSystem
from werkzeug.serving import make_server

_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "nowhere",
}


class ObjectStore:
    """An S3 server with one empty bucket, `bucket`; every client of this process finds it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        """Every request so far: `"GET /bucket/run/run.json"`, with `?` and the query if any."""
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._refusals: list[int] = []
        self._held = 0
        self._release = threading.Event()

    def url(self, path: str = "") -> str:
        """The URL of what is at a path in the bucket."""
        return f"s3://bucket/{path}"

    @property
    def files(self) -> S3FileSystem:
        """A file system of its own, which no test's client shares a cache with."""
        return S3FileSystem(skip_instance_cache=True, use_listings_cache=False)

    def fail_next(self, count: int, status: int = 500) -> None:
        """Answer the next requests with a status; clients by themselves try some of them again."""
        self._refusals += [status] * count

    def hang_next(self, count: int) -> None:
        """Leave the next requests without an answer until `release`, or the end of the store."""
        self._release.clear()
        self._held += count

    def release(self) -> None:
        """Let go of what hangs, and be well from now on."""
        self._refusals.clear()
        self._held = 0
        self._release.set()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request, as WSGI has it."""
        query = f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
        self.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}{query}")
        if self._held:
            self._held -= 1
            self._release.wait()
        if self._refusals:
            status = self._refusals.pop(0)
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            code = "AccessDenied" if status == 403 else "InternalError"
            start_response(f"{status} {code}", [("Content-Type", "application/xml")])
            return [f"<Error><Code>{code}</Code><Message>as asked</Message></Error>".encode()]
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer


class _Quiet(MotoRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Print no line for every request."""


@contextmanager
def object_store() -> Generator[ObjectStore]:
    """Serve an S3 store within a block; the environment leads clients, and subprocesses, to it."""
    store = ObjectStore()
    server = make_server("127.0.0.1", 0, store, threaded=True, request_handler=_Quiet)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _CREDENTIALS.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
        patch.setitem(conf, "s3", {})
        S3FileSystem.clear_instance_cache()  # clients of an earlier store would ask that one
        try:
            fresh = store.files
            for bucket in fresh.ls(""):  # moto keeps what it holds for the whole process
                fresh.rm(bucket, recursive=True)
            fresh.mkdir("bucket")
            store.requests.clear()
            yield store
        finally:
            store.release()
            S3FileSystem.clear_instance_cache()
            server.shutdown()
            serving.join()
            server.server_close()
