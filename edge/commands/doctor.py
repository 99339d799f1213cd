"""``edge-fer doctor``: what is amiss on this machine."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

import click

from edge_fer.commands.talk import write_json, write_out

_COLORS = {"ok": "green", "note": "yellow", "fail": "red"}


@click.command("doctor", short_help="Look for what is amiss on this machine, and what mends it.")
@click.option(
    "--json",
    "json_to",
    metavar="[PATH|-]",
    is_flag=False,
    flag_value="-",
    help="As JSON, to standard output or a file.",
)
def command(json_to: str | None) -> int:
    """Look for what is amiss on this machine, and say what mends it.

    Python, packages, system libraries, processor, cameras, display, models, disk, heat and power.
    Exits with 1 where something fails; notes are things that something does without.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from edge_fer import __version__
    from edge_fer.doctor import examine

    checks = examine()
    counts = Counter(check.state for check in checks)
    code = 1 if counts["fail"] else 0
    if json_to:
        rows = [asdict(check) for check in checks]
        write_json({"ok": not code, "version": __version__, "checks": rows}, json_to)
        return code
    table = Table(title=f"edge-fer {__version__}", title_justify="left")
    for title in ("check", "state", "found", "what mends it"):
        table.add_column(title, overflow="fold")
    for check in checks:
        color = _COLORS[check.state]
        words = (Text(text) for text in (check.detail, check.mend))
        table.add_row(check.name, Text(check.state, color), *words)
    console = Console(width=None if Console().is_terminal else 160)
    with console.capture() as text:
        console.print(table)
        console.print(f"{counts['ok']} ok, {counts['note']} notes, {counts['fail']} failures")
    write_out(text.get())
    return code
