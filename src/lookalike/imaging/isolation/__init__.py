"""Decoding in worker processes: what a broken or malicious file does to a decoder happens there.

`pool` serves threads (the command line, `Database.index`), `asynchronous` the server. Both start the same program
(`worker`), speak the same protocol (`protocol`), and set limits on memory and time for each image. `direct` does the
same work in this process, without these limits.
"""
