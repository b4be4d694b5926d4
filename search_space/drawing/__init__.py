"""The layer graph as a picture."""
