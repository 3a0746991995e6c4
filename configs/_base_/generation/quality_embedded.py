# Quality filter for the embedded stand-ins, without any weights: seams alone. The checks of subjects are off, because
# mirrored surroundings repeat the subject by construction; the artefact classifier needs weights (docs/generation.md).
quality_filter = dict(
    type="QualityFilter", checks=[dict(type="SeamFilter", max_gradient=2.0, max_colour=3.5)]
)
