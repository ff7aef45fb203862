"""Exports a learner's history of a block as a ZIP file: a page to print, the exact versions, the state, a manifest.

Imports reading, comparison, export and answers. Read coverage, page, then archive.
"""
