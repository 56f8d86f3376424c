"""Adds the pages of the reference, and CONTRIBUTING.md, to the site."""

import collections
import pathlib

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parent.parent.parent
NAMES = ROOT / "tests" / "public_api.txt"
# The docstring of a package, without its members.
PACKAGE = """\
    options:
      members: false
      show_root_heading: false
      show_root_toc_entry: false"""


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
    title = f"rigl_tf.{package}" if package else "rigl_tf"
    lines = [f"# {title}"]
    if package:
        lines.append(f"::: {title}\n{PACKAGE}")
    lines += [f"::: rigl_tf.{name}" for name in names]
    return "\n\n".join(lines)


def on_files(files, config):
    pages = {
        f"reference/{package or 'rigl_tf'}.md": page(package, names)
        for package, names in public_names().items()
    }
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    pages["contributing.md"] = contributing.replace("](docs/", "](")
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_config(config):
    packages = sorted(public_names())
    pages = [f"reference/{name or 'rigl_tf'}.md" for name in packages]
    config.nav += [{"Reference": pages}, {"Contributing": "contributing.md"}]
    return config
