//! Datagrams that nobody takes in the pod: a connected socket hears of it (udp(7)).

use mirrord_sandbox::Place;
use mirrord_tests::pod::Pod;
use mirrord_tests::{programs, run};

/// Nobody is at this port of the pod. Once somebody waits, once somebody comes later, over IPv4,
/// IPv6 and an IPv6 socket that calls an IPv4 address.
const PROGRAM: &str = r#"
import errno, socket, time
for family, host in [(socket.AF_INET, '10.77.1.2'), (socket.AF_INET6, 'fd77:1::2'), (socket.AF_INET6, '::ffff:10.77.1.2')]:
    s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(20); s.connect((host, 9))
    def call(what):
        try:
            return what()
        except OSError as error:
            return errno.errorcode.get(error.errno, str(error))
    print(s.send(b'one'), call(lambda: s.recv(10)))
    print(s.send(b'two')); time.sleep(0.5)
    print(call(lambda: s.send(b'three')), call(lambda: s.getpeername()[:2]))
"#;

#[test]
fn a_refused_datagram_is_the_next_calls_error() {
    let pod = Pod::up("refused-datagram");
    let mut inside = pod.sandbox.command(Place::Pod, programs::PYTHON);
    let inside = run::finish(inside.args(["-c", PROGRAM]));
    assert!(inside.stdout.contains("3 ECONNREFUSED"), "{inside:?}");
    let command = [programs::PYTHON, "-c", PROGRAM];
    let through_us = run::finish(&mut run::exec(&pod, &[], &command));
    assert_eq!(through_us.stdout, inside.stdout, "{through_us:?}");
}
