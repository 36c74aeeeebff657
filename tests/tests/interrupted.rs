//! A blocking `connect` that a signal interrupts: the program is told EINTR and the connect goes
//! on (connect(2)). The same program runs in the pod and through us, and prints the same.

use mirrord_sandbox::Place;
use mirrord_tests::pod::Pod;
use mirrord_tests::{programs, run};

/// Runs in the pod. Makes listeners that do not take connections for a while: their queue is full,
/// and opens or is closed after the delay that the client asks for.
const SLOW: &str = r#"
import socket, threading, time
HERE = '10.77.1.2'
door = socket.create_server((HERE, 7000))
def serve(client):
    lines = client.makefile('rw')
    what, delay = lines.readline().split()
    listener = socket.create_server((HERE, 0), backlog=0)
    filler = socket.create_connection(listener.getsockname())
    lines.write(f'{listener.getsockname()[1]}\n'); lines.flush()
    time.sleep(float(delay))
    if what == 'refuse':
        return listener.close()
    listener.accept()
    accepted, _ = listener.accept()
    accepted.sendall(b'hello')
    accepted.recv(1)
print('ready', flush=True)
while True:
    threading.Thread(target=serve, args=(door.accept()[0],), daemon=True).start()
"#;

/// Connects to such a listener with a timer running, by the C library: Python itself would go on.
const PROGRAM: &str = r#"
import ctypes, errno, select, signal, socket, struct, time
libc = ctypes.CDLL(None, use_errno=True)
signal.signal(signal.SIGALRM, lambda *a: None)
def slow(what, delay):
    door = socket.create_connection(('10.77.1.2', 7000))
    door.sendall(f'{what} {delay}\n'.encode())
    return int(door.makefile().readline())
def connect(s, port):
    a = struct.pack('=H', socket.AF_INET) + struct.pack('>H', port) + socket.inet_aton('10.77.1.2') + bytes(8)
    return 0 if libc.connect(s.fileno(), a, 16) == 0 else errno.errorcode[ctypes.get_errno()]
def interrupted(port, restart):
    signal.siginterrupt(signal.SIGALRM, not restart)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    s = socket.socket()
    return s, connect(s, port)
def shows(s, within):
    # A failed connect always has POLLERR. Which of POLLOUT and POLLHUP stand beside it depends on
    # the moment when poll looks: ours is broken off and refused, two steps, and poll may see both.
    p = select.poll(); p.register(s, select.POLLOUT)
    return ['failed' if events & select.POLLERR else events for _, events in p.poll(within * 1000)]
def error(s):
    return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

port = slow('open', 3.5)
s, result = interrupted(port, False)
print('polled', result, shows(s, 0.1))
s.setblocking(False); print(connect(s, port)); s.setblocking(True)
time.sleep(2.3)  # longer than anybody waits for the call to come again
print(shows(s, 0), shows(s, 20), error(s), s.getpeername() == ('10.77.1.2', port))
print(s.recv(5), connect(s, port), connect(s, port))

port = slow('refuse', 2)
s, result = interrupted(port, False)
print('refused', result, shows(s, 0.1), shows(s, 20), error(s), error(s))

port = slow('refuse', 2)
s, result = interrupted(port, False)
print('at once again', result, connect(s, port))
port = slow('open', 2)
s, result = interrupted(port, False)
print('at once again', result, connect(s, port), s.recv(5))

port = slow('refuse', 4)
s, result = interrupted(port, False)
time.sleep(2.5)
print('again later', result, connect(s, port))

port = slow('open', 2)
s, result = interrupted(port, True)
print('restarted', result, s.recv(5), connect(s, port))
"#;

#[test]
fn an_interrupted_connect_goes_on_in_the_background() {
    let pod = Pod::up("interrupted-connect");
    let mut server = pod.sandbox.command(Place::Pod, programs::PYTHON);
    let (_server, _) = run::Running::start(server.args(["-c", SLOW]), "ready");
    let mut inside = pod.sandbox.command(Place::Pod, programs::PYTHON);
    let inside = run::finish(inside.args(["-c", PROGRAM]));
    assert!(inside.stdout.contains("polled EINTR []"), "{inside:?}");
    let command = [programs::PYTHON, "-c", PROGRAM];
    let through_us = run::finish(&mut run::exec(&pod, &[], &command));
    assert_eq!(through_us.stdout, inside.stdout, "{through_us:?}");
}
