"""What a Python program sees: run inside the pod and through us, it must print the same."""
import errno, hashlib, http.server, mmap, os, socket, stat, subprocess, sys


def name(error):
    return errno.errorcode.get(error.errno, str(error.errno))


def env():
    for key in sorted(os.environb):
        print("env", key, os.environb[key])


def show(path):
    for what in (os.lstat, os.stat):
        try:
            s = what(path)
            print(what.__name__, path, oct(s.st_mode), s.st_nlink, s.st_uid, s.st_gid, s.st_size, s.st_mtime_ns)
        except OSError as error:
            print(what.__name__, path, name(error))
            return
    if os.path.islink(path):
        print("readlink", path, os.readlink(path), "realpath", os.path.realpath(path))
    if stat.S_ISDIR(s.st_mode):
        try:
            print("listdir", path, sorted(os.listdir(path)))
            print("scandir", path, sorted((e.name, e.is_dir(), e.is_symlink()) for e in os.scandir(path)))
            print("walk", path, sum(len(files) for _, _, files in os.walk(path)))
        except OSError as error:
            print("list", path, name(error))
    elif stat.S_ISREG(s.st_mode):
        try:
            with open(path, "rb") as file:
                data = file.read()
                print("read", path, len(data), hashlib.sha256(data).hexdigest())
                if data:
                    with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
                        print("mmap", path, hashlib.sha256(view[:]).hexdigest())
                    file.seek(-1, os.SEEK_END)
                    print("last", path, file.read())
        except OSError as error:
            print("open", path, name(error))


def write(folder):
    path = os.path.join(folder, "python-written")
    with open(path, "w") as file:
        file.write("from python\n" * 1000)
    print("size", os.path.getsize(path))
    with open(path, "a") as file:
        file.write("more\n")
    with open(path) as file:
        print("lines", len(file.readlines()))
    os.makedirs(os.path.join(folder, "a/b/c"))
    os.replace(path, os.path.join(folder, "a/b/c/moved"))
    print("tree", [(d[len(folder):], sorted(f)) for d, _, f in sorted(os.walk(os.path.join(folder, "a")))])
    import shutil
    shutil.copy(os.path.join(folder, "a/b/c/moved"), os.path.join(folder, "copy"))
    print("copy", hashlib.sha256(open(os.path.join(folder, "copy"), "rb").read()).hexdigest())
    shutil.rmtree(os.path.join(folder, "a"))
    os.unlink(os.path.join(folder, "copy"))
    print("left", os.path.exists(os.path.join(folder, "a")))


def dns(host):
    try:
        print("getaddrinfo", host, sorted({row[4][0] for row in socket.getaddrinfo(host, 80)}))
    except socket.gaierror as error:
        print("getaddrinfo", host, "error", error.errno)


def tcp(ip, port):
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family) as s:
        s.settimeout(3)
        try:
            s.connect((ip, int(port)))
        except OSError as error:
            print("connect", "timed out" if isinstance(error, TimeoutError) else name(error))
            return
        print("peer", s.getpeername()[:2], "local", s.getsockname()[0])
        s.sendall(b"hello from python")
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := s.recv(4096):
            answer += chunk
        print("echo", answer)


def udp(ip, port):
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        s.sendto(b"unconnected", (ip, int(port)))
        data, peer = s.recvfrom(100)
        print("recvfrom", data, peer[:2])
        s.connect((ip, int(port)))
        s.send(b"connected")
        print("recv", s.recv(100), s.getpeername()[:2])


def messages(ip, port):
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        print("sendmsg", s.sendmsg([b"two ", b"parts"], [], 0, (ip, int(port))))
        data, control, flags, peer = s.recvmsg(6)
        print("recvmsg", data, control, flags, peer[:2])
        s.connect((ip, int(port)))
        print("sendmsg", s.sendmsg([b"connected"]))
        data, control, flags, peer = s.recvmsg(100)
        print("recvmsg", data, control, flags, peer[:2])
        print("named too", s.sendmsg([b"again"], [], 0, (ip, int(port))), s.recv(100))
    # Descriptors between processes are nobody else's business.
    ours, theirs = socket.socketpair()
    with ours, theirs, open("/proc/self/status", "rb") as file:
        socket.send_fds(ours, [b"a descriptor"], [file.fileno()])
        data, fds, flags, _ = socket.recv_fds(theirs, 100, 4)
        print("recv_fds", data, len(fds), os.read(fds[0], 5), flags)


def serve(port, count):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = f"local python: {self.path} from {self.client_address[0]}\n".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            print("request", self.path, "from", self.client_address[0], flush=True)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("0.0.0.0", int(port)), Handler)
    print("listening on", server.server_address[1], flush=True)
    for _ in range(int(count)):
        server.handle_request()


command, *arguments = sys.argv[1:]
if command == "env":
    env()
elif command == "files":
    for argument in arguments:
        show(argument)
elif command == "child":
    print(subprocess.run(["cat", *arguments], capture_output=True, text=True))
else:
    {"write": write, "dns": lambda *names: [dns(n) for n in names], "tcp": tcp, "udp": udp, "messages": messages, "serve": serve}[command](*arguments)
