//! What a Rust program sees: run inside the pod and through us, it must print the same.
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::{env, fs, time::Duration};

fn show(path: &str) {
    match fs::symlink_metadata(path) {
        Ok(m) => println!("lstat {path}: {:o} {} {} {} {} {}", m.mode(), m.nlink(), m.uid(), m.gid(), m.size(), m.mtime()),
        Err(error) => return println!("lstat {path}: {error}"),
    }
    println!("link {path}: {:?}", fs::read_link(path).map_err(|e| e.kind()));
    println!("canonical {path}: {:?}", fs::canonicalize(path).map_err(|e| e.kind()));
    match fs::read_dir(path) {
        Ok(entries) => {
            let mut names: Vec<_> = entries.flatten().map(|e| (e.file_name(), e.file_type().unwrap().is_dir())).collect();
            names.sort();
            println!("list {path}: {names:?}");
        }
        Err(_) => println!("read {path}: {:?}", fs::read(path).map(|d| (d.len(), d.iter().map(|b| *b as u64).sum::<u64>())).map_err(|e| e.kind())),
    }
}

fn write(folder: &str) {
    let (a, b) = (format!("{folder}/rust-a"), format!("{folder}/rust-b"));
    println!("write {:?}", fs::write(&a, "from rust\n".repeat(1000)).map_err(|e| e.kind()));
    println!("copy {:?}", fs::copy(&a, &b).map_err(|e| e.kind()));
    println!("same {:?}", fs::read(&a).unwrap() == fs::read(&b).unwrap());
    println!("rename {:?}", fs::rename(&b, &a).map_err(|e| e.kind()));
    println!("remove {:?} exists {}", fs::remove_file(&a).map_err(|e| e.kind()), fs::exists(&a).unwrap());
}

fn tcp(to: &str) {
    let to = to.to_socket_addrs().unwrap().next().unwrap();
    match TcpStream::connect_timeout(&to, Duration::from_secs(3)) {
        Err(error) => println!("connect: {:?}", error.kind()),
        Ok(mut stream) => {
            println!("peer {} local {}", stream.peer_addr().unwrap(), stream.local_addr().unwrap().ip());
            stream.write_all(b"hello from rust").unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            println!("echo {answer}");
        }
    }
}

fn udp(to: &str) {
    let socket = UdpSocket::bind(if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" }).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    socket.send_to(b"hello from rust", to).unwrap();
    let mut buffer = [0; 100];
    println!("{:?}", socket.recv_from(&mut buffer).map(|(n, from)| (String::from_utf8_lossy(&buffer[..n]).into_owned(), from)).map_err(|e| e.kind()));
}

fn serve(port: &str, count: usize) {
    let listener = TcpListener::bind(format!("0.0.0.0:{port}")).unwrap();
    println!("listening on {}", listener.local_addr().unwrap().port());
    for _ in 0..count {
        let (mut stream, client) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let n = stream.read(&mut request).unwrap();
        let line = String::from_utf8_lossy(&request[..n]).lines().next().unwrap_or_default().to_owned();
        let body = format!("local rust: {line} from {}\n", client.ip());
        print!("request {body}");
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).unwrap();
    }
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    match args[0].as_str() {
        "env" => {
            let mut all: Vec<_> = env::vars_os().collect();
            all.sort();
            all.iter().for_each(|one| println!("env {one:?}"));
        }
        "files" => args[1..].iter().for_each(|path| show(path)),
        "write" => write(&args[1]),
        "dns" => {
            for host in &args[1..] {
                let mut found: Vec<_> = (host.as_str(), 80).to_socket_addrs().map(|all| all.map(|a| a.ip()).collect()).unwrap_or_default();
                found.sort();
                println!("resolve {host}: {found:?}");
            }
        }
        "tcp" => tcp(&format!("{}:{}", bracket(&args[1]), args[2])),
        "udp" => udp(&format!("{}:{}", bracket(&args[1]), args[2])),
        "serve" => serve(&args[1], args[2].parse().unwrap()),
        _ => std::process::exit(2),
    }
}

fn bracket(ip: &str) -> String {
    if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() }
}
