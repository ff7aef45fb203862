"""Compares the state with its history and with seals, and repairs what the present rows prove.

Imports reading, recording and export, but never recovery; read in this order: summaries, row_check, repair, verify,
then seals, seal_files, seal_check.
"""
