"""Compiled code on disk: found again, never wrong, and never needed."""

import errno
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import filelock
import numba
import numpy as np
import pytest

from rigl_tf.kernels.ops import numba_block_matmul
from rigl_tf.kernels.ops import numba_cache
from rigl_tf.kernels.ops import numba_csr_matmul

OPS = pathlib.Path(numba_cache.__file__).parent


def use(folder, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(folder))
    numba_cache._folder.cache_clear()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    use(tmp_path, monkeypatch)
    yield tmp_path
    numba_cache._folder.cache_clear()


def doubled(x):
    return 2 * x


def compiled():
    """The function as a new process would have it."""
    return numba_cache.njit(doubled)


def loads(function):
    """How many times a function was found on disk."""
    return sum(function.stats.cache_hits.values())


def test_a_later_process_finds_the_code():
    assert compiled()(1.5) == 3.0

    later = compiled()

    assert later(2.5) == 5.0
    assert loads(later) == 1


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("module", "sizes", "shape"),
    [(numba_csr_matmul, (32,), ()), (numba_block_matmul, (8, 16), (8, 16))],
    ids=["connections", "blocks"],
)
def test_a_later_process_finds_the_products(module, sizes, shape):
    x = np.ones((4, 16), np.float32)
    active, values = np.zeros(1, np.int32), np.ones((1, *shape), np.float32)
    for expected in (0, 1):
        module._compiled.cache_clear()
        product = module.Product(16, 16, *shape)

        y = product.forward(x, values, active)
        product.backward(x, values, active, y)

        for function in module._compiled(*sizes):
            assert loads(function) == expected
            # Any other value has another hash in every process.
            for cell in function.py_func.__closure__:
                assert isinstance(cell.cell_contents, int)
    module._compiled.cache_clear()


def copied_version(copy):
    spec = importlib.util.spec_from_file_location(
        "copy_of_cache", copy / "numba_cache.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module._version()


@pytest.mark.parametrize("name", sorted(path.name for path in OPS.glob("*.py")))
def test_a_change_of_any_file_has_other_code(name, tmp_path):
    copy = tmp_path / "ops"
    shutil.copytree(OPS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    assert copied_version(copy) == numba_cache._version()

    with (copy / name).open("a") as file:
        file.write("\n")

    assert copied_version(copy) != numba_cache._version()


_PRODUCT = """
import numpy as np
from rigl_tf.kernels.ops import numba_csr_matmul

product = numba_csr_matmul.Product(2, 1)
one = np.ones((1, 2), np.float32)
print(product.forward(one, one[0], np.arange(2, dtype="int32")).numpy().item())
"""


@pytest.mark.slow
def test_a_helper_that_changes_changes_the_product(tmp_path):
    package = pathlib.Path(numba_cache.__file__).parents[2]
    shutil.copytree(package, tmp_path / "rigl_tf")
    helper = tmp_path / "rigl_tf/kernels/ops/simd_rows.py"
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
    }

    def product():
        output = subprocess.run(
            [sys.executable, "-c", _PRODUCT],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        return float(output)

    assert [product(), product()] == [2.0, 2.0]
    source = helper.read_text()
    helper.write_text(
        source.replace("builder.fadd(total", "builder.fsub(total")
    )

    assert product() == -2.0


def folders_that_cannot_be_written(tmp_path):
    a_file = tmp_path / "file"
    a_file.touch()
    yield a_file
    yield pathlib.Path("/proc/self")  # not even by the superuser
    read_only = tmp_path / "read_only"
    read_only.mkdir(mode=0o500)
    if os.geteuid() != 0:
        yield read_only


def test_a_folder_that_cannot_be_written_is_left_alone(tmp_path, monkeypatch):
    for place in folders_that_cannot_be_written(tmp_path):
        use(place, monkeypatch)

        assert compiled()(1.5) == 3.0
        assert numba_cache._folder() is None


def test_without_a_home_there_is_no_folder(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pathlib.Path, "home", lambda: pathlib.Path("/proc"))
    use("", monkeypatch)

    assert compiled()(1.5) == 3.0
    assert numba_cache._folder() is None


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("content", [b"", b"\x80no pickle", None])
def test_damaged_files_are_not_needed(suffix, content, folder):
    compiled()(1.5)
    (file,) = folder.rglob(f"*{suffix}")
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)

    assert compiled()(2.5) == 5.0


def test_a_full_disk_is_not_needed(monkeypatch):
    def replace(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)

    assert compiled()(1.5) == 3.0


def test_processes_compile_one_after_another():
    function = compiled()
    thread = threading.Thread(target=function, args=(1.5,))

    with filelock.FileLock(numba_cache._folder() / "lock"):
        thread.start()
        thread.join(0.5)
        assert not function.signatures
    thread.join()

    assert len(function.signatures) == 1


def test_a_process_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(numba_cache, "_SECONDS", 0.1)
    function = compiled()

    with filelock.FileLock(numba_cache._folder() / "lock"):
        thread = threading.Thread(target=function, args=(1.5,))
        thread.start()
        thread.join()

    assert function(2.5) == 5.0


_MODULE = """
import sys
import numpy as np
from rigl_tf.kernels.ops import numba_cache

def total(x):
    return x.sum()

function = numba_cache.njit(total)
if __name__ == "__main__":
    function(np.ones(3, sys.argv[1]))
"""


@pytest.mark.slow
def test_processes_at_once_find_their_own_code(tmp_path, monkeypatch):
    kinds = ["float32", "float64", "int32", "int64", "uint8", "complex64"]
    path = tmp_path / "module_of_a_test.py"
    path.write_text(_MODULE)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, str(path), kind], env=environment)
        for kind in kinds
    ]
    assert not any(process.wait() for process in processes)

    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("module_of_a_test")

    for kind in kinds:
        assert module.function(np.ones(3, kind)) == 3
    assert loads(module.function) == len(kinds)
