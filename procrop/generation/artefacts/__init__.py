"""Training of the classifier that drops botched outpainted photos."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "settings": ["ArtefactSettings"],
        "stand_ins": ["STAND_IN_KINDS", "stand_in", "write_stand_ins"],
        "train": ["ArtefactTraining", "train_artefact_filter"],
    },
)
