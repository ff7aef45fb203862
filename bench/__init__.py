"""Measures the store beside hand-written SQL, the ancestor's algorithm, a peer and a plain ``save()``.

Run it by ``python -m bench`` or ``make bench``; README.md says how to read it. ``cases`` say what is measured,
``contenders`` who does it, ``timing`` how, ``report`` and ``results`` what became of it.
"""
