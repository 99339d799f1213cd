"""What ``edge-fer run --serve`` adds: the web page, and where it is."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from edge_fer.commands.talk import say

if TYPE_CHECKING:
    from edge_fer.status import Status
    from edge_fer.web.sink import WebSink


def open_page(
    stack: ExitStack, address: str, token: str | None, status: Status, stall: float
) -> WebSink:
    """Serve the page until the stack is left, and say where.

    Args:
        stack: What the sink is entered into.
        address: ``[HOST:]PORT``.
        token: What everybody has to know; None makes one where one is needed.
        status: How the run is doing.
        stall: Seconds without a reading after which the run is not well.

    Raises:
        InputError: It cannot be served there.
    """
    from edge_fer.web.sink import WebSink

    page = stack.enter_context(WebSink(address, status, stall=stall, token=token))
    made = page.token if token is None else None
    if made:
        say(f"token: {made}")
    say(f"edge-fer: the page is {page.url}" + (f"?token={made}" if made else ""))
    return page
