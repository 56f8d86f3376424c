"""Finders that prune a trained network with the inputs of its layers."""
