"""Weights that other projects published, under our names: one file a family, each a complete list of its tensors."""
