"""One training: from a configuration to a run's folder."""
