"""Captions: a template or a function of what is known of an example, such as its text."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from earmark.errors import ArgumentError, ArgumentTypeError, shown

Fields: TypeAlias = dict[str, Any]
"""What is known of one example: text, example, epoch, step, tag, and its entries in the batch."""

TEXT_KEYS = ("text", "transcript", "transcription", "sentence", "caption", "prompt", "lyrics")
"""Keys of a batch under which its text is looked for, in this order."""


class Captions:
    """Makes the caption of each example.

    Args:
        template: A format string such as `"{text} | epoch {epoch}"`, in which unknown fields are
            empty; a function from `Fields` to text; `None` for the batch's text alone.

    Raises:
        ArgumentError: If the template is malformed.
        ArgumentTypeError: If it is neither text nor a function.
    """

    def __init__(self, template: str | Callable[[Fields], str] | None = None) -> None:
        self._make: Callable[[Fields], str]
        if template is None:
            self._make = _text
        elif isinstance(template, str):
            self._make = _Template(template)
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
        return _checked_text(self._make(fields))


def item_fields(batch: Any, position: int, count: int) -> Fields:
    """Collect what a batch says of one of its examples in words and plain numbers.

    Args:
        batch: A mapping of columns, or a tuple or list of columns, one of which may be texts.
        position: Which example.
        count: How many there are in the batch.

    Returns:
        The example's entry of every column that is a list of texts or numbers, and `text`.
    """
    columns = batch if isinstance(batch, Mapping) else {}
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


def _text(fields: Fields) -> str:
    return str(fields.get("text", ""))


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
        return kwargs.get(str(key), _Unknown())
