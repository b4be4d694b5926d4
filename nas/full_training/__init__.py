"""A network trained to its end: one directory each, begun, continued and tested once.

Entered by `nas train`. Only here the test images are read, after the last epoch.
"""
