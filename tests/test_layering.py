"""Who may import whom: history knows kvstore, nobody knows the demo, and no two modules import each other."""

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from django.test import SimpleTestCase

CHECKOUT = Path(__file__).resolve().parent.parent
SHIPPED = ("kvstore", "history", "routers")
OURS = (*SHIPPED, "demo", "config", "tests", "bench")


def modules(package):
    """Return the files of a package, or of a single module, by dotted name."""
    files = [CHECKOUT / f"{package}.py", *(CHECKOUT / package).rglob("*.py")]
    names = {}
    for file in filter(Path.is_file, files):
        parts = file.relative_to(CHECKOUT).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return names


def imported(name, file, nodes):
    """Yield what import statements among ``nodes`` name: modules, or what is taken out of modules."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def everywhere(file):
    return ast.walk(ast.parse(file.read_text(encoding="utf-8")))


def on_import(tree):
    """Yield the statements that run when a module is imported, those for type checkers left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            continue
        yield node
        yield from on_import(node)


def strings(file):
    """Yield the string constants that look like a dotted path of ours, as INSTALLED_APPS and import_string take."""
    for node in everywhere(file):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isprintable():
            head, dot, _ = node.value.partition(".")
            if dot and " " not in node.value and head in OURS:
                yield node.value


class Layering(SimpleTestCase):
    def assert_imports_none_of(self, package, forbidden):
        found = modules(package)
        self.assertTrue(found, package)
        for name, file in found.items():
            used = {target.partition(".")[0] for target in imported(name, file, everywhere(file))}
            with self.subTest(module=name):
                self.assertEqual(used.intersection(forbidden), set())

    def test_the_shipped_packages_import_downwards_only(self):
        self.assert_imports_none_of("kvstore", {*OURS} - {"kvstore"})
        self.assert_imports_none_of("history", {*OURS} - {"history", "kvstore"})
        self.assert_imports_none_of("routers", {*OURS} - {"routers", "history", "kvstore"})

    def test_kvstore_does_not_name_a_module_of_history_in_a_string_either(self):
        for name, file in modules("kvstore").items():
            dotted = [text for text in strings(file) if not text.startswith("kvstore.")]
            with self.subTest(module=name):
                self.assertEqual(dotted, [])

    def test_the_demo_is_imported_by_the_project_s_configuration_alone(self):
        for package in SHIPPED:
            self.assert_imports_none_of(package, {"demo", "config", "tests"})
        # The benchmark opens databases as the project does.
        self.assert_imports_none_of("bench", {"demo", "tests"})
        for name, file in modules("tests").items():
            if not name.startswith("tests.demo"):
                used = {target.partition(".")[0] for target in imported(name, file, everywhere(file))}
                with self.subTest(module=name):
                    self.assertNotIn("demo", used)

    def test_the_shipped_packages_import_what_the_wheel_requires_and_no_more(self):
        allowed = {"django", "xblock", "opaque_keys", "asgiref", "factory"}
        for package in SHIPPED:
            for name, file in modules(package).items():
                used = {target.partition(".")[0] for target in imported(name, file, everywhere(file))}
                outside = {top for top in used if top not in OURS and top not in sys.stdlib_module_names}
                expected = allowed if name == "kvstore.testing" else allowed - {"factory"}
                with self.subTest(module=name):
                    self.assertLessEqual(outside, expected)

    def test_no_module_imports_itself_by_way_of_others(self):
        for package in ("kvstore", "history"):
            files = modules(package)
            graph = {}
            for name, file in files.items():
                targets = imported(name, file, on_import(ast.parse(file.read_text(encoding="utf-8"))))
                # ``from package import name`` may name a module or what a module holds.
                found = {target if target in files else target.rpartition(".")[0] for target in targets}
                graph[name] = found.intersection(files)
            with self.subTest(package=package):
                try:
                    TopologicalSorter(graph).prepare()
                except CycleError as cycle:
                    self.fail(" -> ".join(cycle.args[1]))
