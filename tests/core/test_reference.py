from __future__ import annotations

import http.server
import importlib.metadata
import io
import json
import re
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field

import fsspec
import numpy as np
import pytest
import soundfile

from earmark import Audio
from earmark.errors import DecodeError, MissingDependencyError, RemoteError, SampleRateError
from earmark.reference import fetch, has_unknown_scheme, is_file_url, is_reference

# What fsspec knows that is on this machine, or only wraps another file system.
_LOCAL = """
    async_wrapper asynclocal asyncwrapper blockcache cached dask data dir file filecache generic
    libarchive local memory pyscript reference simplecache tar zip
"""
NOT_REMOTE = set(_LOCAL.split())

REFERENCES = [
    "s3://bucket/key.wav",
    "gs://bucket/key.wav",
    "http://host/a.wav",
    "https://host/a.wav?token=1#t=3",
    "HTTPS://host/a.wav",
    "S3://bucket/key.wav",
    "ftp://host/a.wav",
    "azure://container/a.wav",
    "abfs://container@account/a.wav",
    "hf://datasets/user/data/a.wav",
    "wandb-artifact://abc/a.wav",
    "https://[::1]:8000/a.wav",
    "https://",
    "simplecache::s3://bucket/key.wav",
    "zip://a.wav::https://host/all.zip",
    "filecache::zip://a.wav::GS://bucket/all.zip",
    np.str_("s3://bucket/numpy.wav"),
]

NO_REFERENCES = [
    "",
    "a.wav",
    "/data/a.wav",
    "C:\\data\\a.wav",
    "~/a.wav",
    " https://host/a.wav",
    "https:/host/a.wav",
    "https",
    "data/https://host/a.wav",
    "file:///data/a.wav",
    "memory://a.wav",
    "zip://a.wav::/data/all.zip",
    b"https://host/a.wav",
    None,
    0,
    0.5,
    True,
    [],
    {},
    np.zeros(3),
    object(),
]


@dataclass
class Site:
    """A web site on this machine, and what was asked of it."""

    url: str
    pages: dict[str, bytes]
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    """A web server on a free port of this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.requests.append(f"{self.command} {self.path}")
            page = found.pages.get(self.path)
            part = re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            self.send_response(404 if page is None else 206 if part else 200)
            body = page or b""
            body = body[int(part[1]) : int(part[2]) + 1] if part else body
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Site(f"http://127.0.0.1:{server.server_port}", {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


SINE = 0.5 * np.sin(np.arange(4000) / 7)


def wav(rate: int = 8000) -> bytes:
    """The sine as a file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, SINE, rate, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


@pytest.mark.parametrize("url", REFERENCES)
def test_urls_of_other_machines_are_references(url: str) -> None:
    """Remote schemes of any case, and chains that end on another machine, are references."""
    assert is_reference(url) is True
    assert not has_unknown_scheme(url)


@pytest.mark.parametrize("path", NO_REFERENCES, ids=range(len(NO_REFERENCES)))
def test_everything_else_is_none(path: object) -> None:
    """Paths, local URLs and values of any type give `False`, never an exception."""
    assert is_reference(path) is False


@pytest.mark.parametrize("scheme", sorted(set(fsspec.available_protocols()) - NOT_REMOTE))
def test_every_remote_scheme_of_fsspec_is_known(scheme: str) -> None:
    """What fsspec can fetch is a reference, so that a new fsspec is noticed here."""
    assert is_reference(f"{scheme}://somewhere/a.wav")


def test_files_have_urls_too() -> None:
    """`file://` in any case leads to this machine, and is told apart from unknown schemes."""
    assert is_file_url("file:///a.wav")
    assert is_file_url("FILE://localhost/a.wav")
    assert not is_file_url("/a.wav")
    for url in ("foo://a.wav", "memory://a.wav", "zip://a.wav::/all.zip", "zip://a::file:///b.zip"):
        assert has_unknown_scheme(url)
    for path in ("/a.wav", "a:b.wav", None, 3, "https://host/a.wav", "file:///a.wav"):
        assert not has_unknown_scheme(path)


def test_nothing_is_fetched_until_someone_listens_and_then_once(site: Site) -> None:
    """Making, comparing, showing and storing a reference asks nothing of the network."""
    site.pages["/sine.wav"] = wav()
    url = f"{site.url}/sine.wav"
    audio = Audio(url, caption="far away")
    copies = [Audio(audio), Audio(url), Audio.from_json(json.loads(json.dumps(audio.to_json())))]
    assert audio == Audio(url, caption="far away")
    assert len({audio, *copies}) == 2
    assert url in repr(audio)
    assert url in audio._repr_html_()  # pyright: ignore[reportPrivateUsage] - IPython's protocol
    assert (audio.path, audio.resolve_ref()) == (None, url)
    assert Audio.durations([audio]) == Audio.sample_rates([audio]) == [None]
    assert site.requests == []

    assert audio.samples[:, 0].tolist() == SINE.astype(np.float32).tolist()
    assert (audio.sample_rate, audio.num_frames, audio.num_channels) == (8000, 4000, 1)
    assert audio.duration_seconds == 0.5
    assert audio.level.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert copies[0].duration_seconds == 0.5
    assert Audio.durations([audio]) == [0.5]
    assert Audio.sample_rates([audio]) == [8000]
    assert repr(audio).endswith("1 channel, 0.500 s, 8000 Hz, caption='far away')")
    assert site.requests == ["GET /sine.wav"]


def test_a_scheme_in_capitals_and_a_query_are_fetched(site: Site) -> None:
    """The scheme's case does not matter to fetching either, and the rest of the URL is kept."""
    site.pages["/Sine.wav?Token=A%20b"] = wav()
    url = f"{site.url.replace('http', 'HTTP')}/Sine.wav?Token=A%20b"
    assert Audio(url).num_frames == 4000
    assert Audio(url).resolve_ref() == url


def test_a_chained_url_is_fetched_through_its_chain(site: Site) -> None:
    """A sound within an archive on another machine is a reference like any other."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("a.wav", wav())
    site.pages["/all.zip"] = archive.getvalue()
    assert Audio(f"zip://a.wav::{site.url}/all.zip").num_frames == 4000


def test_a_rate_that_the_header_contradicts_is_an_error_once_it_is_known(site: Site) -> None:
    """A given rate is believed until the sound is fetched, and then compared with the header."""
    site.pages["/sine.wav"] = wav(8000)
    audio = Audio(f"{site.url}/sine.wav", 44_100)
    assert audio.sample_rate == 44_100
    message = "expected the sample rate that the sound itself has, 8000 Hz, got 44100 Hz: leave"
    for ask in ("samples", "duration_seconds", "num_frames", "level", "sample_rate"):
        with pytest.raises(SampleRateError, match=message):
            getattr(audio, ask)
    with pytest.raises(SampleRateError, match=message):
        Audio(Audio(audio), 44_100)
    assert Audio(f"{site.url}/sine.wav", 8000).duration_seconds == 0.5


def test_a_page_that_is_no_sound_is_named(site: Site) -> None:
    """What a login page or a missing file sends instead of a sound is an error with the URL."""
    site.pages["/login"] = b"<html>please log in</html>"
    with pytest.raises(
        DecodeError,
        match=rf"got 26 bytes \(.*\): write it anew .*; fetched from '{site.url}/login'",
    ):
        _ = Audio(f"{site.url}/login").samples


def test_a_missing_page_is_an_error_that_can_be_tried_again(site: Site) -> None:
    """What cannot be fetched raises every time it is asked for, and not for good."""
    audio = Audio(f"{site.url}/later.wav")
    for _ in range(2):
        with pytest.raises(
            RemoteError,
            match=rf"expected a sound at '{site.url}/later.wav', got FileNotFoundError: .*; check "
            "the address and the credentials of its storage",
        ):
            _ = audio.num_frames
    site.pages["/later.wav"] = wav()
    assert audio.num_frames == 4000


def test_an_unreachable_host_is_an_error_of_ours() -> None:
    """A closed port is refused at once, with the URL and the reason."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/a.wav"
        with pytest.raises(RemoteError, match=rf"expected a sound at '{url}', got \w+: .*; check"):
            _ = Audio(url).samples


def test_a_storage_whose_package_is_missing_names_it() -> None:
    """The storage's own words say which package is missing, ours how to get the usual ones."""
    missing = [
        (scheme, package)
        for scheme, package in [("gs", "gcsfs"), ("oss", "ossfs"), ("box", "boxfs")]
        if package not in {found.name for found in importlib.metadata.distributions()}
    ]
    scheme, package = missing[0]
    with pytest.raises(
        MissingDependencyError,
        match=rf"fetching '{scheme}://bucket/a.wav' needs .*{package}.*: pip install "
        r"'earmark\[s3\]' for S3 and HTTP, or the package that fsspec names for other schemes",
    ):
        fetch(f"{scheme}://bucket/a.wav")
