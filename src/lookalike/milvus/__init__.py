"""Databases in Milvus, a distributed engine: the same commands when one machine is not enough."""
