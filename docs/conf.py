"""Sphinx configuration. The build needs no network: see SK_SOFTMAX_DOCS_ONLINE below."""

import os

import sk_softmax

project = "sk_softmax"
author = "The sk_softmax developers"
copyright = author
version = release = sk_softmax.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "sphinx_copybutton",
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
plot_html_show_formats = plot_html_show_source_link = False

# Links into other projects' documentation need their inventories from the network.
if os.environ.get("SK_SOFTMAX_DOCS_ONLINE"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }

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
html_sidebars = {page: [] for page in ("benchmarks/index", "changelog")}  # have no subpages
html_show_copyright = False
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["sphinx-version"],
    "footer_end": ["theme-version"],
}
