"""Tests beside the software that a project runs with: replicas, connection pools, web servers and task queues."""
