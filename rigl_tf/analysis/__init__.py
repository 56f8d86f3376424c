"""Counts FLOPs, describes masks and compares models."""

from rigl_tf.analysis.model_summary import summary

__all__ = ["summary"]
