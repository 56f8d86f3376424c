"""Rows of floats that numba keeps in vector registers.

LLVM has vectors of any width and cuts them into what the machine has. numba has
none, so they are made known to it here: a type, and what can be done with it.
"""

import functools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic
from numba.extending import register_model

_FLOAT = ir.FloatType()
_INDEX = ir.IntType(64)
# A sum may be added up in any order, but NaN and infinity are respected.
FAST = ("contract", "reassoc")


class Row(types.Type):
    """A vector of `width` floats."""

    def __init__(self, width):
        self.width = width
        super().__init__(f"Row({width})")


@register_model(Row)
class _RowModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, vector_type(kind.width))


@intrinsic(prefer_literal=True)
def zeros(context, width):
    """A row of zeros."""
    kind = Row(width.literal_value)
    vector = vector_type(kind.width)

    def generate(context, builder, signature, arguments):
        del context, builder, signature, arguments
        return ir.Constant(vector, [0.0] * kind.width)

    return kind(width), generate


@intrinsic(prefer_literal=True)
def load(context, array, index, width):
    """Row number `index` of a contiguous array of rows."""
    kind = Row(width.literal_value)

    def generate(context, builder, signature, arguments):
        place = _place(context, builder, signature, arguments, kind.width)
        return builder.load(place, align=4)

    return kind(array, index, width), generate


@intrinsic(prefer_literal=True)
def store(context, array, index, row):
    """Writes a row where `load` would read it."""

    def generate(context, builder, signature, arguments):
        place = _place(context, builder, signature, arguments, row.width)
        builder.store(arguments[2], place, align=4)
        return context.get_dummy_value()

    return types.void(array, index, row), generate


@intrinsic(prefer_literal=True)
def added(context, total, factor, row):
    """`total + factor * row`."""

    def generate(context, builder, signature, arguments):
        total, factor, row = arguments
        vector, integer = row.type, ir.IntType(32)
        nothing = ir.Constant(vector, ir.Undefined)
        first = builder.insert_element(nothing, factor, integer(0))
        everywhere = ir.Constant(
            ir.VectorType(integer, vector.count), [0] * vector.count
        )
        factors = builder.shuffle_vector(first, nothing, everywhere)
        product = builder.fmul(factors, row, flags=FAST)
        return builder.fadd(total, product, flags=FAST)

    return total(total, factor, row), generate


@intrinsic(prefer_literal=True)
def dot(context, one, other):
    """The inner product of two rows."""

    def generate(context, builder, signature, arguments):
        vector = arguments[0].type
        add_up = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(_FLOAT, [_FLOAT, vector]),
            f"llvm.vector.reduce.fadd.v{vector.count}f32",
        )
        product = builder.fmul(*arguments, flags=FAST)
        return builder.call(add_up, [_FLOAT(0.0), product], fastmath=FAST)

    return types.float32(one, other), generate


@functools.cache
def vector_type(width):
    return ir.VectorType(_FLOAT, width)


def _place(context, builder, signature, arguments, width):
    """A pointer to a row of an array."""
    kind = signature.args[0]
    array = context.make_array(kind)(context, builder, arguments[0])
    index = context.cast(builder, arguments[1], signature.args[1], types.int64)
    first = builder.gep(array.data, [builder.mul(index, _INDEX(width))])
    return builder.bitcast(first, vector_type(width).as_pointer())
