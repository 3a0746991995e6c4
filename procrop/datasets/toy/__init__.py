"""Procedural photos with crops scored by a stated rule: data that anyone can make in a minute."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "hidden_style": ["HiddenStylePlan", "sample_gallery_scene", "sample_query_scene"],
        "painter": ["paint"],
        "rule": ["best_crop", "best_framing", "blind_best", "blind_box", "score_crops"],
        "scene": ["Look", "Scene", "Thing", "sample_look", "sample_scene"],
        "settings": ["ToyDatasetError", "ToySettings"],
        "two_subjects": ["TwoSubjectsPlan", "sample_pair_scene", "swap_subjects"],
        "writer": ["read_scenes", "write_toy_dataset"],
    },
)
