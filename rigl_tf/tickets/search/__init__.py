"""Finders that train a score for every connection."""
