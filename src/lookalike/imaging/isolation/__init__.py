"""Decoding in worker processes: what a broken or malicious file does to a decoder happens there.

`pool` has the workers, for any number of threads; `process` starts and ends them; `worker` is their program, and `work`
what it does. Each image has limits of memory and time. `Direct` does the same work in this process, without these.
"""
