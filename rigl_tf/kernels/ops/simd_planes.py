"""Tiles of planes of floats, for numba, in vector registers.

A tile is some rows of a plane, each some vectors wide. It is a
`simd_rows.Row` of all its floats, row by row.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from rigl_tf.kernels.ops.simd_rows import FAST
from rigl_tf.kernels.ops.simd_rows import Row
from rigl_tf.kernels.ops.simd_rows import indices
from rigl_tf.kernels.ops.simd_rows import joined
from rigl_tf.kernels.ops.simd_rows import vector_type

LANES = 16  # floats of a vector register with AVX-512, two of them without
_FLOAT = ir.FloatType()
_INDEX = ir.IntType(64)
_CHAINS = 2  # sums that do not wait for each other


@intrinsic(prefer_literal=True)
def load(context, array, start, stride, rows, width):
    """A tile of a flat array, its rows `stride` floats apart."""
    high, wide = rows.literal_value, width.literal_value

    def generate(context, builder, signature, arguments):
        place = _placer(context, builder, signature, arguments, 0)
        parts = [
            builder.load(place(row, column), align=4)
            for row in range(high)
            for column in range(0, wide, LANES)
        ]
        return joined(builder, parts)

    return Row(high * wide)(array, start, stride, rows, width), generate


@intrinsic(prefer_literal=True)
def store(context, array, start, stride, rows, width, tile):
    """Writes a tile where `load` would read it."""
    high, wide = rows.literal_value, width.literal_value

    def generate(context, builder, signature, arguments):
        place = _placer(context, builder, signature, arguments, 0)
        for row in range(high):
            for column in range(0, wide, LANES):
                part = _part(builder, arguments[5], row * wide + column)
                builder.store(part, place(row, column), align=4)
        return context.get_dummy_value()

    return types.void(array, start, stride, rows, width, tile), generate


@intrinsic
def dot(context, one, other):
    """The inner product of two tiles."""

    def generate(context, builder, signature, arguments):
        sums = []
        for i in range(0, arguments[0].type.count, LANES):
            product = builder.fmul(
                *(_part(builder, each, i) for each in arguments), flags=FAST
            )
            if len(sums) < _CHAINS:
                sums.append(product)
            else:
                total = builder.fadd(sums.pop(0), product, flags=FAST)
                sums.append(total)
        while len(sums) > 1:
            sums.append(builder.fadd(sums.pop(0), sums.pop(0), flags=FAST))
        add_up = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(_FLOAT, [_FLOAT, vector_type(LANES)]),
            f"llvm.vector.reduce.fadd.v{LANES}f32",
        )
        return builder.call(add_up, [_FLOAT(0.0), sums[0]], fastmath=FAST)

    return types.float32(one, other), generate


@intrinsic
def transpose(context, source, start, stride, target, place, step):
    """Copies a square of `LANES` rows and columns, rows become columns.

    `source` and `target` are flat arrays, in which rows are `stride` and `step`
    floats apart.
    """

    def generate(context, builder, signature, arguments):
        read = _placer(context, builder, signature, arguments, 0)
        write = _placer(context, builder, signature, arguments, 3)
        rows = [builder.load(read(i, 0), align=4) for i in range(LANES)]
        half = LANES // 2
        merged = [x for i in range(LANES) for x in (i, LANES + i)]
        low, high = indices(merged[:LANES]), indices(merged[LANES:])
        for _ in range(LANES.bit_length() - 1):
            rows = [
                builder.shuffle_vector(rows[i], rows[i + half], which)
                for i in range(half)
                for which in (low, high)
            ]
        for i, row in enumerate(rows):
            builder.store(row, write(i, 0), align=4)
        return context.get_dummy_value()

    arguments = source, start, stride, target, place, step
    return types.void(*arguments), generate


def _placer(context, builder, signature, arguments, first):
    """A function from a row and a column to a pointer to a vector.

    The arguments from `first` on are an array, a start and a stride.
    """
    array, start, stride = arguments[first : first + 3]
    kinds = signature.args[first : first + 3]
    data = context.make_array(kinds[0])(context, builder, array).data
    start = context.cast(builder, start, kinds[1], types.int64)
    stride = context.cast(builder, stride, kinds[2], types.int64)

    def place(row, column):
        begin = builder.add(start, builder.mul(stride, _INDEX(row)))
        pointer = builder.gep(builder.gep(data, [begin]), [_INDEX(column)])
        return builder.bitcast(pointer, vector_type(LANES).as_pointer())

    return place


def _part(builder, tile, first):
    nothing = ir.Constant(tile.type, ir.Undefined)
    return builder.shuffle_vector(
        tile, nothing, indices(range(first, first + LANES))
    )
