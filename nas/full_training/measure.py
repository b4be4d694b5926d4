"""A trained model's scores on images."""

from nas.classifier import model_classifier
from nas.datasets import Images
from nas.model import Model
from nas.scores import Scores, score

BATCH = 128
"""Images at once: small beside what training holds."""


def measured(model: Model, images: Images) -> Scores:
    """The scores of a model on images of its own shape, in float32."""
    probabilities = model_classifier(model).probabilities(images.pixels.numpy(), BATCH)
    return score(probabilities, images.labels.numpy(), model.description.classes)
