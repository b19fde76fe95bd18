"""Measuring a checkpoint, and applying it to recordings."""
