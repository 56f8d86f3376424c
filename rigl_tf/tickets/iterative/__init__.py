"""Finders that train and prune in rounds."""
