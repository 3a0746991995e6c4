# Quality filter for a generative outpainter, after GenCrop: the artefact classifier and the rules on detections, and
# seams. Needs a classifier of tools/train_artefact_filter.py and a detector's weights (docs/generation.md).
quality_filter = dict(
    type="QualityFilter",
    checks=[
        dict(type="SeamFilter", max_gradient=2.0, max_colour=3.5),
        dict(
            type="ArtefactFilter",
            weights="weights/artefact_classifier.safetensors",
            threshold=0.5,
            device="cuda",
        ),
        dict(
            type="OversizedSubjectFilter",
            detector=dict(
                type="TorchvisionDetector",
                model="fasterrcnn_resnet50_fpn_v2",
                weights="weights/fasterrcnn_resnet50_fpn_v2.pth",
                device="cuda",
            ),
        ),
    ],
)
