from __future__ import annotations

import re
from pathlib import Path

import pytest

from earmark.outputs import roles
from earmark.outputs.roles import means_lengths_of, of_role, read_key

PAGE = Path(__file__).parents[3] / "docs" / "outputs.md"


@pytest.mark.parametrize(
    ("meaning", "keys"),
    [
        (
            "prediction",
            """prediction predictions pred audio_pred pred_audio y_hat x_hat audio_hat gen gen_audio
            gen_wav pred_wavs fake output outputs output_signal enhanced recon reconstruction
            wet_hat model_outputs est_sources target_pred GEN-AUDIO audio/generated""",
        ),
        (
            "target",
            """target targets target_wavs reference ref_audio gt gt_wav clean clean_speech
            target_signal audio_airborne real wet""",
        ),
        (
            "input",
            """input inputs input_values noisy corrupted mix mixture dry audio_input input_signal
            prompt_audio audio_body_conducted noisy_sig""",
        ),
        (
            "sound",
            """audio audios wav wavs waveform audio_values speech signal samples sequences
            waveform_seg sources src stems""",
        ),
        ("letter", "x y"),
        (
            "never",
            """loss losses val_loss vq/commitment_loss logits mel mel_outputs pred_mel spec z
            latents codes audio_codes gen_tokens mask y_mask attn f0 hidden_states input_ids
            text_len noise_pred""",
        ),
        ("unknown", "foo pred_dur vocals batch audio_2 lengths model x_y _ é"),
    ],
)
def test_a_key_is_read_word_by_word(meaning: str, keys: str) -> None:
    """Each key that codebases use has the meaning that they give it."""
    assert {key: read_key(key).meaning for key in keys.split()} == dict.fromkeys(
        keys.split(), meaning
    )


def test_only_text_is_a_key_that_means_anything() -> None:
    """An index, or a key of another type, says nothing."""
    assert [read_key(key).meaning for key in (0, None, ("audio",), "")] == ["unknown"] * 4


@pytest.mark.parametrize(
    ("lengths", "sound", "in_outputs", "in_batch"),
    [
        ("audio_lengths", "audio", True, True),
        ("wav_lens", "wavs", True, True),
        ("audio_pred_len", "audio_pred", True, True),
        ("output_length", "output_signal", True, True),
        ("audios_length", "sequences", True, True),
        ("y_lengths", "y", True, True),
        ("sequence_lengths", "waveform", True, False),
        ("lengths", "audio", False, False),
        ("mel_lengths", "audio", False, False),
        ("input_lengths", "prompt_audio", False, False),
        ("input_lengths", "audio", False, False),
        ("target_length", "pred", False, False),
        ("audio", "audio", False, False),
    ],
)
def test_lengths_are_those_of_the_sound_that_they_name(
    lengths: str, sound: str, in_outputs: bool, in_batch: bool
) -> None:
    """By the sound's own key, or one that means the same."""
    assert means_lengths_of(lengths, sound, in_batch=False) is in_outputs
    assert means_lengths_of(lengths, sound, in_batch=True) is in_batch


def test_what_is_said_of_a_role_is_said_of_its_stems() -> None:
    """A stem's own entry comes first; what is no mapping is meant for all."""
    rates = {"prediction": 48_000, "prediction.noise": 16_000}

    assert of_role(rates, "prediction.speech") == 48_000
    assert of_role(rates, "prediction.noise") == 16_000
    assert of_role(rates, "target") is None
    assert of_role(8000, "target.speech") == 8000


def test_no_word_means_two_things() -> None:
    """A word is of one role, a sound's, a filler, or never a sound's."""
    lists = [*roles.MARKS.values(), roles.SOUND, roles.FILLERS, roles.NEVER, roles.LENGTHS]
    words = [word for text in lists for word in text.split()] + list(roles.LETTERS)

    assert len(words) == len(set(words))
    assert set(roles.STEMS.split()) < set(roles.SOUND.split())


def test_the_page_shows_the_rules_as_they_are() -> None:
    """The table of words in the documentation is this one, generated from the rules."""
    rows = [f"| {role} | {_code(words)} |" for role, words in roles.MARKS.items()]
    rows += [
        f"| a plain sound | {_code(roles.SOUND)} |",
        f"| words that change nothing | {_code(roles.FILLERS)} |",
        f"| a mixture's sounds, which need `stems=` | {_code(roles.STEMS)} |",
        f"| never a sound | {_code(roles.NEVER)} |",
        f"| lengths, as the last word | {_code(roles.LENGTHS)} |",
        f"| the sample rate, as the whole key | {_code(' '.join(roles.RATES))} |",
    ]
    table = "\n".join(["| means | words |", "|---|---|", *rows])
    page = PAGE.read_text(encoding="utf-8")

    assert table in page, f"docs/outputs.md is out of date; its table should be\n{table}"
    assert f"at least {roles.MIN_FRAMES} frames" in page


def _code(words: str) -> str:
    return " ".join(f"`{word}`" for word in re.split(r"\s+", words.strip()))
