# Reads a file and a variable that only the pod has, then answers requests until it is ended.
# `app.py once` ends after the reading.

import http.server
import os
import sys

with open("/data/hello.txt") as file:
    print("file", file.read().strip())
print("variable", os.environ.get("POD_NAME"), flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"local {os.getpid()} {self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if sys.argv[1:] != ["once"]:
    http.server.ThreadingHTTPServer.allow_reuse_address = True
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler)
    print("listening", flush=True)
    server.serve_forever()
