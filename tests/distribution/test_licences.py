"""docs/reference/licences.md lists each package that the distribution installs, and each copyleft licence."""

import re
from importlib import metadata
from pathlib import Path

from django.test import SimpleTestCase
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "licences.md"
ROW = re.compile(r"^\| ([\w-]+) \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)


def listed():
    """Return the licence of each package by its canonical name, from the first table of the page."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8").partition("## Packages of an extra")[0])
    return {canonicalize_name(name): licence for name, licence in rows if name != "package"}


def installed_with(name, found):
    """Add the names of a package and of all packages that it requires without an extra."""
    if name in found:
        return
    found.add(name)
    for text in metadata.requires(name) or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            installed_with(canonicalize_name(requirement.name), found)


def declared_licence(name):
    """Return all that the metadata of a package states about its licence."""
    package = metadata.metadata(name)
    classifiers = [value for value in package.get_all("Classifier", []) if value.startswith("License")]
    return " ".join([package.get("License-Expression", ""), package.get("License", ""), *classifiers])


class Licences(SimpleTestCase):
    def setUp(self):
        packages = set()
        installed_with("django-student-module-store", packages)
        self.packages = packages - {"django-student-module-store"}

    def test_the_page_lists_each_installed_package(self):
        self.assertGreater(len(self.packages), 10)
        self.assertEqual(self.packages - listed().keys(), set())

    def test_the_page_names_each_copyleft_licence(self):
        copyleft = {name for name in self.packages if re.search(r"GPL|Affero", declared_licence(name))}
        self.assertIn("edx-opaque-keys", copyleft)
        self.assertEqual({name for name in self.packages if "GPL" in listed()[name]}, copyleft)
