"""Decoding in worker processes, so that a broken or malicious file can only harm a worker.

`pool` shares the workers among threads; `process` starts and ends them; `worker` is their program and `work` its tasks.
Each image has limits on memory and time. `Direct` does the same work in this process, without these limits.
"""
