"""The management commands of history, with the options, the look-ups and the output that they share.

Imports every other package of history; read in this order: arguments, batches, lookups, output, commands.
"""
