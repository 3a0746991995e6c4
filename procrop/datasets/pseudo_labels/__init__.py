"""What a model labels for itself: crops of training photos, in numbered versions. No torch."""

from .photo_labels import PhotoLabels
from .store import LabelVersion, PseudoLabelError, PseudoLabelStore
from .version_figures import version_figures

__all__ = ["LabelVersion", "PhotoLabels", "PseudoLabelError", "PseudoLabelStore", "version_figures"]
