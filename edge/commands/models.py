"""``edge-fer models``: the models that come with the package."""

from __future__ import annotations

import click

from edge_fer.commands.talk import write_out


@click.command("models", short_help="List the models that come with edge-fer.")
def command() -> None:
    """List the models that come with edge-fer, from their cards."""
    from rich.console import Console
    from rich.table import Table

    from edge_fer.card import unpack
    from edge_fer.models import DEFAULT_MODEL, find_model, model_names

    table = Table()
    for name in ("model", "precision", "kB", "MMAC", "public %", "private %", "drop", "classes"):
        table.add_column(name, justify="left" if name == "model" else "right")
    for name in model_names():
        path = find_model(name)
        _, card = unpack(path)
        metrics = card.metrics
        table.add_row(
            name + (" (default)" if name == DEFAULT_MODEL else ""),
            str(card.quantization.get("precision", "")),
            f"{path.stat().st_size / 1000:.0f}",
            f"{card.macs / 1e6:.1f}",
            *(
                f"{100 * metrics[split]['accuracy']:.2f}" if split in metrics else ""
                for split in ("public", "private")
            ),
            f"{metrics['drop']:.2f}" if "drop" in metrics else "",
            str(len(card.labels)),
        )
    console = Console(width=None if Console().is_terminal else 120)
    with console.capture() as text:
        console.print(table)
    write_out(text.get())
