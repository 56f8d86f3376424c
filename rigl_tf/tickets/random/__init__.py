"""Finders that draw connections at random."""
