"""A network trained to the end: recipe, augmentation, training that resumes, model card."""
