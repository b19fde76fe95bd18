"""A small web service: one recording in; the ECG on paper, probabilities against thresholds and saliency out."""
