"""Finds gin files and says where they set a value."""
