"""Sphinx configuration. The build needs no network."""

import os
import re
from pathlib import Path

import sk_softmax

project = "sk_softmax"
author = "The sk_softmax developers"
copyright = author
version = release = sk_softmax.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
]
# Tables of benchmarks are included by benchmarks/index.rst; examples go through the gallery.
exclude_patterns = ["_build", "_templates", "benchmarks/*.md", "examples", "package_index.md"]
suppress_warnings = ["myst.header"]  # files that are included start below the first level
templates_path = ["_templates"]
default_role = "literal"  # as in scikit-learn's documentation
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # numpydoc sections give the types
numpydoc_show_class_members = False  # the template of classes lists methods
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

plot_include_source = True
plot_formats = ["png"]
plot_html_show_formats = plot_html_show_source_link = False

# Links into other projects' documentation, by inventories that make_inventories.py writes.
intersphinx_mapping = {
    "numpy": ("https://numpy.org/doc/stable", "_inventories/numpy.inv"),
    "sklearn": ("https://scikit-learn.org/stable", "_inventories/sklearn.inv"),
}

extlinks = {"sk": ("https://github.com/scikit-learn/scikit-learn/issues/%s", "#%s")}

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "within_subsection_order": "FileNameSortKey",
    "ignore_pattern": r"(^|[/\\])images\.py",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"sk_softmax {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_sidebars = {
    page: [] for page in ("benchmarks/index", "changelog", "project")
}  # have no subpages
html_show_copyright = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "sk_softmax"},
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["sphinx-version"],
    "footer_end": ["theme-version"],
}
# On the server that has several versions, a menu to choose one.
if os.environ.get("READTHEDOCS"):
    html_theme_options["switcher"] = {
        "json_url": "https://sk-softmax.readthedocs.io/en/latest/_static/versions.json",
        "version_match": os.environ.get("READTHEDOCS_VERSION", "latest"),
    }
    html_theme_options["check_switcher"] = False
    html_theme_options["navbar_end"] = ["version-switcher", "theme-switcher", "navbar-icon-links"]


def defining_module(app, modname, attribute):
    """The private module of a public name, whose `__module__` is that of the package."""
    name, package = attribute.partition(".")[0], Path(sk_softmax.__file__).parent
    definition = re.compile(rf"^(class|def) {name}\b", re.M)
    if modname == "sk_softmax":
        for path in sorted(package.rglob("*.py")):
            if definition.search(path.read_text(encoding="utf-8")):
                return ".".join(path.relative_to(package.parent).with_suffix("").parts)
    return None


def setup(app):
    """Have [source] links of all that the reference lists."""
    app.connect("viewcode-follow-imported", defining_module)
