"""Who goes on: what a study knows at a moment, what that foretells, and the rules of promotion.

Entered by the driver's loop and the samplers; ``names`` alone by settings and help texts.
"""
