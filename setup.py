"""The metadata of the distribution. pyproject.toml contains only the settings of tools."""

import re
from pathlib import Path

from setuptools import find_packages, setup

VERSION = "0.1.0"
REPOSITORY = "https://github.com/django-student-module-store/django-student-module-store"
ADDRESSES = {
    "": f"{REPOSITORY}/blob/v{VERSION}/",
    "!": f"{REPOSITORY}/raw/v{VERSION}/",
}
"""where the index page finds the files of this release: documents, and images"""

POSTGRES = ["psycopg2-binary>=2.9"]
MYSQL = ["mysqlclient>=2.2"]
TESTING = ["factory_boy>=3.3"]
DEMO = [
    "django-environ>=0.12",
    "tqdm>=4.66",
    # xblock.django.request imports it. XBlock[django] would also install packages for file storage.
    "lazy>=1.6",
]
DOCS = ["Sphinx>=9.0", "myst-parser>=5.0", "furo>=2025.12"]
RELEASE = [
    "build>=1.2",
    "check-manifest>=0.50",
    "check-wheel-contents>=0.6",
    "pyroma>=4.2",
    "twine>=6.1",
]


def long_description() -> str:
    """Return README.md with absolute links, because the index page does not contain the linked files."""
    text = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    relative = re.compile(r"(!?)(\[[^\]]*\])\((?!\w+:|#)([^)\s]+)\)")
    return relative.sub(lambda link: f"{link[1]}{link[2]}({ADDRESSES[link[1]]}{link[3]})", text)


setup(
    name="django-student-module-store",
    version=VERSION,
    description="Stores learners' XBlock state in Django, with a complete version history in a second database.",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    author="The django-student-module-store project",
    url=REPOSITORY,
    project_urls={
        "Documentation": f"{REPOSITORY}/tree/v{VERSION}/docs",
        "Changes": f"{REPOSITORY}/blob/v{VERSION}/CHANGELOG.md",
        "Source": REPOSITORY,
        "Issues": f"{REPOSITORY}/issues",
        "Security": f"{REPOSITORY}/security/policy",
    },
    keywords=["django", "xblock", "open edx", "learner state", "history", "audit", "versioning", "StudentModule"],
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=["kvstore", "kvstore.*", "history", "history.*"]),
    py_modules=["routers"],
    package_data={
        "kvstore": ["py.typed", "templates/**/*.html", "static/**/*.css"],
        "history": ["py.typed", "templates/**/*.html", "static/**/*.css"],
    },
    include_package_data=False,
    zip_safe=False,
    python_requires=">=3.11",
    install_requires=["Django>=5.2", "XBlock>=6.0", "edx-opaque-keys>=4.0"],
    extras_require={
        "postgres": POSTGRES,
        "postgres-pool": ["psycopg[binary,pool]>=3.2"],
        "mysql": MYSQL,
        "testing": TESTING,
        "demo": DEMO,
        "release": RELEASE,
        "docs": DOCS,
        "dev": [
            *POSTGRES,
            *TESTING,
            *DEMO,
            "coverage[toml]>=7.6",
            "ruff>=0.9",
            "mypy>=1.15",
            "django-stubs>=5.2",
            "build>=1.2",
            "setuptools>=77",
            "wheel",
            "hypothesis>=6.100",
            "edx-user-state-client>=1.3.2",
            "packaging",
            "pytz",
            "acid-xblock>=0.4.1",
            "xblock-poll>=1.16",
            "django-simple-history>=3.8",
            "selenium>=4.30",
            "selenium-axe-python>=2.2",
            "nox>=2025.2",
            "django-unfold>=0.91",
            "django-grappelli>=5.0",
            "django-jazzmin>=3.0.5",
            "prometheus-client>=0.21",
            *DOCS,
        ],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Web Environment",
        "Framework :: Django",
        "Framework :: Django :: 5.2",
        "Framework :: Django :: 6.0",
        "Framework :: Django :: 6.1",
        "Intended Audience :: Developers",
        "Intended Audience :: Education",
        "Operating System :: OS Independent",
        "Programming Language :: Python",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Database",
        "Topic :: Education",
        "Topic :: Education :: Computer Aided Instruction (CAI)",
        "Typing :: Typed",
    ],
)
