"""Pictures: an ECG on paper, the page of a prediction, and the style that all figures share."""

from ecg_lightning.figures.page import Bar, prediction_page
from ecg_lightning.figures.paper import ecg_figure
from ecg_lightning.figures.shading import Shading
from ecg_lightning.figures.style import FORMATS, encode

__all__ = ["FORMATS", "Bar", "Shading", "ecg_figure", "encode", "prediction_page"]
