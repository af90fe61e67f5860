"""Every snippet of the pages in docs/ runs, in its order, and does what the page says."""

from __future__ import annotations

import importlib
import inspect
import re
import shlex
import sys
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn
from torch.utils.data import default_collate
from transformers import Trainer, TrainingArguments

import earmark
from earmark import convert
from earmark.captions import TEXT_KEYS
from earmark.cli import cli
from earmark.outputs import registry
from earmark.selection import ID_KEYS
from earmark_integrations import loop
from earmark_integrations._listener import Listener
from earmark_integrations.transformers import AudioMonitor
from tests.docs_models import FRAMES, RATE, Clips, Denoiser, DenoiserModule, names, tone
from tests.integrations.lightning_models import clips_in, told

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
TEXTS = {page.stem: page.read_text(encoding="utf-8") for page in PAGES}
FRAMEWORKS = {"lightning", "transformers", "accelerate", "ignite", "loop"}


def blocks(page: str, language: str) -> list[str]:
    """The snippets of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXTS[page], re.DOTALL | re.MULTILINE)


def run(page: str, known: dict[str, Any]) -> dict[str, Any]:
    """Run the snippets of a page, one after the other; earmark has nothing to say."""
    with told() as messages:
        for code in blocks(page, "python"):
            exec(compile(code, str(DOCS / f"{page}.md"), "exec"), known)  # noqa: S102 - it is ours
    assert messages == []
    return known


def logged(run_dir: Any, role: str = "prediction") -> list[tuple[int | None, int]]:
    """Where there are clips of a role."""
    places = [(clip.epoch, clip.step) for clip in clips_in(run_dir, role=role)]
    return list(dict.fromkeys(places))


@pytest.fixture(name="_place", autouse=True)
def fixture_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snippets write where they run."""
    monkeypatch.chdir(tmp_path)


def test_lightning() -> None:
    """Variants are decoded and measured, levels changed, clips joined, and demo sets heard."""
    known = run("lightning", names() | {"model": DenoiserModule()})

    first = known["trainer"].callbacks
    (sampled,) = (one for one in first if isinstance(one, Listener))
    made = {clip.role: clip for clip in clips_in(sampled.run_dir, example="1")}
    assert {"prediction.fast", "prediction.slow"} < made.keys()
    fast, slow = made["prediction.fast"], made["prediction.slow"]
    assert max(abs(fast.audio.samples)) == 0.125  # as the vocoder has it
    assert fast.caption == f"clip 1 | mse {fast.metrics['mse']:.4f}"
    assert max(abs(slow.audio.samples)) < 0.05
    for clip in clips_in("runs/joined"):
        assert clip.audio.num_frames == (2 if clip.role == "joined" else 1) * FRAMES
        assert abs(clip.level.peak_dbfs) < 1e-3
    spoken = [clip for clip in clips_in(known["prompts"].run_dir) if clip.tag == "demo"]
    assert {(clip.caption, clip.audio.num_frames) for clip in spoken} == {
        ("good morning", 6000),
        ("good night", 5000),
    }
    assert [clip.example for clip in clips_in(known["noise"].run_dir) if clip.tag == "noise"]


def test_transformers() -> None:
    """Evaluations are heard at the global step; a demo set without any, with its texts."""
    run("transformers", names())

    assert logged("out/earmark") == [(1, 1), (2, 2)]
    assert logged("out/earmark", "target") == [(1, 1), (2, 2)]
    heard = clips_in("out/demo/earmark", role="prediction")
    assert heard[-1].caption == "a text that the model does not take | step 1"


def test_the_trainer_of_transformers_can_keep_texts() -> None:
    """With the three things that the page names."""

    class Accepting(Denoiser):
        def forward(self, noisy: torch.Tensor, clean: Any = None, **_: Any) -> Any:
            return super().forward(noisy, clean)

    settings: dict[str, Any] = {"remove_unused_columns": False, "eval_strategy": "epoch"}
    args = TrainingArguments("out", max_steps=1, report_to="none", use_cpu=True, **settings)
    data: dict[str, Any] = {"train_dataset": Clips(), "eval_dataset": Clips()}
    monitor = AudioMonitor()
    Trainer(Accepting(), args, data_collator=default_collate, callbacks=[monitor], **data).train()
    captions = [clip.caption for clip in clips_in("out/earmark", role="prediction")]
    assert captions == [f"clip {index}" for index in range(4)]


def test_loop() -> None:
    """The schedule decides; predictions, demo sets and checkpoints are as the page says."""
    run("loop", names())

    assert logged("runs/denoiser") == [(0, 100), (2, 300)]
    assert logged("runs/sampled") == [(0, 100)]
    assert [step for _, step in logged("runs/demo")] == [0, 100, 200]
    assert list(Path("logs").glob("events.*"))


def test_accelerate() -> None:
    """The run is in the accelerator's folder, and what is heard in its tracker."""
    run("accelerate", names())

    assert logged("out/earmark") == [(0, 100), (1, 200)]
    assert list(Path("out/logs").rglob("events.*"))


def test_ignite() -> None:
    """Evaluations are heard at the trainer's iteration."""
    run("ignite", names())

    assert logged("runs/denoiser") == [(0, 2), (1, 4)]
    assert {clip.role for clip in clips_in("runs/sampled")} == {"input", "target", "prediction"}


SOUNDLAB = """
import numpy as np
from pathlib import Path

class Tape:
    def __init__(self, samples, rate):
        self.samples, self.rate = np.asarray(samples, "float32"), rate

class Callback:
    pass

class Trainer:
    folder, step = Path("runs/soundlab"), 0

    def __init__(self, model, val_loader, callbacks):
        self.model, self.val_loader, self.callbacks = model, val_loader, callbacks

    def fit(self, max_epochs):
        self.max_epochs = max_epochs
        (callback,) = self.callbacks
        callback.on_train_start(self)
        for self.epoch in range(max_epochs):
            self.step += 10
            callback.on_validation_start(self)
            for batch in self.val_loader:
                callback.on_validation_batch_end(self, self.model(batch["noisy"]), batch)
            callback.on_validation_end(self)
        callback.on_train_end(self)
"""


@pytest.fixture(name="soundlab")
def fixture_soundlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Any]:
    """A package as the page describes it, installed with the entry points that it shows."""
    package, info = tmp_path / "soundlab", tmp_path / "soundlab-1.0.dist-info"
    for folder in (package, info):
        folder.mkdir()
    codes = blocks("adapters", "python")
    (reading,) = (code for code in codes if code.startswith("# soundlab/reading.py"))
    (diary,) = (code for code in codes if "class DiarySink" in code)
    points = [re.sub(r'project.entry-points.|"', "", text) for text in blocks("adapters", "toml")]
    (package / "__init__.py").write_text(SOUNDLAB)
    (package / "reading.py").write_text(reading)
    (package / "diary.py").write_text(diary)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: soundlab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(points))
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("soundlab")
    convert._find.cache_clear()  # pyright: ignore[reportPrivateUsage] - or it stays known
    for name in [name for name in sys.modules if name.partition(".")[0] == "soundlab"]:
        del sys.modules[name]


class MyOutput:
    """A type that nobody knows."""

    wav, rate = tone(1)[None], 2 * RATE


def test_adapters(soundlab: Any) -> None:
    """A type, a converter, a sink and a monitor of one's own work as they stand there."""
    known: dict[str, Any] = names() | {"earmark": earmark, "soundlab": soundlab}
    known["MyOutput"] = MyOutput
    try:
        run("adapters", known)
        with (
            loop.AudioMonitor(known["model"], run_dir="runs/output") as monitor,
            monitor.validation(epoch=0),
        ):
            monitor.batch(MyOutput(), {"id": ["utt-7"]})
    finally:
        registry._registered.pop(MyOutput, None)  # pyright: ignore[reportPrivateUsage] - undone

    (clip,) = clips_in("runs/output")
    assert (clip.audio.sample_rate, clip.audio.num_frames) == (2 * RATE, FRAMES)
    assert earmark.Audio(soundlab.Tape([0.5, 0.25], rate=8000)).samples[:, 0].tolist() == [
        0.5,
        0.25,
    ]
    diary = Path("diary.html").read_text(encoding="utf-8").splitlines()
    assert diary[0].startswith("<p>utt-7 | good morning: (")
    assert diary[1].startswith("<p>100 utt-7 | good morning <audio controls src=")
    with earmark.Run("runs/named", sinks=["diary"]) as by_name:
        by_name.log({"prediction": tone(0)}, step=7, sample_rate=RATE)
    assert "<p>7 " in Path("diary.html").read_text(encoding="utf-8")
    assert logged("runs/soundlab/earmark") == [(0, 10), (2, 30), (3, 40)]


BATCH = {
    "noisy": tone(0)[None],
    "id": ["utt-7"],
    "text": ["good morning"],
    "speaker": ["ada"],
    "snr": [5.25],
}
CAPTIONS = [
    line.split("  #") for code in blocks("captions", "python") for line in code.splitlines()
]


@pytest.mark.parametrize(("code", "caption"), CAPTIONS)
def test_captions_are_what_the_page_says(code: str, caption: str) -> None:
    """Of a prediction, at epoch 3 and step 400, with what the page takes for granted."""

    def si_sdr(prediction: torch.Tensor, target: torch.Tensor) -> float:
        return 12.5375

    make: Callable[..., Any] = partial(
        loop.AudioMonitor, nn.Identity(), run_dir="run", sample_rate=RATE, target="noisy"
    )
    known = {"AudioMonitor": make, "si_sdr": si_sdr}
    with (
        eval(code, known) as monitor,  # noqa: S307 - the page is ours
        monitor.validation(epoch=3, step=400, loader=[BATCH]),
    ):
        monitor.batch({"prediction": BATCH["noisy"]}, BATCH)
    (clip,) = clips_in("run", role="prediction")
    assert clip.caption == caption.strip()


def test_every_field_of_captions_is_documented() -> None:
    """With the keys under which a text and an identity are looked for."""
    known = set(re.findall(r"`(\w+)`", TEXTS["captions"]))
    assert {"text", "example", "epoch", "step", "tag", *TEXT_KEYS} <= known
    assert set(ID_KEYS) <= set(re.findall(r"`(\w+)`", TEXTS["lightning"]))


@pytest.mark.parametrize(
    ("samples", "note"),
    [
        (torch.zeros(2000), "[silent]"),
        (torch.cat([torch.full((7,), 1.5), torch.zeros(2000)]), "[peak +3.5 dBFS, 7 samples over"),
        (torch.tensor([0.5, torch.nan, torch.inf] + 2000 * [0.0]), "[peak -6.0 dBFS, 2 non-finite"),
    ],
)
def test_notes_are_those_of_the_page(samples: torch.Tensor, note: str) -> None:
    """Word by word."""
    with earmark.Run("run") as run:
        run.log({"prediction": samples}, step=0, sample_rate=RATE)
    (clip,) = clips_in("run")
    assert clip.caption.startswith(note)
    assert f"`{clip.caption}`" in TEXTS["captions"]


def test_every_command_is_one_of_ours() -> None:
    """What the pages have in `earmark ...` is a command with these options."""
    commands = {
        line for text in TEXTS.values() for line in re.findall(r"`(earmark [a-z][^`]*)`", text)
    }
    assert commands
    for line in commands:
        name, *rest = shlex.split(line)[1:]
        shown = CliRunner().invoke(cli, [name, "--help"])
        assert shown.exit_code == 0
        assert all(word in shown.output for word in rest if word.startswith("-"))


def test_every_keyword_is_documented() -> None:
    """In the table of Lightning's page, and in the README."""
    keywords = set(inspect.signature(Listener).parameters)
    for text in (TEXTS["lightning"], (ROOT / "README.md").read_text(encoding="utf-8")):
        rows = re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)
        assert keywords <= {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_every_framework_has_its_page() -> None:
    """Under the name of its file; both of Lightning's are on one page."""
    folder = ROOT / "integrations" / "earmark_integrations"
    monitors = {
        file.stem
        for file in folder.glob("[a-z]*.py")
        if "class AudioMonitor" in file.read_text(encoding="utf-8")
    }
    assert monitors == FRAMEWORKS | {"pytorch_lightning"}
    assert set(TEXTS) >= FRAMEWORKS
    assert "earmark_integrations.pytorch_lightning" in TEXTS["lightning"]


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "README.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file, and where a heading is named, to one that there is."""
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        file, _, heading = link.partition("#")
        there = page.parent / file if file else page
        assert there.exists(), link
        if heading:
            text = there.read_text(encoding="utf-8")
            headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            assert heading in [re.sub(r"[^\w-]", "", h.lower().replace(" ", "-")) for h in headings]


def test_every_page_is_listed() -> None:
    """In docs/README.md, to which the README leads."""
    listed = set(re.findall(r"\]\((\w+)\.md\)", TEXTS["README"]))
    assert listed == set(TEXTS) - {"README"}
    assert "](docs/README.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_capability_has_its_test() -> None:
    """The table has all 27, and each names a test that there is."""
    rows = re.findall(
        r"^\| K(\d+) \|.*\| `([\w/]+\.py)::(\w+)` \|$", TEXTS["capabilities"], re.MULTILINE
    )
    assert [int(number) for number, _, _ in rows] == list(range(1, 28))
    for _, file, test in rows:
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert re.search(rf"^def {test}\(", text, re.MULTILINE), test
