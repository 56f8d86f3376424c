"""Adds the pages of the reference, and CONTRIBUTING.md, to the site."""

import collections
import pathlib

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parent.parent.parent
NAMES = ROOT / "tests" / "public_api.txt"


def public_names():
    """Returns the public names of each package, `""` for the top level."""
    names = collections.defaultdict(list)
    for line in NAMES.read_text().splitlines():
        name = line.partition("(")[0].partition(":")[0]
        package, _, _ = name.rpartition(".")
        names[package].append(name)
    return names


def page(package, names):
    """Returns the Markdown of a page of the reference."""
    title = f"rigl_tf.{package}".rstrip(".")
    lines = [f"# {title}", f"::: {title}"]
    lines += ["    options:", "      members: false"]
    lines += [
        "      show_root_heading: false",
        "      show_root_toc_entry: false",
    ]
    for name in names:
        lines += ["", f"::: rigl_tf.{name}"]
    return "\n".join(lines)


def on_files(files, config):
    for package, names in public_names().items():
        path = f"reference/{package or 'rigl_tf'}.md"
        files.append(File.generated(config, path, content=page(package, names)))
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    files.append(
        File.generated(config, "contributing.md", content=contributing)
    )
    return files


def on_config(config):
    packages = sorted(public_names())
    config.nav.append(
        {
            "Reference": [
                f"reference/{name or 'rigl_tf'}.md" for name in packages
            ]
        }
    )
    config.nav.append({"Contributing": "contributing.md"})
    return config
