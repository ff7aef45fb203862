"""The stored fields of one learner that one request has loaded.

Imports ``kvstore.client``, ``kvstore.storage`` and the modules below them; read ``field_data_cache``, ``base``,
``user_state``, ``field_row_caches``, then ``blocks``.
"""
