"""Flags and help of the programs, without TensorFlow.

Each program is a module here with its help and flags, and a module of the same
name in `rigl_tf/bin` with a function `main(flags)`. TensorFlow takes seconds to
import, so it is imported after the flags are parsed.
"""
