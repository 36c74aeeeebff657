//! The stage of the bench: a sandbox, the servers in it, the bare chain, and running the bench
//! program in three ways.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use mirrord_sandbox::{Place, Sandbox, SandboxSpec, Sandboxes};

use crate::command::{root, run};
use crate::{build, prerequisites};

/// The pod as the developer's machine reaches it.
const POD: &str = "10.77.1.2";
/// The pod as the service reaches it.
pub const POD_FROM_SERVICE: &str = "10.77.2.1";
/// The service that only the pod reaches.
pub const SERVICE: &str = "10.77.2.2";
/// The bench's own servers there.
pub const STREAM_PORT: u16 = 9000;
/// HTTP.
pub const HTTP_PORT: u16 = 9001;
/// UDP.
pub const UDP_PORT: u16 = 9002;
/// A server that speaks first.
pub const FIRST_PORT: u16 = 9005;
/// The port in the pod that is stolen.
pub const STOLEN_PORT: u16 = 9003;
/// What is put before these for the bare chain's port on each side.
const BARE: u16 = 10_000;
/// Where agents listen in the pod; each run takes the next.
const AGENT_PORTS: u16 = 20_000;

/// Everything that stands while the bench runs.
pub struct Stage {
    /// The pod and its neighbours.
    pub sandbox: Sandbox,
    /// The bench program.
    pub bench: PathBuf,
    sandboxes: Sandboxes,
    product: PathBuf,
    folder: tempfile::TempDir,
    servers: Vec<Child>,
    next_port: std::cell::Cell<u16>,
}

/// How far away the pod is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// One veth.
    Near,
    /// A wire that delays by 10 ms each way.
    Far,
}

impl Stage {
    /// Builds and starts everything.
    pub fn set() -> Result<Stage> {
        prerequisites::say_what_is_missing(prerequisites::BUILD)?;
        let product = build::product(build::Profile::Release)?;
        let folder = tempfile::Builder::new()
            .prefix("mirrord-bench-")
            .tempdir()?;
        for name in ["bench", "relay", "delay"] {
            run(Command::new("cc")
                .args(["-O2", "-pthread", "-o"])
                .arg(folder.path().join(name))
                .arg(root().join(format!("xtask/bench/{name}.c"))))?;
        }
        let sandboxes = Sandboxes::new(
            folder.path().join("sandboxes"),
            product.join("mirrord-server"),
        );
        let sandbox = sandboxes.up(&SandboxSpec::new("bench").bind(folder.path()))?;
        let bench = folder.path().join("bench");
        let mut stage = Stage {
            sandbox,
            bench,
            sandboxes,
            product,
            folder,
            servers: Vec::new(),
            next_port: std::cell::Cell::new(AGENT_PORTS),
        };
        stage.fill_the_pod()?;
        stage.start_servers()?;
        Ok(stage)
    }

    fn fill_the_pod(&self) -> Result<()> {
        let pod = PathBuf::from(format!(
            "/proc/{}/root/data/bench",
            self.sandbox.target_pid()
        ));
        std::fs::create_dir_all(pod.join("hundred"))?;
        std::fs::write(pod.join("small"), vec![b'x'; 4096])?;
        std::fs::write(pod.join("one-mib"), vec![b'x'; 1 << 20])?;
        for index in 0..100 {
            std::fs::write(pod.join(format!("hundred/file-{index:03}")), "")?;
        }
        Ok(())
    }

    /// A file of 100 MiB that nobody has read yet through us.
    pub fn new_large_file(&self, name: &str) -> Result<String> {
        let pod = PathBuf::from(format!(
            "/proc/{}/root/data/bench",
            self.sandbox.target_pid()
        ));
        std::fs::write(pod.join(name), vec![b'x'; 100 << 20])?;
        Ok(format!("/data/bench/{name}"))
    }

    fn start_servers(&mut self) -> Result<()> {
        let bench = self.bench.clone();
        let relay = self.folder.path().join("relay");
        for (command, port) in [
            ("serve", STREAM_PORT),
            ("serve-http", HTTP_PORT),
            ("serve-udp", UDP_PORT),
            ("serve-first", FIRST_PORT),
        ] {
            let mut server = self.sandbox.command(Place::Service, &bench);
            server.args([command, SERVICE, &port.to_string()]);
            self.servers.push(listening(&mut server)?);
        }
        // The bare chain outwards: developer → pod → service.
        for port in [STREAM_PORT, HTTP_PORT] {
            let (bare, plain) = ((BARE + port).to_string(), port.to_string());
            let mut far = self.sandbox.command(Place::PodNetwork, &relay);
            far.args([POD, &bare, SERVICE, &plain]);
            self.servers.push(listening(&mut far)?);
            let mut near = self.sandbox.command(Place::Client, &relay);
            near.args(["127.0.0.1", &bare, POD, &bare]);
            self.servers.push(listening(&mut near)?);
        }
        // The pod's own program on the stolen port, for the plain figure, on a port beside it.
        let mut own = self.sandbox.command(Place::PodNetwork, &bench);
        own.args(["serve-http", "0.0.0.0", &(STOLEN_PORT + 1).to_string()]);
        self.servers.push(listening(&mut own)?);
        // The bare chain inwards: service → pod → developer, whose program listens.
        let bare = (BARE + STOLEN_PORT).to_string();
        let mut program = self.sandbox.command(Place::Client, &bench);
        program.args(["serve-http", "127.0.0.1", &STOLEN_PORT.to_string()]);
        self.servers.push(listening(&mut program)?);
        let mut near = self.sandbox.command(Place::Client, &relay);
        near.args(["10.77.1.1", &bare, "127.0.0.1", &STOLEN_PORT.to_string()]);
        self.servers.push(listening(&mut near)?);
        let mut far = self.sandbox.command(Place::PodNetwork, &relay);
        far.args([POD_FROM_SERVICE, &bare, "10.77.1.1", &bare]);
        self.servers.push(listening(&mut far)?);
        Ok(())
    }

    /// The port of the bare chain that leads to `port`.
    pub fn bare_port(port: u16) -> u16 {
        BARE + port
    }

    /// Runs the bench program at a place and returns its result.
    pub fn at(&self, place: Place, arguments: &[&str]) -> Result<f64> {
        result(self.sandbox.command(place, &self.bench).args(arguments))
    }

    /// Runs the bench program through us.
    pub fn ours(&self, distance: Distance, options: &[&str], arguments: &[&str]) -> Result<f64> {
        let through = self.exec(distance)?;
        result(
            through
                .command(self, options)
                .arg("--")
                .arg(&self.bench)
                .args(arguments),
        )
    }

    /// Starts an agent in the pod, reachable over TCP, for one `exec` on the developer's machine.
    pub fn exec(&self, distance: Distance) -> Result<Exec> {
        let port = self.next_port.get();
        self.next_port.set(port + 1);
        let key = self.folder.path().join(format!("key-{port}"));
        let server = self.product.join("mirrord-server");
        let public = crate::command::output(Command::new(&server).arg("new-key").arg(&key))?;
        let mut agent = self
            .sandbox
            .command(Place::PodNetwork, self.product.join("mirrord-agent"));
        agent
            .args(["--target-pid", &self.sandbox.target_pid().to_string()])
            .args(["--listen", &format!("tcp:{POD}:{port}")])
            .args(["--session-key", public.trim()]);
        let mut agent = agent.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(agent.stdout.take().context("piped")?).read_line(&mut line)?;
        let fingerprint = line
            .split_whitespace()
            .nth(3)
            .context("the agent did not start")?
            .to_owned();
        let mut wire = None;
        let endpoint = match distance {
            Distance::Near => format!("tcp:{POD}:{port}"),
            Distance::Far => {
                let mut delay = self
                    .sandbox
                    .command(Place::Client, self.folder.path().join("delay"));
                delay.args([
                    "127.0.0.1",
                    &port.to_string(),
                    POD,
                    &port.to_string(),
                    "10000",
                ]);
                wire = Some(listening(&mut delay)?);
                format!("tcp:127.0.0.1:{port}")
            }
        };
        Ok(Exec {
            agent,
            wire,
            option: format!("{endpoint},{fingerprint},{}", key.display()),
        })
    }

    /// Starts a program on the developer's machine through us and waits until it listens and its
    /// port is taken.
    pub fn start_ours(&self, options: &[&str], arguments: &[&str]) -> Result<(Exec, Child)> {
        let through = self.exec(Distance::Near)?;
        let child = listening(
            through
                .command(self, options)
                .arg("--")
                .arg(&self.bench)
                .args(arguments),
        )?;
        Ok((through, child))
    }

    /// The product's folder.
    pub fn product(&self) -> &std::path::Path {
        &self.product
    }

    /// An example of a crate, built as the product is.
    pub fn example(&self, package: &str, name: &str) -> Result<PathBuf> {
        run(crate::command::cargo()
            .current_dir(root())
            .args(["build", "--quiet", "--release", "--package", package])
            .args(["--example", name]))?;
        Ok(self.product.join("examples").join(name))
    }

    /// A file for a configuration.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Takes everything down.
    pub fn clear(mut self) -> Result<()> {
        self.stop_servers();
        self.sandboxes.down("bench")?;
        Ok(())
    }

    fn stop_servers(&mut self) {
        for mut server in self.servers.drain(..) {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop_servers();
        let _ = self.sandboxes.down("bench");
    }
}

/// Where cargo has its own children look for libraries first. From another folder the dynamic loader's
/// questions about these folders go to the pod, each a round trip.
pub const CARGOS_LIBRARIES: &str = "LD_LIBRARY_PATH";

/// An agent for one run.
pub struct Exec {
    /// The agent's process (the one that entered for it).
    pub agent: Child,
    wire: Option<Child>,
    option: String,
}

impl Exec {
    /// `mirrord-server exec` on the developer's machine, without `-- CMD`.
    pub fn command(&self, stage: &Stage, options: &[&str]) -> Command {
        let mut command = stage
            .sandbox
            .command(Place::Client, stage.product.join("mirrord-server"));
        command
            .env("XDG_RUNTIME_DIR", stage.folder.path())
            .env_remove(CARGOS_LIBRARIES)
            .current_dir(stage.folder.path())
            .args(["exec", "--target", "sandbox/bench", "--agent", &self.option])
            .args(options);
        command
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
        if let Some(wire) = &mut self.wire {
            let _ = wire.kill();
            let _ = wire.wait();
        }
    }
}

/// Starts a server and waits for its word.
pub fn listening(command: &mut Command) -> Result<Child> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().context("piped")?);
    stdout.read_line(&mut line)?;
    if line.trim() != "listening" {
        let _ = child.kill();
        let _ = child.wait();
        bail!("{command:?} does not listen: {line:?}");
    }
    Ok(child)
}

/// Ends a session as a user would, and waits until all of it has ended.
pub fn stop(mut session: Child) -> Result<()> {
    run(Command::new("kill").args(["-TERM", &session.id().to_string()]))?;
    session.wait().context("could not wait for the session")?;
    Ok(())
}

/// Runs a command and reads its `RESULT`.
pub fn result(command: &mut Command) -> Result<f64> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let line = printed
        .lines()
        .find_map(|line| line.strip_prefix("RESULT "));
    Ok(line
        .with_context(|| format!("{command:?} printed no result: {printed}"))?
        .parse()?)
}
