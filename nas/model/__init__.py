"""A trained model: its metadata, its weights, what it says of images, how good it is, exports.

Entered by the commands that use models. ``metadata`` is the leaf that all others stand on.
"""
