"""The layers of the shipped packages. Every import goes to a lower layer; no two modules import each other."""

import ast
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from django.test import SimpleTestCase

CHECKOUT = Path(__file__).resolve().parent.parent
SHIPPED = ("kvstore", "history", "routers")
OURS = (*SHIPPED, "demo", "config", "tests", "bench")

# Lowest first. Modules and packages of one layer do not import each other.
LAYERS = {
    "kvstore": (
        "conf exceptions signals",
        "keys",
        "versioning staff",
        "fields querysets",
        "models",
        "storage",
        "client scores admin",
        "cache",
        "store",
        "api apps checks testing migrations templatetags",
    ),
    "history": (
        "conf exceptions",
        "querysets",
        "models",
        "answers export database",
        "recording reading comparison",
        "verification recovery restore incident evidence monitoring",
        "api apps checks admin management middleware tasks testing migrations templatetags urls",
    ),
}
# For projects and for Django: no other module of the package imports them.
ENTRY_POINTS = ("admin", "api", "apps", "checks", "management", "middleware", "tasks", "testing", "migrations")
ENTRY_POINTS += ("templatetags", "urls")
# Imports inside functions that go against the layers, each with its reason.
EXCEPTED = {
    ("kvstore.apps", "kvstore.checks"): "Django calls ready() to register checks.",
    ("history.apps", "history.checks"): "Django calls ready() to register checks.",
}
MOST_MODULES = 16
"""in one directory"""


def modules(package):
    """Return the files of a package, or of a single module, by dotted name."""
    files = [CHECKOUT / f"{package}.py", *(CHECKOUT / package).rglob("*.py")]
    names = {}
    for file in filter(Path.is_file, files):
        parts = file.relative_to(CHECKOUT).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return names


def imported(name, file, nodes):
    """Yield the names in import statements among ``nodes``: modules, or attributes of modules."""
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


def graph(package):
    """Return the modules that each module of a package imports, with the imports for type checkers."""
    files = modules(package)
    found = {}
    for name, file in files.items():
        # ``from package import name`` may name a module or an attribute of a module.
        targets = {
            target if target in files else target.rpartition(".")[0]
            for target in imported(name, file, everywhere(file))
        }
        found[name] = targets.intersection(files) - {target for importer, target in EXCEPTED if importer == name}
    return found


def inside_functions(file):
    """Yield the import statements that run when a function is called."""
    for node in everywhere(file):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from ast.walk(node)


def part(name):
    """Return the module or package directly below the top package: ``cache`` of ``kvstore.cache.blocks``."""
    return name.partition(".")[2].partition(".")[0]


def packages(top):
    return [file for file in (CHECKOUT / top).rglob("__init__.py") if file.parent.name != "migrations"]


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

    def test_the_shipped_packages_import_the_requirements_of_the_wheel_alone(self):
        allowed = {"django", "xblock", "opaque_keys", "asgiref", "factory"}
        for package in SHIPPED:
            for name, file in modules(package).items():
                used = {target.partition(".")[0] for target in imported(name, file, everywhere(file))}
                outside = {top for top in used if top not in OURS and top not in sys.stdlib_module_names}
                expected = allowed if name == "kvstore.testing" else allowed - {"factory"}
                with self.subTest(module=name):
                    self.assertLessEqual(outside, expected)

    def test_every_import_goes_to_a_lower_layer(self):
        for package, layers in LAYERS.items():
            height = {name: level for level, names in enumerate(layers) for name in names.split()}
            self.assertLessEqual({part(name) for name in modules(package)} - {""}, height.keys())
            for name, targets in graph(package).items():
                others = {part(target): target for target in targets if part(target) not in (part(name), "")}
                for other, target in others.items():
                    with self.subTest(module=name, imports=target):
                        self.assertLess(height[other], height[part(name)])
                        self.assertNotIn(other, ENTRY_POINTS)

    def test_no_modules_import_each_other(self):
        for package in LAYERS:
            with self.subTest(package=package):
                try:
                    TopologicalSorter(graph(package)).prepare()
                except CycleError as cycle:
                    self.fail(" -> ".join(cycle.args[1][::-1]))

    def test_an_excepted_import_exists_and_is_inside_a_function(self):
        for importer, target in EXCEPTED:
            file = modules(importer.partition(".")[0])[importer]
            inside = list(imported(importer, file, inside_functions(file)))
            with self.subTest(module=importer, imports=target):
                self.assertTrue([name for name in inside if f"{name}.".startswith(f"{target}.")])

    def test_the_init_of_a_package_has_a_docstring_and_imports_nothing(self):
        for top in ("kvstore", "history", "tests"):
            for file in packages(top):
                with self.subTest(file=str(file.relative_to(CHECKOUT))):
                    self.assertTrue(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))))
                    # An app's admin package registers its classes when Django imports it.
                    if file.parent.parent.parent != CHECKOUT or file.parent.name != "admin":
                        self.assertEqual(list(imported("", file, everywhere(file))), [])

    def test_no_directory_has_too_many_modules(self):
        for top in ("kvstore", "history", "tests"):
            sizes = Counter(file.parent.relative_to(CHECKOUT) for file in (CHECKOUT / top).rglob("*.py"))
            self.assertEqual({str(path): size for path, size in sizes.items() if size > MOST_MODULES}, {})
