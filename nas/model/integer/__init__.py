"""A trained network in 8-bit integers: its weights folded and quantized, its arithmetic to the bit.

The operations and where their tensors lie are those of ``search_space.device``.
"""
