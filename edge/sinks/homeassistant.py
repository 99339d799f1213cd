"""What Home Assistant is told, so that it shows the device by itself (MQTT discovery).

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

NOBODY = "nobody"
"""The emotion and the person where there is no face: an option of its own, since a sensor keeps its
old value where it is told nothing."""

_SUREST = "value_json.faces[0]"
_MISSED = 10.0


def discovery(
    prefix: str,
    labels: Sequence[str],
    *,
    version: str,
    board: str | None = None,
    temperature: bool = False,
    every: float = 1.0,
    people: bool = False,
) -> dict[str, dict[str, Any]]:
    """The configuration of every sensor, by the topic that it is published under.

    Args:
        prefix: What our topics start with.
        labels: The emotions.
        version: Of edge-fer.
        board: What the device is.
        temperature: Whether the status has one.
        every: Seconds between two states; many times that without one, and a value is unknown.
        people: Whether faces have people's names.
    """
    node = node_id(prefix)
    state, status = f"{prefix}/state", f"{prefix}/status"
    expires = round(max(30.0, _MISSED * every))
    measured = {"state_class": "measurement"}
    sensors: dict[str, dict[str, Any]] = {
        "faces": {
            "name": "Faces",
            "icon": "mdi:account-multiple",
            "state_topic": state,
            "value_template": "{{ value_json.faces | count }}",
            "expire_after": expires,
            **measured,
        },
        "emotion": {
            "name": "Emotion",
            "icon": "mdi:emoticon-outline",
            "device_class": "enum",
            "options": [*labels, NOBODY],
            "state_topic": state,
            "value_template": f"{{{{ {_SUREST}.emotion if value_json.faces else '{NOBODY}' }}}}",
            "expire_after": expires,
        },
        "confidence": {
            "name": "Confidence",
            "icon": "mdi:percent",
            "unit_of_measurement": "%",
            "suggested_display_precision": 0,
            "state_topic": state,
            "value_template": f"{{{{ (100 * {_SUREST}.confidence) | round(1)"
            " if value_json.faces else None }}",
            "expire_after": expires,
            **measured,
        },
        "fps": {
            "name": "Frames a second",
            "icon": "mdi:speedometer",
            "unit_of_measurement": "fps",
            "entity_category": "diagnostic",
            "state_topic": status,
            "value_template": "{{ value_json.fps }}",
            **measured,
        },
    }
    if people:
        sensors["person"] = {
            "name": "Person",
            "icon": "mdi:account",
            "state_topic": state,
            "value_template": f"{{{{ {_SUREST}.person if value_json.faces else '{NOBODY}' }}}}",
            "expire_after": expires,
        }
    if temperature:
        sensors["temperature"] = {
            "name": "Temperature",
            "device_class": "temperature",
            "unit_of_measurement": "°C",
            "entity_category": "diagnostic",
            "state_topic": status,
            "value_template": "{{ value_json.board.temperature }}",
            **measured,
        }
    common = {
        "availability_topic": f"{prefix}/availability",
        "device": {
            "identifiers": [node],
            "name": prefix.replace("/", " "),
            "manufacturer": "edge-fer",
            "model": board or "edge-fer",
            "sw_version": version,
        },
        "origin": {"name": "edge-fer", "sw_version": version},
    }
    return {
        f"homeassistant/sensor/{node}/{name}/config": {
            "unique_id": f"{node}_{name}",
            **sensor,
            **common,
        }
        for name, sensor in sensors.items()
    }


def node_id(prefix: str) -> str:
    """A name for the device of the characters that Home Assistant takes in a topic."""
    plain = re.sub(r"[^a-zA-Z0-9_-]", "_", prefix)
    if plain == prefix.replace("/", "_"):
        return plain
    # Two names of other letters must not become one.
    return f"{plain}_{hashlib.sha256(prefix.encode()).hexdigest()[:8]}"
