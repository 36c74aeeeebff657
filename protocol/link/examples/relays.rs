//! Two relays with a link between them, to measure the link alone: `relays FROM-PORT TO-PORT`
//! listens on 127.0.0.1:FROM-PORT, and what calls there comes out of a second process that
//! connects to 127.0.0.1:TO-PORT. Any TCP benchmark can be pointed at it, and compared with two
//! plain relays in the same places. With the environment variable `AGENT` set to the path of
//! `mirrord-agent`, that is the second process.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Command, Stdio},
};

use mirrord_link::{
    AgentIdentity, Endpoint, SessionIdentity, Side, accept, dial, relay, write_frame,
};
use mirrord_protocol::{
    hello::Purpose,
    streams::{StreamHeader, StreamReply},
};
use tokio::net::{TcpListener, TcpStream};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["agent", public] => runtime.block_on(agent(public)),
        [from, to] => runtime.block_on(session(from.parse()?, to.parse()?)),
        _ => Err("usage: relays FROM-PORT TO-PORT".into()),
    }
}

async fn agent(public: &str) -> Result {
    let identity = AgentIdentity::new(public, "example")?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!(
        "example 0 fingerprint {} listening tcp:{address}",
        identity.fingerprint()
    );
    let (io, _) = listener.accept().await?;
    let (_, socket) = accept(io, &identity).await?;
    let (_streams, mut incoming) = socket.into_streams(Side::Agent);
    while let Some((header, mut stream)) = incoming.next().await {
        let StreamHeader::ConnectTcp { to } = header else {
            continue;
        };
        tokio::spawn(async move {
            let tcp = TcpStream::connect(to).await?;
            tcp.set_nodelay(true)?;
            let reply = StreamReply::Connected {
                local: None,
                peer: None,
            };
            write_frame(&mut stream, &reply).await?;
            relay(tcp, stream).await
        });
    }
    Ok(())
}

async fn session(from: u16, to: u16) -> Result {
    let key = SessionIdentity::new_key()?;
    let public = SessionIdentity::public_hex(&key);
    let mut command = match std::env::var_os("AGENT") {
        None => {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["agent", &public]);
            command
        }
        Some(agent) => {
            let mut command = Command::new(agent);
            let pid = std::process::id().to_string();
            command.args(["--listen", "tcp:127.0.0.1:0", "--session-key", &public]);
            command.args(["--target-pid", &pid]);
            command
        }
    };
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let output = child.stdout.take().ok_or("no output of the agent")?;
    BufReader::new(output).read_line(&mut line)?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, _, _, fingerprint, _, endpoint] = words[..] else {
        return Err("not an agent's line".into());
    };
    let endpoint: Endpoint = endpoint.parse()?;
    let identity = SessionIdentity {
        session: "example".into(),
        key,
        agent: fingerprint.parse()?,
    };
    let (_, socket) = dial(&endpoint, &identity, Purpose::Streams).await?;
    let (streams, _incoming) = socket.into_streams(Side::Session);
    let listener = TcpListener::bind(("127.0.0.1", from)).await?;
    let to = SocketAddr::from(([127, 0, 0, 1], to));
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let streams = streams.clone();
        tokio::spawn(async move {
            let (reply, stream) = streams
                .open_with_reply(&StreamHeader::ConnectTcp { to })
                .await?;
            match reply {
                StreamReply::Connected { .. } => relay(tcp, stream).await,
                StreamReply::Failed(error) => Err(std::io::Error::other(error)),
            }
        });
    }
}
