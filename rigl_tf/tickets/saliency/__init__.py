"""Finders that score connections before training."""
