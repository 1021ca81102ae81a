"""The page and the HTTP API over one open database; needs the extra `serve`.

api    endpoints, requests and answers
http   application, security, timeouts, and running all of it by uvicorn
state  what is kept between requests: the open database, background work, thumbnails, decoding processes
"""
