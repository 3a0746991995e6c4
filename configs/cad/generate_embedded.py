# A dataset from a folder of photos without any weights or network, 0.15 to 0.4 s an expansion on one core:
#   python tools/cad.py generate configs/cad/generate_embedded.py --out data/cad_small
# ReflectOutpainter is a stand-in for development, not a generative model (docs/generation.md). Photos lie in
# data/photos; `credits` names a file among them that states their licences, and is left out where there is none.
_base_ = ["../_base_/generation/quality_embedded.py"]
generation = dict(
    source=dict(type="FolderSource", root="data/photos", credits="manifest.jsonl"),
    expansions=3,
    seed=0,
    val_share=0.1,
    test_share=0.2,
    steps=[
        dict(type="RuleAnalyzer"),
        dict(type="RuleComposition"),
        dict(type="SuperpixelMasks"),
        dict(type="RandomCanvas", sides=(700, 1024)),
        dict(type="ReflectOutpainter"),
        {{_base_.quality_filter}},
        dict(type="RandomCrops", number=8),
    ],
)
