"""The demo's program: knows nothing of pods, asks for what its service would ask for."""
import http.server, json, os, socket, sys, urllib.request


def ask(work):
    try:
        return work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def call(url):
    with urllib.request.urlopen(url, timeout=3) as answer:
        return answer.read().decode().splitlines()[0]


seen = {
    "environment": os.environ.get("DATABASE_URL", "DATABASE_URL is not set"),
    "file": ask(lambda: open("/data/hello.txt").readline().strip()),
    "name": ask(lambda: socket.gethostbyname("orders")),
    "call": ask(lambda: call("http://orders/")),
}
print(json.dumps(seen), flush=True)

if "serve" in sys.argv:

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = f"the local program, to {self.client_address[0]}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("0.0.0.0", 8080), Handler)
    print("listening", flush=True)
    server.handle_request()
