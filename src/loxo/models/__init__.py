"""The architectures, by the name that a configuration gives."""

from loxo.models.abstract_model import AbstractModel, OptimiserSettings
from loxo.models.crnn import CRNN, CRNNSettings

__all__ = ["CRNN", "MODELS", "AbstractModel", "CRNNSettings", "OptimiserSettings"]

MODELS = {"crnn": (CRNN, CRNNSettings)}
"""Architecture and settings class, by name."""
