"""Benchmarks: accuracy, latency, memory, and the crop's check from end to end."""

from pathlib import Path

PICTURE = Path(__file__).parent / "collins.jpg"
"""A picture with one face: NASA's portrait of Eileen Collins, in the public domain."""

FRAME_SIZE = (640, 480)
"""Columns and rows of the frames that are measured on: what a camera gives unless asked."""
