"""Captions: a template or a function of what is known of an example, such as its text."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from earmark.errors import ArgumentError, ArgumentTypeError, shown
from earmark.outputs.unfold import by_name

Fields: TypeAlias = dict[str, Any]
"""What is known of one example: text, example, epoch, step, tag, and its entries in the batch."""

TEXT_KEYS = ("text", "transcript", "transcription", "sentence", "caption", "prompt", "lyrics")
"""Keys of a batch under which its text is looked for, in this order."""

_LATER = re.compile("\0([^\0]+)\0([^\0]*)\0")


class Captions:
    """Makes the caption of each example.

    Args:
        template: A format string such as `"{text} | epoch {epoch}"`, in which unknown fields are
            empty; a function from `Fields` to text; `None` for the batch's text, and the metrics.
        metrics: Names of fields that are numbers known only later, when the sounds have been
            read: in their place is what `fill` fills in. The format `=` adds the name.

    Raises:
        ArgumentError: If the template is malformed.
        ArgumentTypeError: If it is neither text nor a function.
    """

    def __init__(
        self,
        template: str | Callable[[Fields], str] | None = None,
        metrics: Iterable[str] = (),
    ) -> None:
        self._later = {name: Later(name) for name in metrics}
        self._make: Callable[[Fields], str]
        if template is None:
            self._make = self._text
        elif isinstance(template, str):
            self._make = _Template(template)
            self._try(template)
        elif callable(template):
            self._make = template
        else:
            raise ArgumentTypeError(
                f"expected captions as a template such as '{{text}} | epoch {{epoch}}', a function "
                f"of the fields, or None, got {template!r}"
            )

    def __call__(self, fields: Fields) -> str:
        """Caption one example.

        Raises:
            ArgumentTypeError: If the function returned no text.
        """
        return _checked_text(self._make({**fields, **self._later}))

    def _try(self, template: str) -> None:
        try:
            caption = self({})
        except (TypeError, AttributeError) as error:
            raise ArgumentError(
                f"expected metrics in captions as plain numbers, got {template!r}: {error}; write "
                f"{' or '.join(f'{{{name}:.1f}}' for name in self._later)}"
            ) from error
        fill(caption, dict.fromkeys(self._later, 0.5))  # raises what is wrong with a format

    def _text(self, fields: Fields) -> str:
        numbers = [f"{number:=.3g}" for number in self._later.values()]
        return " | ".join(filter(None, [str(fields.get("text", "")), *numbers]))


class Later:
    """A number that is not known yet: formatting it leaves a place, which `fill` fills in."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __format__(self, spec: str) -> str:
        return f"\0{self._name}\0{spec}\0"

    def __repr__(self) -> str:
        return format(self)


def fill(caption: str, metrics: Mapping[str, float]) -> str:
    """Fill in what has become known of an example; the place of what has not stays empty.

    Args:
        caption: What `Captions` made.
        metrics: Numbers by name.

    Raises:
        ArgumentError: If a number cannot be formatted as the template says.
    """
    if "\0" not in caption:
        return caption
    filled = _LATER.sub(lambda place: _number(metrics.get(place[1]), place[1], place[2]), caption)
    return re.sub(r"\|(\s*\|)+", "|", filled).strip(" |")  # what stays empty parts nothing


def _number(value: float | None, name: str, spec: str) -> str:
    if value is None:
        return ""
    label = f"{name} " if spec.startswith("=") else ""
    try:
        return f"{label}{value:{spec.removeprefix('=')}}"
    except ValueError as error:
        raise ArgumentError(
            f"expected a format for the number {name!r} in captions, got {spec!r} ({error}): "
            f"write {{{name}:.1f}}"
        ) from error


def item_fields(batch: Any, position: int, count: int) -> Fields:
    """Collect what a batch says of one of its examples in words and plain numbers.

    Args:
        batch: Columns by name, in whatever has names; or a tuple or list of columns, one of which
            may be texts.
        position: Which example.
        count: How many there are in the batch.

    Returns:
        The example's entry of every column that is a list of texts or numbers, and `text`.
    """
    named = by_name(batch)
    columns = named if isinstance(named, Mapping) else {}
    fields = {
        key: column[position]
        for key, column in columns.items()
        if isinstance(key, str) and _is_column(column, count)
    }
    texts = [fields[key] for key in TEXT_KEYS if isinstance(fields.get(key), str)]
    if isinstance(batch, list | tuple):
        listed = (column for column in batch if _is_column(column, count))
        texts += [column[position] for column in listed if isinstance(column[position], str)]
    return fields | {"text": texts[0]} if texts else fields


def _is_column(column: Any, count: int) -> bool:
    return (
        isinstance(column, list | tuple)
        and len(column) == count
        and all(isinstance(item, str | int | float) for item in column)
    )


def _checked_text(caption: object) -> str:
    if isinstance(caption, str):
        return caption
    raise ArgumentTypeError(
        f"expected text from the captions function, got {shown(caption)}: return str(caption), or "
        "'' for none"
    )


class _Unknown:
    """A field that nothing is known of: empty, whatever is asked of it."""

    def __format__(self, spec: str) -> str:
        return ""

    def __repr__(self) -> str:
        return ""

    def __getattr__(self, name: str) -> _Unknown:
        return self

    def __getitem__(self, key: object) -> _Unknown:
        return self


class _Template(string.Formatter):
    def __init__(self, template: str) -> None:
        self._template = template
        try:
            names = [name for _, name, _, _ in self.parse(template) if name is not None]
            self({})
        except ValueError as error:
            raise ArgumentError(
                f"expected captions as a template such as '{{text}} | epoch {{epoch}}', got "
                f"{template!r}: {error}; write {{{{ and }}}} for braces"
            ) from error
        if any(not name or name[0].isdigit() for name in names):
            raise ArgumentError(
                f"expected captions with named fields such as {{text}}, got {template!r}: "
                "name the field, or write {{}} for braces"
            )

    def __call__(self, fields: Fields) -> str:
        return self.vformat(self._template, (), fields).strip(" |")

    def get_value(
        self,
        key: int | str,
        args: Sequence[Any],  # noqa: ARG002 - the base class hands it over
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Look a field up; what is not known is empty, as the epoch is where none is counted."""
        value = kwargs.get(str(key))
        return _Unknown() if value is None else value
