"""A trained model's scores on images."""

import numpy as np

from nas.datasets import Batches, Images
from nas.model import Model
from nas.scores import Scores, score

BATCH = 500


def measured(model: Model, images: Images) -> Scores:
    """The scores of a model on images of its own shape, in float32."""
    import torch

    order = torch.arange(len(images))
    probabilities = [
        model.probabilities(pixels).numpy() for pixels, _ in Batches(images, order, BATCH)
    ]
    return score(np.concatenate(probabilities), images.labels.numpy(), model.description.classes)
