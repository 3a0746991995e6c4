# CAD as in the paper: the 55,000 best-rated photos of AVA and Unsplash Lite, GPT-4, SAM, ControlNet, three expansions.
#   torchrun --nproc_per_node=8 tools/cad.py generate configs/cad/generate_paper.py --out data/cad
# Try `--limit 20` first and look at the sheets. docs/generation.md says what weights it takes, what it costs, and what
# the licences of photos and weights ask for. The paper does not say what classifies its compositions: ours is by rule.
_base_ = ["../_base_/generation/paint_controlnet.py", "../_base_/generation/quality_gencrop.py"]
generation = dict(
    source=[
        dict(type="AVASource", root="data/ava", top=55_000),
        dict(type="UnsplashLiteSource", root="data/unsplash_lite"),
    ],
    expansions=3,
    seed=0,
    steps=[
        dict(
            type="OpenAIAnalyzer",
            cache="data/cad_answers",
            model="gpt-4o-2024-08-06",
            mode="both",
            prices=(2.5, 10.0),
            cost_limit=500.0,
        ),
        dict(type="RuleComposition"),
        dict(type="SAMMasks", model_type="vit_h", checkpoint="weights/sam_vit_h_4b8939.pth", device="cuda"),
        dict(type="RandomCanvas", sides=(700, 1024)),
        {{_base_.outpainter}},  # and where all weights come from: paint_controlnet.py
        {{_base_.quality_filter}},
        dict(type="RandomCrops", number=8),
    ],
)
