"""Finders that choose connections at random."""
