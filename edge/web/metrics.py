"""How the run is doing, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edge_fer.status import Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Samples = Iterable[tuple[Mapping[str, str], float | None]]


def prometheus(status: Status, *, healthy: bool, clients: int) -> str:
    """The metrics of a run; what is not known is left out.

    Args:
        status: How the run is doing.
        healthy: Whether readings come.
        clients: How many clients follow the stream or the events.
    """
    facts = status.to_dict()
    source = facts.get("source", {})
    sinks, board = facts["sinks"], facts["board"]
    age, throttled = facts["age_ms"], board["throttled"]
    lines: list[str] = []

    def add(name: str, kind: str, words: str, samples: float | _Samples | None) -> None:
        alone = samples is None or isinstance(samples, int | float)
        rows = [({}, samples)] if alone else list(samples)  # type: ignore[arg-type,list-item]
        rows = [(labels, value) for labels, value in rows if value is not None]
        if rows:
            lines.append(f"# HELP edge_fer_{name} {words}")
            lines.append(f"# TYPE edge_fer_{name} {kind}")
            lines.extend(f"edge_fer_{name}{_labels(labels)} {value}" for labels, value in rows)

    def each(values: Mapping[str, float], label: str) -> _Samples:
        return [({label: name}, value) for name, value in values.items()]

    add("healthy", "gauge", "1 while readings come.", int(healthy))
    add("uptime_seconds", "gauge", "Seconds since the start.", facts["uptime"])
    add("frames_total", "counter", "Frames read.", status.frames)
    add("frames_failed_total", "counter", "Frames that could not be read.", status.failed)
    add("faces_total", "counter", "Faces read, of all frames.", status.faces)
    add("emotions_total", "counter", "Faces by emotion.", each(dict(status.emotions), "emotion"))
    dropped = "Frames overtaken by newer ones."
    add("frames_dropped_total", "counter", dropped, source.get("dropped", 0))
    add("frames_bad_total", "counter", "Frames that were no picture.", source.get("bad", 0))
    reopened = "Times that the source was opened again."
    add("source_reopened_total", "counter", reopened, source.get("reopened", 0))
    add("source_reading", "gauge", "1 while the source gives frames.",
        int(source["state"] == "reading") if source else None)  # fmt: skip
    add("fps", "gauge", "Readings a second, over the last seconds.", facts["fps"])
    age_words = "From a frame's coming to its reading, median of the last seconds."
    add("frame_age_seconds", "gauge", age_words, None if age is None else age / 1000)
    add("last_reading_age_seconds", "gauge", "Since the last reading.", facts["since_last"])
    add("stage_seconds_total", "counter", "Time in each stage.", each(status.seconds, "stage"))
    left = {name: counts["left_out"] for name, counts in sinks.items()}
    failed = {name: counts["failed"] for name, counts in sinks.items()}
    add("sink_left_out_total", "counter", "Readings a sink was too slow for.", each(left, "sink"))
    add("sink_failures_total", "counter", "Readings a sink could not write.", each(failed, "sink"))
    add("clients", "gauge", "Who follows the stream or the events.", clients)
    add("temperature_celsius", "gauge", "Of the processor.", board["temperature"])
    slowed = "What slows the board down now, or did since it was started."
    add("throttled", "gauge", slowed, each(dict.fromkeys(throttled or (), 1), "reason"))
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    parts = []
    for name, value in labels.items():
        text = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        parts.append(f'{name}="{text}"')
    return "{" + ",".join(parts) + "}" if parts else ""
