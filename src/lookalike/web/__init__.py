"""The page and the HTTP API over one open database; needs the extra `serve`.

api    endpoints, requests and responses
http   application, security, timeouts, and running it with uvicorn
state  shared by requests: the open database, background jobs, thumbnails, decoding processes
"""
