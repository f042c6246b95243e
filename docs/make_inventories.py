"""Write the inventories by which the documentation links to that of other projects.

    python docs/make_inventories.py

Sphinx reads inventories of all pages of a project from the network. These hold no more than the
names that our pages and docstrings refer to, so the documentation is built without one.
"""

import importlib
import inspect
import re
import zlib
from pathlib import Path

DOCS = Path(__file__).parent
FOLDER = DOCS / "_inventories"
#: The page of a name of each project, below the address that conf.py has.
PROJECTS = {
    "numpy": "reference/generated/{}.html#$",
    "sklearn": "modules/generated/{}.html#$",
}
#: Names whose pages are elsewhere.
PAGES = {"sklearn.callback": "api/sklearn.callback.html#module-$"}


def names():
    """The names of other projects in cross-references and in sections See Also, sorted."""
    projects = "|".join(PROJECTS)
    roles = re.compile(rf":\w+:`(?:[^`<]*<|~)?((?:{projects})\.[\w.]+)>?`")
    see_also = re.compile(rf"^    ((?:{projects})(?:\.\w+)+)(?: :.*)?$", re.M)
    pages = [*DOCS.glob("*.rst"), *DOCS.glob("user_guide/*.rst"), *DOCS.glob("examples/*")]
    sources = [*pages, *(DOCS.parent / "sk_softmax").rglob("*.py")]
    texts = [path.read_text(encoding="utf-8") for path in sources if path.is_file()]
    return sorted({name for text in texts for name in roles.findall(text) + see_also.findall(text)})


def kind(name):
    """The role of a name in Sphinx's domain of Python."""
    try:
        importlib.import_module(name)
    except ImportError:
        module, _, attribute = name.rpartition(".")
        is_class = inspect.isclass(getattr(importlib.import_module(module), attribute))
        return "class" if is_class else "function"
    return "module"


def inventory(project, lines):
    """An inventory of the second version: a header, and compressed lines."""
    header = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
    header += "# The remainder of this file is compressed using zlib.\n"
    return header.encode() + zlib.compress("".join(lines).encode(), 9)


def main():
    """Write one file for each project."""
    FOLDER.mkdir(exist_ok=True)
    for project, page in PROJECTS.items():
        lines = [
            f"{name} py:{kind(name)} 1 {PAGES.get(name, page.format(name))} -\n"
            for name in names()
            if name.split(".")[0] == project
        ]
        (FOLDER / f"{project}.inv").write_bytes(inventory(project, lines))


if __name__ == "__main__":
    main()
