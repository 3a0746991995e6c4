"""Hooks of a training run. Imported whole, not lazily: importing is what registers them."""

from procrop.engine.hooks.detr_weights_hook import DETRWeightsHook
from procrop.engine.hooks.epoch_seed_hook import EpochSeedHook
from procrop.engine.hooks.non_finite_loss_hook import NonFiniteLossError, NonFiniteLossHook
from procrop.engine.hooks.pseudo_label_hook import PseudoLabelHook
from procrop.engine.hooks.retrieval_fingerprint_hook import RetrievalFingerprintHook
from procrop.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from procrop.engine.hooks.self_distillation_hook import SelfDistillationHook

__all__ = [
    "DETRWeightsHook",
    "EpochSeedHook",
    "NonFiniteLossError",
    "NonFiniteLossHook",
    "PseudoLabelHook",
    "RetrievalFingerprintHook",
    "SafeCheckpointHook",
    "SelfDistillationHook",
]
