"""Packages of the distribution; pyproject.toml has everything else."""

import setuptools

setuptools.setup(
    # In a checkout, gin_configs/ is next to rigl_tf/; in a wheel, inside it.
    # The flags of programs are a package of their own, because the import of
    # a package in rigl_tf imports TensorFlow.
    packages=[
        "rigl_cli",
        *setuptools.find_packages(
            include=["rigl_tf", "rigl_tf.*"], exclude=["rigl_tf.rigl_cli"]
        ),
        "rigl_tf.gin_configs",
    ],
    package_dir={
        "rigl_cli": "rigl_tf/rigl_cli",
        "rigl_tf.gin_configs": "gin_configs",
    },
    include_package_data=False,  # but what is listed here
    package_data={
        "rigl_tf": ["py.typed"],  # for type checkers
        "rigl_tf.gin_configs": ["**/*.gin", "**/*.toml"],
    },
)
