"""What documents claim: files, options, parameters and methods exist, and versions agree."""

import ast
import importlib.util
import json
import re
import tomllib
import zlib
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression

import sk_softmax

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ROOT / "benchmarks" / "README.md",
    ROOT / "docs" / "package_index.md",
    *sorted((ROOT / "docs").glob("*.rst")),
    *sorted((ROOT / "docs" / "user_guide").glob("*.rst")),
    *sorted((ROOT / "docs" / "benchmarks").glob("*.rst")),
]
PROGRAMS = [
    *sorted((ROOT / "benchmarks").glob("*.py")),
    *sorted((ROOT / "docs").rglob("plot_*.py")),
    *sorted((ROOT / "tools").glob("*.py")),
]
FILE = re.compile(r"[\w/.*-]*\w\.(?:py|md|rst|json|png|toml|cfg|csv|R)\b(?!\.)")
# Written by programs, given by users, placeholders, or, in a tutorial, yet to be made.
MADE = re.compile(
    r"(plot_01_quickstart\.png|digits\.csv|(NAME|FILE)\.json|_block_newton\.py|sphx_glr\w+\.py)$"
)
FOLDERS = [
    *(ROOT / part for part in (".", "docs", "docs/benchmarks", "benchmarks", "tests", "tools")),
    *(ROOT / part for part in ("sk_softmax", "docs/user_guide", "docs/examples", "tests/data")),
]


def text_of(path):
    """A page, or what a program says of itself and of its options."""
    text = path.read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(text)) or "" if path.suffix == ".py" else text


def identifier(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES + PROGRAMS, ids=identifier)
def test_files_exist(path):
    for name in FILE.findall(text_of(path)):
        if MADE.search(name):
            continue
        places = [folder / name.lstrip("/") for folder in (path.parent, *FOLDERS)]
        found = any(any(ROOT.glob(name)) if "*" in name else place.exists() for place in places)
        assert found, name


def commands():
    """Our programs in the commands of pages and programs, each with its arguments."""
    for path in PAGES + PROGRAMS:
        for found in re.finditer(
            r"((?:benchmarks|docs/examples|tests|tools)/\w+\.py)( .*)?", text_of(path)
        ):
            arguments = re.split(r"[`|&;)]", found[2] or "")[0]
            yield pytest.param(found[1], arguments, id=f"{identifier(path)}-{found[0][:60]}")


@pytest.mark.parametrize(("program", "arguments"), list(commands()))
def test_options_exist(program, arguments):
    source = (ROOT / program).read_text(encoding="utf-8")
    if program.startswith("docs"):
        source += (ROOT / "docs/examples/images.py").read_text(encoding="utf-8")
    for option in re.findall(r"(?<!\S)--[\w-]+", arguments):
        known = program == "tests/test_properties.py" or f'"{option}"' in source
        assert known, f"{program} {option}"


def test_problems_named_in_commands_were_measured():
    for path in PAGES + PROGRAMS:
        for found in re.finditer(r'(\S+\.json)? --problems((?: "[^"]+")+)', text_of(path)):
            files = [ROOT / found[1]] if found[1] else (ROOT / "docs/benchmarks").glob("*.json")
            names = {
                result["problem"]
                for file in files
                for result in json.loads(file.read_text(encoding="utf-8")).get("results", [])
                if isinstance(result, dict) and "problem" in result
            }
            assert set(re.findall('"([^"]+)"', found[2])) <= names, path


def measured_versions():
    """Versions of other programs in the records of the benchmarks, by name."""
    versions = {}
    for file in (ROOT / "docs" / "benchmarks").glob("*.json"):
        for name, version in json.loads(file.read_text(encoding="utf-8"))["environment"].items():
            if isinstance(version, str):
                versions.setdefault(name, set()).add(version)
    versions["PyTorch"] = versions["torch"]
    return versions


@pytest.mark.parametrize("path", PAGES, ids=identifier)
def test_versions_are_those_of_the_measurements(path):
    measured = measured_versions()
    for name, version in re.findall(
        r"\b(PyTorch|torch|glmnet|nnet)(?: |==)(\d+\.[\d.]*\d)", text_of(path)
    ):
        assert any(f"{known}.".startswith(f"{version}.") or known.startswith(f"{version}+")
                   for known in measured[name]), f"{name} {version}"  # fmt: skip


def test_versions_are_those_of_the_requirements():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("numpy", "scipy", "scikit-learn"):
        least = re.search(rf'"{name}>=([\d.]+)"', project)[1]
        assert f"{name} >= {least}" in readme
        pinned = re.search(rf"^{name}==([\d.]+)$", (ROOT / ".ci/oldest.txt").read_text(), re.M)[1]
        assert pinned == least or pinned == f"{least}.0"
    least = re.search(r'requires-python = ">=([\d.]+)"', project)[1]
    assert f"Python >= {least}" in readme


def test_versions_of_tools_are_the_same_everywhere():
    """Those that a commit is checked with are those of the lint step."""
    hooks, *pins = (
        set(re.findall(r"[\w-]+==[\w.]+", (ROOT / name).read_text(encoding="utf-8")))
        for name in (".pre-commit-config.yaml", "pyproject.toml", ".ci/tools.txt")
    )
    assert hooks <= set.union(*pins)


def test_the_conda_recipe_is_that_of_the_package():
    recipe = (ROOT / ".ci/conda/meta.yaml").read_text(encoding="utf-8")
    assert f'version = "{sk_softmax.__version__}"' in recipe
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    needed = re.search(r"  run:\n((?:    - .*\n)+)", recipe)[1].replace(" ", "")
    expected = [f"python{project['requires-python']}", *project["dependencies"]]
    assert needed.split() == [f"-{name}" for name in expected]


def test_the_page_of_the_package_index_needs_no_clone():
    page = (ROOT / "docs/package_index.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]*)\)", page)
    assert targets
    assert all(target.startswith("https://") for target in targets)


def test_files_have_names_without_spaces():
    assert not [path for path in (ROOT / "tests").rglob("* *") if "__pycache__" not in path.parts]


def table_of_migration(title):
    """The rows of a list-table of the page on migration: two cells each."""
    page = (ROOT / "docs/user_guide/migration.rst").read_text(encoding="utf-8")
    table = page.split(f".. list-table:: {title}\n")[1].split("\n\n\n")[0].split("\n\n")[1]
    rows = re.split(r"^   \* -", table, flags=re.M)[2:]
    return [tuple(" ".join(cell.split()) for cell in row.split("\n     -")) for row in rows]


def names_in(cell):
    return re.findall(r"``(\w+)``", cell)


def test_parameters_of_logistic_regression():
    ours, rows = sk_softmax.SoftmaxRegression().get_params(), table_of_migration("Parameters")
    listed = {name for theirs, _ in rows for name in names_in(theirs)}
    assert set(LogisticRegression().get_params()) - {"multi_class"} <= listed
    for theirs, answer in rows:
        for name in names_in(theirs):
            has_none = answer.startswith(("None", "There is the L2"))
            assert (name in ours) != has_none, name


def test_attributes_and_methods_of_logistic_regression():
    fitted = sk_softmax.SoftmaxRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 0])
    fitted.feature_names_in_ = ["x"]
    for theirs, answer in table_of_migration("Attributes and methods"):
        for name in names_in(theirs) + names_in(answer.split(":")[0]):
            assert hasattr(fitted, name) != answer.startswith("None"), name


def test_parameters_that_take_the_place_of_others():
    """In the tables of SGDClassifier and MLPClassifier, on the right."""
    page = (ROOT / "docs/user_guide/migration.rst").read_text(encoding="utf-8")
    tables = page.split("SGDClassifier\n-------")[1]
    answers = re.findall(r"^     - (.*(?:\n       .*)*)", tables, re.M)
    ours = set(sk_softmax.SoftmaxRegression().get_params())
    others = {"loss_", "history_", "coef_", "intercept_", "alpha", "n_samples"}
    for answer in answers:
        names = re.findall(r"``(\w+)", answer)
        assert set(names) <= ours | others, answer


def resolve(name):
    """Import what a dotted name stands for."""
    module, _, attribute = name.rpartition(".")
    try:
        return importlib.import_module(name)
    except ImportError:
        return getattr(resolve(module), attribute)


@pytest.mark.parametrize("path", PAGES, ids=identifier)
def test_references_resolve(path):
    for target in re.findall(r":(?:class|func|meth|mod):`~?([\w.]+)`", text_of(path)):
        if target.startswith("sklearn.callback"):  # came with scikit-learn 1.9
            pytest.importorskip("sklearn.callback")
        is_ours = target.split(".")[0] in (*sk_softmax.__all__, "onnx")
        resolve(f"sk_softmax.{target}" if is_ours else target)


def test_inventories_have_the_names_that_pages_refer_to():
    """Written by docs/make_inventories.py."""
    docs = ROOT / "docs"
    spec = importlib.util.spec_from_file_location("inventories", docs / "make_inventories.py")
    make_inventories = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_inventories)
    listed = []
    for file in (docs / "_inventories").iterdir():
        body = zlib.decompress(file.read_bytes().split(b"using zlib.\n", 1)[1])
        listed += [line.split()[0] for line in body.decode().splitlines()]
    assert sorted(listed) == make_inventories.names()


def test_every_public_name_is_in_the_reference():
    page = (ROOT / "docs/api.rst").read_text(encoding="utf-8")
    assert set(sk_softmax.__all__) <= set(re.findall(r"^   (\w+)$", page, re.M))


def test_every_module_has_a_line_in_contributing():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for path in (ROOT / "sk_softmax").iterdir():
        name = f"{path.name}/" if path.is_dir() else path.name
        if name.startswith("_") and "__" not in name:
            assert f"`{name}`" in page, name
