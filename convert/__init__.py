"""Conversion: representative data, quantization, and the gate a model must pass."""

PRECISIONS = ("float32", "float16", "dynamic", "int8")
"""What a model can be converted to."""
