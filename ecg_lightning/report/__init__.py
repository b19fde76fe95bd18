"""The page of a run, and of several runs side by side: one HTML file that opens without a network."""
