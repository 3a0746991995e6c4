"""Distillation of search keys: a small network learns where a heavy encoder's keys place photos."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={"distill": ["distill_keys"], "settings": ["DistillSettings"]},
)
