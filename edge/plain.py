"""Dataclasses from plain data: what a JSON or TOML file holds, checked field by field."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from edge_fer.errors import EdgeFerError

T = TypeVar("T")


def from_plain(kind: type[T], raw: Any, error: type[EdgeFerError], where: str) -> T:
    """Build a dataclass, refusing unknown keys, missing ones and values of the wrong kind.

    Args:
        kind: A dataclass of numbers, texts, dicts, tuples of one type, such dataclasses, and any of
            these or None.
        raw: A dict as a parser gives it: lists for tuples.
        error: What to raise.
        where: What the data is, for the message.

    Raises:
        EdgeFerError: Of the class ``error``; the message names the field.
    """
    if not isinstance(raw, dict):
        raise error(f"{where}: a table of names and values is needed, not {_short(raw)}")
    hints = get_type_hints(kind)
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    for name in raw:
        if name not in known:
            raise error(f"{where}: unknown key {name!r}; known are {', '.join(known)}")
    values = {n: _value(hints[n], v, error, f"{where}, {n}") for n, v in raw.items()}
    try:
        return kind(**values)
    except TypeError as e:
        raise error(f"{where}: {str(e).partition(') ')[2] or e}") from e
    except EdgeFerError as e:  # the dataclass itself refuses the value
        raise error(f"{where}: {e}") from e


def _value(kind: Any, value: Any, error: type[EdgeFerError], where: str) -> Any:
    if isinstance(kind, UnionType):
        if value is None and NoneType in get_args(kind):
            return None
        (kind,) = (one for one in get_args(kind) if one is not NoneType)
    if is_dataclass(kind) and isinstance(kind, type):
        return from_plain(kind, value, error, where)
    if get_origin(kind) is tuple and isinstance(value, list | tuple):
        return tuple(_value(get_args(kind)[0], one, error, where) for one in value)
    if kind is float:
        if not _is_number(value):
            raise error(f"{where}: {_short(value)} is not a finite number")
        return float(value)
    plain = get_origin(kind) or kind
    if not isinstance(value, plain) or (isinstance(value, bool) and plain is not bool):
        raise error(f"{where}: {_short(value)} is not of the kind {plain.__name__}")
    return value


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e300 and not math.isnan(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
