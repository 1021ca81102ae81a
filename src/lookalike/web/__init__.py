"""The page and the HTTP API over one open database; needs the extra `serve`.

settings     what a server allows
security     who may ask, from where, and what every answer carries
uploads      decoding in worker processes (imaging.isolation), with limits
collection   the open database: searched by one thread, opened anew when it is replaced
jobs         work that takes longer than a request, done once and kept
connections  how long they wait, and how many there are
app          all of it as one application; serving runs it
"""
