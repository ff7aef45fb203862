"""The code blocks of the documents run, their links lead somewhere, and the site builds.

Blocks run in the order of the page, in a project outside the checkout that ``startproject`` created. The ``python``
blocks of a page share one namespace (see ``session.py``); ``sh`` blocks run with ``bash -e`` in the folder of the
project. ``json``, ``yaml``, ``toml`` and ``ini`` blocks are parsed. A comment on the line before a block changes this:

    <!-- not run: REASON -->             the block does not run
    <!-- run by: tests/FILE.py -->       this other test runs the block
    <!-- run on: postgresql -->          in the history database of a project on this database; ``mysql`` is MariaDB
    <!-- run on: postgresql, default --> the same, and an SQL block uses the database of the state
    <!-- file: PATH -->                  the block is written to this file of the project
    <!-- append to: PATH -->             the block is added to the end of this file
    <!-- output -->                      the previous block printed these lines; ``...`` stands for any text
    <!-- run in the background -->       the command runs until the end of the page

One page runs with ``manage.py test tests.documentation -k howto_testing``. ``python -m tests.documentation`` prints the
number of blocks of each page.
"""
