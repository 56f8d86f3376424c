"""Products of small matrices, for numba, in vector registers.

LLVM has vectors of any width and cuts them into what the machine has. numba has
none, so that the inner loop is written in LLVM's own language.
"""

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_FLOAT = ir.FloatType()
_INDEX = ir.IntType(64)
_LANE = ir.IntType(32)
_BYTES = _INDEX(4)  # of a float
# Multiplied and added in one instruction.
_FAST = ("contract",)
_HELD = 128  # floats of a result that are in registers at a time


@numba.njit
def add(out, left, right, width):
    """Computes out += left @ right.

    Args:
        out: float32 array of shape (rows, width).
        left: float32 array of shape (rows, depth); it may be transposed.
        right: float32 array of shape (depth, width).
        width: Integer that is known when this is compiled, a multiple of 8.
    """
    several = _several(width)
    whole = len(out) - len(out) % several
    for row in range(0, whole, several):
        _add(out, left, right, row, several, width)
    for row in range(whole, len(out)):
        _add(out, left, right, row, 1, width)


@numba.njit
def turn(matrix, out):
    """Writes the transpose of a matrix into `out`."""
    for row in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            out[column, row] = matrix[row, column]


@intrinsic(prefer_literal=True)
def _several(context, width):
    """Returns how many rows of a width are in registers at a time."""
    number = types.literal(max(_HELD // width.literal_value, 1))

    def generate(context, builder, signature, arguments):
        del builder, signature, arguments
        return context.get_constant(types.int64, number.literal_value)

    return number(width), generate


@intrinsic(prefer_literal=True)
def _add(context, out, left, right, row, count, width):
    """Does the work of `add` for `count` rows, starting at `row`."""
    vector = ir.VectorType(_FLOAT, width.literal_value)
    nothing = ir.Constant(vector, ir.Undefined)
    everywhere = ir.Constant(
        ir.VectorType(_LANE, vector.count), [0] * vector.count
    )

    def generate(context, builder, signature, arguments):
        def matrix(place):
            """Data, shape and strides, in floats, of an argument."""
            array = context.make_array(signature.args[place])
            array = array(context, builder, arguments[place])
            shape = cgutils.unpack_tuple(builder, array.shape)
            strides = cgutils.unpack_tuple(builder, array.strides)
            strides = [builder.sdiv(each, _BYTES) for each in strides]
            return array.data, shape, strides

        def place_of(data, strides, *indices):
            for index, stride in zip(indices, strides, strict=True):
                data = builder.gep(data, [builder.mul(index, stride)])
            return data

        def vector_at(data, strides, index):
            place = place_of(data, strides, index, _INDEX(0))
            return builder.bitcast(place, vector.as_pointer())

        def in_every_lane(number):
            first = builder.insert_element(nothing, number, _LANE(0))
            return builder.shuffle_vector(first, nothing, everywhere)

        begin = context.cast(
            builder, arguments[3], signature.args[3], types.int64
        )
        rows = [
            builder.add(begin, _INDEX(i)) for i in range(count.literal_value)
        ]
        to, _, to_strides = matrix(0)
        factors, _, factor_strides = matrix(1)
        others, (depth, _), other_strides = matrix(2)
        places = [vector_at(to, to_strides, each) for each in rows]
        sums = [
            cgutils.alloca_once_value(builder, builder.load(place, align=4))
            for place in places
        ]
        with cgutils.for_range(builder, depth) as loop:
            other = builder.load(
                vector_at(others, other_strides, loop.index), align=4
            )
            for each, total in zip(rows, sums, strict=True):
                factor = builder.load(
                    place_of(factors, factor_strides, each, loop.index)
                )
                product = builder.fmul(
                    in_every_lane(factor), other, flags=_FAST
                )
                now = builder.fadd(builder.load(total), product, flags=_FAST)
                builder.store(now, total)
        for place, total in zip(places, sums, strict=True):
            builder.store(builder.load(total), place, align=4)
        return context.get_dummy_value()

    return types.void(out, left, right, row, count, width), generate
