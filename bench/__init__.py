"""Compares the store with hand-written SQL, the ancestor's algorithm, django-simple-history and a plain ``save()``.

Run ``python -m bench`` or ``make bench``; README.md explains the report. ``cases`` define the operations,
``contenders`` their implementations, ``timing`` the method, ``report`` and ``results`` the output.
"""
