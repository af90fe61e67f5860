from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from earmark import Audio
from earmark.notebook import player
from earmark.samples import Samples

SINE = 0.5 * np.sin(np.arange(8000) / 7)[:, np.newaxis].astype(np.float32)


class Page(HTMLParser):
    """What a browser makes of a page: its elements and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def attribute(self, tag: str, name: str) -> str:
        [value] = [attributes[name] for found, attributes in self.elements if found == tag]
        assert value is not None
        return value


def heard(html: str) -> tuple[Samples, int]:
    """What the player of a page plays."""
    kind, _, data = Page(html).attribute("audio", "src").partition(";base64,")
    assert kind in ("data:audio/flac", "data:audio/wav")
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(data)), always_2d=True)
    return np.asarray(samples, np.float32), rate


def html_of(audio: Audio) -> str:
    """What IPython asks of a value that it shows."""
    return audio._repr_html_()  # pyright: ignore[reportPrivateUsage] - IPython's protocol


def test_a_notebook_plays_the_sound_itself() -> None:
    """The player holds the samples at their rate, at 24 bits."""
    samples, rate = heard(html_of(Audio(SINE, 16_000)))
    assert rate == 16_000
    assert np.abs(samples - SINE).max() <= 2**-24


def test_a_notebook_plays_what_is_over_full_scale_unclipped() -> None:
    """Loud sounds go to the browser as float WAV."""
    np.testing.assert_array_equal(heard(html_of(Audio(SINE * 4, 16_000)))[0], SINE * 4)


def test_a_notebook_plays_non_finite_samples_as_silence() -> None:
    """NaN and infinities are played as 0, as they are stored."""
    broken = SINE.copy()
    broken[::2] = np.nan
    broken[1] = -np.inf
    samples, _ = heard(html_of(Audio(broken, 16_000)))
    assert np.isfinite(samples).all()
    assert (samples[::2] == 0).all()
    assert samples[1, 0] == 0


@pytest.mark.parametrize(
    "caption",
    ["<script>alert(1)</script>", "a < b & c > d", "\"quoted\" and 'quoted'", "日本語\n&amp;"],
)
def test_a_caption_is_text_and_never_markup(caption: str) -> None:
    """A caption comes out of the page as it went in, whatever is in it."""
    page = Page(html_of(Audio(SINE, 16_000, caption)))
    assert page.text == caption
    assert [tag for tag, _ in page.elements] == [
        "figure", "svg", "path", "br", "audio", "div",
    ]  # fmt: skip


def test_without_a_caption_there_is_no_text() -> None:
    """Nothing is invented where there is no caption."""
    assert Page(html_of(Audio(SINE, 16_000))).text == ""


def test_the_waveform_is_drawn_at_true_scale() -> None:
    """A sound at half of full scale fills half of the drawing, a loud one fills it to its edge."""
    for gain, height in [(1.0, 30), (0.2, 6), (8.0, 60)]:
        page = Page(html_of(Audio(SINE * np.float32(gain), 16_000)))
        lines = re.findall(r"M(\d+) ([\d.]+)V([\d.]+)", page.attribute("path", "d"))
        heights = [float(bottom) - float(top) for _, top, bottom in lines]
        assert max(heights) == pytest.approx(height, abs=0.2)
        assert len(lines) == 400
        assert page.attribute("svg", "height") == "60"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
def test_what_is_stored_as_silence_is_drawn_as_silence(value: float) -> None:
    """Non-finite samples are a line without height, as zeros are."""
    page = Page(html_of(Audio(np.full(800, value), 16_000)))
    lines = re.findall(r"M\d+ ([\d.]+)V([\d.]+)", page.attribute("path", "d"))
    assert {(float(top), float(bottom)) for top, bottom in lines} == {(30, 30)}


def test_a_short_sound_has_a_short_waveform() -> None:
    """Three frames are three columns, and one frame is a sound."""
    page = Page(html_of(Audio([0.1, 0.2, 0.3], 16_000)))
    assert page.attribute("svg", "width") == "3"
    assert len(heard(html_of(Audio([0.5], 16_000)))[0]) == 1


def test_of_a_long_sound_the_first_minute_is_played_and_this_is_said() -> None:
    """A notebook does not grow by hours of sound, and does not hide what it left out."""
    html = html_of(Audio(np.zeros(61 * 100), 100))
    assert len(heard(html)[0]) == 60 * 100
    assert Page(html).text == "the first 60 s are played here"
    assert Page(html_of(Audio(np.zeros(60 * 100), 100))).text == ""


def test_a_reference_is_linked_and_not_fetched() -> None:
    """The page of a reference holds its URL, escaped, and nothing that was downloaded."""
    url = 'https://host/a.wav?q="><script>&x=1'
    page = Page(html_of(Audio(url, caption="far")))
    assert page.attribute("audio", "src") == url
    assert page.attribute("audio", "preload") == "none"
    assert page.text == f"{url}far"
    assert [tag for tag, _ in page.elements] == ["figure", "audio", "div", "div"]


def test_stereo_is_played_as_stereo() -> None:
    """Both channels reach the browser, and the louder one is drawn."""
    stereo = np.concatenate([SINE, SINE / 4], axis=1)
    html = player(stereo, 16_000)
    assert heard(html)[0].shape == (8000, 2)
    lines = re.findall(r"M\d+ ([\d.]+)V([\d.]+)", Page(html).attribute("path", "d"))
    assert max(float(low) - float(top) for top, low in lines) == pytest.approx(30, abs=0.2)
