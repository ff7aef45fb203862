"""Everything setuptools knows about the distribution; pyproject.toml holds only tool settings."""

from pathlib import Path

from setuptools import find_packages, setup

POSTGRES = ["psycopg2-binary>=2.9"]
MYSQL = ["mysqlclient>=2.2"]
TESTING = ["factory_boy>=3.3"]

setup(
    name="django-student-module-store",
    version="0.1.0",
    description="Keeps each learner's XBlock state, and every version of it, in two databases.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["kvstore", "kvstore.*", "history", "history.*"]),
    py_modules=["routers"],
    package_data={
        "kvstore": ["py.typed", "templates/**/*.html", "static/**/*.css"],
        "history": ["py.typed", "templates/**/*.html", "static/**/*.css"],
    },
    python_requires=">=3.11",
    install_requires=["Django>=5.2", "XBlock>=6.0", "edx-opaque-keys>=4.0"],
    extras_require={
        "postgres": POSTGRES,
        "postgres-pool": ["psycopg[binary,pool]>=3.2"],
        "mysql": MYSQL,
        "testing": TESTING,
        "dev": [
            *POSTGRES,
            *TESTING,
            "django-environ>=0.12",
            "coverage[toml]>=7.6",
            "ruff>=0.9",
            "mypy>=1.15",
            "django-stubs>=5.2",
            "build>=1.2",
            "setuptools>=77",
            "wheel",
            "hypothesis>=6.100",
            "tqdm>=4.66",
            "edx-user-state-client>=1.3.2",
            "pytz",
            "acid-xblock>=0.4.1",
            "xblock-poll>=1.16",
            "django-simple-history>=3.8",
            "selenium>=4.30",
            "selenium-axe-python>=2.2",
        ],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: Django",
        "Framework :: Django :: 5.2",
        "Intended Audience :: Education",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Typing :: Typed",
    ],
)
