from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from earmark.names import TakeName, new_writer_id, reference_name, safe_name, safe_role

TEXTS = st.text(st.characters(), max_size=80)  # lone surrogates too: a path may hold them
WINDOWS_RESERVED = ["con", "prn", "aux", "nul", "com1", "com9", "lpt1", "LPT9", "Con"]


@given(TEXTS)
@example("../../etc/passwd")
@example("a" * 500)
@example(".hidden")
@example("trailing. ")
@example("\0")
def test_any_text_becomes_a_safe_part_of_a_file_name(text: str) -> None:
    """Whatever an example is called, its name is short, safe, no option and not hidden."""
    assert re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,79}", safe_name(text))


@given(TEXTS, TEXTS)
@example("A", "a")
@example("utt 1", "utt-1")
@example("\ud800", "\ud801")
@example("K", "\u212a")  # the Kelvin sign, which lower-cases to k
@example("x" * 61, "x" * 62)
def test_two_texts_never_share_a_name(one: str, other: str) -> None:
    """Different texts have different names, on file systems that ignore case as well."""
    if one != other:
        assert safe_name(one).casefold() != safe_name(other).casefold()


@given(TEXTS)
@example("Utt")
@example("con")
def test_a_name_that_looks_hashed_is_hashed_itself(text: str) -> None:
    """Nobody can call an example what another example's name has become."""
    name = safe_name(text)
    if name != text:
        assert safe_name(name) != name


def test_many_examples_in_another_script_have_names_of_their_own() -> None:
    """Nothing but a hash is left of such texts, and it tells 100,000 of them apart."""
    names = {safe_name(f"话语{index}号") for index in range(100_000)}

    assert len(names) == 100_000


@pytest.mark.parametrize("text", ["1272-128104-0000", "utt_7", "prediction", "0", "a-b_c"])
def test_plain_identifiers_stay_as_they_are(text: str) -> None:
    """Lower-case letters, digits, `-` and `_` are readable in a file manager."""
    assert safe_name(text) == text


@pytest.mark.parametrize("text", WINDOWS_RESERVED)
def test_no_name_is_reserved_on_windows(text: str) -> None:
    """Names of devices, which Windows reserves whatever their suffix, are not used."""
    assert safe_name(text).lower() not in {name.lower() for name in WINDOWS_RESERVED}


@given(
    st.integers(0, 2**63 - 1),
    st.text("bcdfghjkmnpqrstvwxz23456789", min_size=1, max_size=12),
    st.integers(0, 10**9),
)
def test_a_take_name_is_read_back(step: int, writer: str, number: int) -> None:
    """Writing the name of a take and taking it apart gives back step, writer and number."""
    name = TakeName(step, writer, number)

    assert TakeName.parse(str(name)) == name


@given(st.text(st.characters(codec="ascii"), max_size=30) | st.from_regex(r"\d{7,10}\.b\w*\.\d+"))
@example("000000012.bcd.1")
@example("00000012.bcd.01")
@example("٠٠٠٠٠٠١٢.bcd.1")
@example("00000012.bcd.1\n")
@example("ref.utt.target.0123456789abcdef")
@example(".tmp-00000012.bcd.1")
def test_only_a_take_name_is_taken_apart(text: str) -> None:
    """Whatever else lies in the folder of takes, nothing is a take but what is written as one."""
    name = TakeName.parse(text)

    assert name is None or str(name) == text


def test_take_names_sort_by_step() -> None:
    """A file manager shows takes in the order of training."""
    steps = [0, 9, 10, 1200, 99_999_999]
    names = [str(TakeName(step, "bcdfghjk", 0)) for step in steps]

    assert sorted(names) == names


def test_no_two_writers_have_one_id_and_none_reads_as_a_word() -> None:
    """Writer ids differ, and have no vowels, nor digits that are mistaken for letters."""
    ids = {new_writer_id() for _ in range(10_000)}

    assert len(ids) == 10_000
    assert all(len(name) == 8 and not set(name) & set("aeiouyl01") for name in ids)


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("prediction", "prediction"),
        ("prediction.vocals", "prediction.vocals"),
        ("target.vocals.cfg-3", "target.vocals.cfg-3"),
    ],
)
def test_roles_of_stems_are_readable(role: str, name: str) -> None:
    """A dot parts a role from its stem or variant, in a file's name as well."""
    assert safe_role(role) == name


@given(TEXTS, TEXTS)
def test_no_two_roles_share_a_name(role: str, other: str) -> None:
    """However many dots they have, and however long they are."""
    roles = [role, other, f"{role}.{other}", f"{role}-{other}", ".".join([role] * 40)]
    names = {safe_role(each).lower() for each in roles}
    assert len(names) == len(set(roles))
    assert all(len(name) <= 100 for name in names)


@given(TEXTS, TEXTS)
def test_a_reference_is_named_by_its_example_role_and_content(name: str, role: str) -> None:
    """Its folder says whose sound it is, is never taken for a take, and fits any file system."""
    digest = hashlib.sha256(b"sound").hexdigest()
    folder = reference_name(name, role, digest)

    assert folder == f"ref.{safe_name(name)}.{safe_role(role)}.{digest[:16]}"
    assert TakeName.parse(folder) is None
    assert len(f".tmp-bcdfghjk.{folder}".encode()) <= 255
