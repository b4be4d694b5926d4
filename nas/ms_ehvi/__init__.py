"""The sampler that knows what candidates cost."""
