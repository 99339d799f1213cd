"""Benchmarks: accuracy, latency, memory, and the crop's check from end to end."""

from pathlib import Path

PICTURE = Path(__file__).parent / "collins.jpg"
"""A picture with one face: NASA's portrait of Eileen Collins, in the public domain."""
