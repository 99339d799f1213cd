"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "fail"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What it is.
        state: ``"ok"``; ``"note"``: something does without it, but not everything; ``"fail"``:
            edge-fer does not work, or not for long.
        detail: What was found, in a line.
        mend: The command, or else the deed, that mends it; empty where all is well.
    """

    name: str
    state: State
    detail: str
    mend: str = ""
