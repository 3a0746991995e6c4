"""Retrieval encoders; imported as a whole by the registry, so each class takes its optional packages when
made."""

from .base import Embeddings, RetrievalBackbone
from .clip import CLIPRetrieval
from .distilled_keys import DistilledKeyRetrieval
from .dreamsim import DreamSimRetrieval
from .efficientnet_lite import EfficientNetLiteRetrieval
from .hf_sam import HFSAMRetrieval
from .line_composition import LineCompositionRetrieval
from .lpips import LPIPSRetrieval
from .sam import SAMRetrieval
from .subject_evidence import SubjectEvidenceRetrieval
from .torch_retrieval import TorchRetrieval

__all__ = [
    "CLIPRetrieval",
    "DistilledKeyRetrieval",
    "DreamSimRetrieval",
    "EfficientNetLiteRetrieval",
    "Embeddings",
    "HFSAMRetrieval",
    "LPIPSRetrieval",
    "LineCompositionRetrieval",
    "RetrievalBackbone",
    "SAMRetrieval",
    "SubjectEvidenceRetrieval",
    "TorchRetrieval",
]
