"""Rows of floats that numba keeps in vector registers.

LLVM has vectors of any width and cuts them into what the machine has. numba has
none, so they are made known to it here: a type, and what can be done with it.
"""

import functools

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic
from numba.extending import register_model

_FLOAT = ir.FloatType()
_INDEX = ir.IntType(64)
_LANE = ir.IntType(32)
# A sum may be added up in any order, but NaN and infinity are respected.
FAST = ("contract", "reassoc")
HAS_AVX512 = get_host_cpu_features().get("avx512f", False)


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
        place = _place(context, builder, signature.args, arguments, kind.width)
        return builder.load(place, align=4)

    return kind(array, index, width), generate


@intrinsic(prefer_literal=True)
def store(context, array, index, row):
    """Writes a row where `load` would read it."""

    def generate(context, builder, signature, arguments):
        place = _place(context, builder, signature.args, arguments, row.width)
        builder.store(arguments[2], place, align=4)
        return context.get_dummy_value()

    return types.void(array, index, row), generate


@intrinsic(prefer_literal=True)
def added(context, total, factor, row):
    """`total + factor * row`."""

    def generate(context, builder, signature, arguments):
        total, factor, row = arguments
        factors = in_every_lane(builder, factor, row.type.count)
        product = builder.fmul(factors, row, flags=FAST)
        return builder.fadd(total, product, flags=FAST)

    return total(total, factor, row), generate


@intrinsic(prefer_literal=True)
def outer_added(context, total, factors, first, step, array, index, number):
    """`total` plus some factors, each times the same row.

    Args:
        total: `Row` of `number` rows, one after the other.
        factors: Contiguous array.
        first: Integer, the place of the first factor.
        step: Integer, from one factor to the next.
        array: Contiguous array of rows.
        index: Integer, which row.
        number: Integer that is known when this is compiled, a power of 2.
    """
    count = number.literal_value
    width = total.width // count

    def generate(context, builder, signature, arguments):
        total, factors, first, step, array, index, _ = arguments
        row = _place(
            context, builder, signature.args[4:6], (array, index), width
        )
        row = builder.load(row, align=4)
        of_factors = signature.args[1]
        data = context.make_array(of_factors)(context, builder, factors).data
        place = context.cast(builder, first, signature.args[2], types.int64)
        step = context.cast(builder, step, signature.args[3], types.int64)
        nothing = ir.Constant(total.type, ir.Undefined)
        sums = []
        for i in range(count):
            which = range(i * width, (i + 1) * width)
            part = builder.shuffle_vector(total, nothing, indices(which))
            factor = in_every_lane(
                builder, builder.load(builder.gep(data, [place])), width
            )
            product = builder.fmul(factor, row, flags=FAST)
            sums.append(builder.fadd(part, product, flags=FAST))
            place = builder.add(place, step)
        return joined(builder, sums)

    arguments = total, factors, first, step, array, index, number
    return total(*arguments), generate


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


def in_every_lane(builder, number, width):
    """A vector of the same float."""
    nothing = ir.Constant(vector_type(width), ir.Undefined)
    first = builder.insert_element(nothing, number, _LANE(0))
    return builder.shuffle_vector(first, nothing, indices([0] * width))


def joined(builder, parts):
    """A vector of the floats of several, whose number is a power of 2."""
    while len(parts) > 1:
        both = indices(range(2 * parts[0].type.count))
        parts = [
            builder.shuffle_vector(*pair, both)
            for pair in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def indices(numbers):
    """Integers that say where the floats of a vector come from."""
    return ir.Constant(ir.VectorType(_LANE, len(numbers)), list(numbers))


def _place(context, builder, kinds, arguments, width):
    """A pointer to a row of an array."""
    array = context.make_array(kinds[0])(context, builder, arguments[0])
    index = context.cast(builder, arguments[1], kinds[1], types.int64)
    first = builder.gep(array.data, [builder.mul(index, _INDEX(width))])
    return builder.bitcast(first, vector_type(width).as_pointer())
