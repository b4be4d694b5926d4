"""A network on a small device: its operations on 8-bit integers, and the bytes that they take."""
