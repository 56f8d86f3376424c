"""Finders that score all connections before training."""
