"""Measures the store beside hand-written SQL, the ancestor's algorithm, a peer and a plain ``save()``.

Run it by ``python -m bench`` or ``make bench``; README.md explains the report. ``cases`` define the operations,
``contenders`` their implementations, ``timing`` the method, ``report`` and ``results`` the output.
"""
