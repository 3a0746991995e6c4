# From photo to canvas without any weights, 0.2 s a photo: superpixels, a random canvas, and OpenCV's inpainting with
# noise. OpenCVOutpainter is a stand-in for development, not a generative model (docs/generation.md).
generation = dict(
    steps=[
        dict(type="SuperpixelMasks"),
        dict(type="RandomCanvas", sides=(700, 1024)),
        dict(type="OpenCVOutpainter", method="telea"),
    ]
)
