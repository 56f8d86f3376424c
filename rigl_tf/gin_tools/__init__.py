"""Finds gin files, and the lines in them that set a value."""
