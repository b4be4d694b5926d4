"""What is taken where nothing else is asked for, and the bounds of what may be asked."""

PRECISIONS = ("float32", "bf16")

DATASET, CLASSES = "fashion-mnist", 10
"""What studies are about that don't say so: those of earlier versions, and replayed ones."""

MIN_RESOLUTION, MAX_RESOLUTION = 8, 224

DEFAULT_STUDY = "inception"
DEFAULT_STORAGE = "sqlite:///nas.db"
