import http.server
import os
import urllib.request


def main():
    print("started", flush=True)  # first
    name = os.environ["POD_NAME"]
    with open("/data/hello.txt") as file:
        text = file.read().strip()
    with urllib.request.urlopen("http://orders.shop.svc.cluster.local/orders/42") as answer:  # order
        order = answer.read().decode().splitlines()[0]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            serve(self, name, text, order, self.path)

    http.server.HTTPServer.allow_reuse_address = True
    server = http.server.HTTPServer(("0.0.0.0", 8080), Handler)
    print(f"listening in {name}", flush=True)
    server.handle_request()


def serve(request, name, text, order, path):
    body = f"local python {path}\n".encode()  # request
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


main()
