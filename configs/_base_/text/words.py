# No weights: every word is a direction of its own, (m', 64), and the photo is not looked at. For development, and for
# captions of a small vocabulary from a file. A cropper knows the words of its training captions and no others.
text_encoder = dict(type="WordTextEncoder", token_dim=64, max_tokens=32)
