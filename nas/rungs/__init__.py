"""Who goes on: what a study knows at a moment, what that foretells, and the rules of promotion."""
