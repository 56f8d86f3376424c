"""Finders that train and prune again and again."""
