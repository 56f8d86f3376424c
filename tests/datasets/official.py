"""Small archives in the official formats of data sets."""

import gzip
import io
import tarfile
import zipfile

import numpy as np
import tensorflow as tf


def picture(height=64, width=64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def jpeg(image):
    return tf.io.encode_jpeg(image, quality=100).numpy()


def tar(path, files, mode="w"):
    """Writes a tar archive; files are bytes by name."""
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def idx_files(folder, train, test, compressed=True):
    """The four files of MNIST, of pairs of labels and images."""
    arrays = {
        f"{start}-{what}-idx{array.ndim}-ubyte": array
        for start, pair in {"train": train, "t10k": test}.items()
        for what, array in zip(("labels", "images"), pair, strict=True)
    }
    folder.mkdir()
    paths = []
    for name, array in arrays.items():
        data = bytes([0, 0, 8, array.ndim])
        data += np.array(array.shape, ">u4").tobytes()
        data += array.astype(np.uint8).tobytes()
        path = folder / f"{name}.gz" if compressed else folder / name
        path.write_bytes(gzip.compress(data) if compressed else data)
        paths.append(path)
    return paths


def cifar_records(labels, images, coarse=None):
    """One byte or two of labels, then red, green and blue planes."""
    records = []
    for i, (label, image) in enumerate(zip(labels, images, strict=True)):
        first = [] if coarse is None else [coarse[i]]
        planes = image.transpose(2, 0, 1).tobytes()
        records.append(bytes([*first, label]) + planes)
    return b"".join(records)


def cifar10(folder, train, test):
    """`cifar-10-binary.tar.gz` of pairs of labels and images."""
    (labels, images), base = train, "cifar-10-batches-bin"
    files = {f"{base}/batches.meta.txt": "\n".join("abcdefghij").encode()}
    for i in range(5):
        files[f"{base}/data_batch_{i + 1}.bin"] = cifar_records(
            np.array_split(labels, 5)[i], np.array_split(images, 5)[i]
        )
    files[f"{base}/test_batch.bin"] = cifar_records(*test)
    return tar(folder / "cifar-10-binary.tar.gz", files, "w:gz")


def cifar100(folder, train, test):
    """`cifar-100-binary.tar.gz`, likewise."""
    base = "cifar-100-binary"
    names = "\n".join(f"n{i}" for i in range(100))
    files = {
        f"{base}/coarse_label_names.txt": "\n".join(
            f"c{i}" for i in range(20)
        ).encode(),
        f"{base}/fine_label_names.txt": names.encode(),
        f"{base}/train.bin": cifar_records(*train, coarse=train[0] % 20),
        f"{base}/test.bin": cifar_records(*test, coarse=test[0] % 20),
    }
    return tar(folder / "cifar-100-binary.tar.gz", files, "w:gz")


def tiny_imagenet(folder, ids, num_train=3, num_validation=4):
    """`tiny-imagenet-200.zip` of some WordNet IDs, images all of one grey.

    The grey is the position among the sorted IDs, and 100 more for validation.
    """
    path = folder / "tiny-imagenet-200.zip"
    grey = {wnid: i for i, wnid in enumerate(sorted(ids))}
    base = "tiny-imagenet-200"
    annotations = []
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{base}/wnids.txt", "\n".join(ids) + "\n")
        for wnid in ids:
            for i in range(num_train):
                name = f"{base}/train/{wnid}/images/{wnid}_{i}.JPEG"
                archive.writestr(name, jpeg(_grey(grey[wnid])))
            for _ in range(num_validation):
                name = f"val_{len(annotations)}.JPEG"
                annotations.append(f"{name}\t{wnid}\t0\t0\t62\t62")
                archive.writestr(
                    f"{base}/val/images/{name}", jpeg(_grey(grey[wnid] + 100))
                )
        archive.writestr(
            f"{base}/val/val_annotations.txt", "\n".join(annotations) + "\n"
        )
        archive.writestr(f"{base}/test/images/test_0.JPEG", jpeg(_grey(0)))
    return path


def _grey(value):
    return np.full((64, 64, 3), value, np.uint8)


def caltech101(folder, names, num=31):
    """`caltech-101.zip` of some classes, in an archive within."""
    inner = {
        f"101_ObjectCategories/{name}/image_{i:04d}.jpg": jpeg(
            np.full((20 + label, 30, 3), 10 * label + i, np.uint8)
        )
        for label, name in enumerate(names)
        for i in range(1, num + 1)
    }
    objects = tar(folder / "101_ObjectCategories.tar.gz", inner, "w:gz")
    path = folder / "caltech-101.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(objects, "caltech-101/101_ObjectCategories.tar.gz")
    objects.unlink()
    return path


def imagenet2012(folder, ids, num_train=5, num_validation=3):
    """Both archives of ImageNet; train has an archive of each WordNet ID."""
    inner = {}
    for wnid in ids:
        files = {
            f"{wnid}_{i}.JPEG": jpeg(picture(40, 50, seed=i))
            for i in range(num_train)
        }
        path = tar(folder / "inner.tar", files)
        inner[f"{wnid}.tar"] = path.read_bytes()
        path.unlink()
    train = tar(folder / "ILSVRC2012_img_train.tar", inner)
    files = {
        f"ILSVRC2012_val_{i:08d}.JPEG": jpeg(picture(50, 40, seed=i))
        for i in range(1, num_validation + 1)
    }
    return train, tar(folder / "ILSVRC2012_img_val.tar", files)
