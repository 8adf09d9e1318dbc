"""The layout held: which package may import which, and what none of them may bring along."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "text2gesture_ros"
GROUND = "ground"  # the modules that stand in no package
CORE = {GROUND, "robots", "motion", "legibility", "understanding", "generation"}
ALLOWED = {
    GROUND: set(),
    "robots": {GROUND},
    "control": {GROUND, "robots"},
    "motion": {GROUND, "robots"},
    "legibility": {GROUND, "robots", "motion"},
    "understanding": {GROUND, "robots", "motion"},
    "generation": {GROUND, "robots", "motion", "understanding"},
    "retargeting": {GROUND, "robots", "motion", "control"},
    "ros": {*CORE, "control", "retargeting"},
    "training": CORE,
    "apps": {*CORE, "control", "retargeting", "ros", "training"},
}
RUNTIMES = {"onnxruntime", "tokenizers", "torch", "transformers"}
SOLVERS = {"daqp"}
# Third-party packages that importing every module of a package may not load. PyTorch modules are `*_network`.
FORBIDDEN = {
    GROUND: {*RUNTIMES, *SOLVERS, "ruckig", "rclpy"},
    "robots": {*RUNTIMES, *SOLVERS, "ruckig", "rclpy"},
    "control": {*RUNTIMES, *SOLVERS, "rclpy"},
    "motion": {*RUNTIMES, *SOLVERS, "ruckig", "rclpy"},
    "legibility": {*RUNTIMES, *SOLVERS, "ruckig", "rclpy"},
    "understanding": {"torch", "transformers", "rclpy", *SOLVERS, "ruckig"},
    "generation": {"torch", "transformers", "rclpy", *SOLVERS, "ruckig"},
    "retargeting": {*RUNTIMES, "rclpy"},
    "ros": {"torch", "transformers"},
    "training": {"rclpy", *SOLVERS, "ruckig"},
    "apps": {"torch", "transformers"},
}


def package_of(module: str) -> str:
    """Return the package of `text2gesture_ros.x.y`, given without the first part."""
    first = module.split(".")[0]
    return first if (PACKAGE / first).is_dir() else GROUND


@cache
def modules(package: str) -> tuple[str, ...]:
    """Return all modules of a package, without the name of ours."""
    found = (path.relative_to(PACKAGE).with_suffix("") for path in sorted(PACKAGE.rglob("*.py")))
    names = (".".join(parts.parts).removesuffix(".__init__") for parts in found)
    return tuple(name for name in names if name != "__init__" and package_of(name) == package)


def imports(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, wherever in it, without the name of ours."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE.name:
            inside = node.module.partition(".")[2]
            found |= {inside} if inside else {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] not in ("msg", "action", "__version__")}


def test_every_package_has_a_rule():
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()} == set(ALLOWED) - {
        GROUND
    }


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_only_what_lies_below_them(package):
    for module in modules(package):
        path = PACKAGE / Path(*module.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        strangers = {name for name in imports(file) if package_of(name) not in {package, *ALLOWED[package]}}
        assert not strangers, f"{module} imports {strangers}"


@pytest.mark.parametrize("package", FORBIDDEN)
def test_packages_load_no_run_time_that_is_not_theirs(package):
    names = [name for name in modules(package) if not name.endswith("_network")]
    program = "; ".join(f"import text2gesture_ros.{name}" for name in names)
    program += "; import sys; print(*{name.split('.')[0] for name in sys.modules})"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert not FORBIDDEN[package] & set(result.stdout.split())


def test_no_circles():
    graph = {
        module: imports(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
        for package in ALLOWED
        for module in modules(package)
        for path in [PACKAGE / Path(*module.split("."))]
    }
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way, module))
        if module not in done:
            for other in graph.get(module, ()):
                visit(other, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_no_room_is_too_large():
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        assert path.read_text().count("\n") <= 450, path
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                public = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"]
                assert len(public) <= 15, f"{path}: {node.name} has {len(public)} public methods"
                assert len(attributes(node)) <= 12, f"{path}: {node.name} has {attributes(node)}"


def attributes(node: ast.ClassDef) -> set[str]:
    """Return what a class keeps on `self`; the fields of a record (dataclass) are its table of contents."""
    return {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute)
        and isinstance(part.ctx, ast.Store)
        and isinstance(part.value, ast.Name)
        and part.value.id == "self"
    }
