"""Conversion: representative data, quantization, and the gate a model must pass."""
