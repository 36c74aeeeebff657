//! Starting a sandbox: writes its wishes, starts its first process and waits for the word of
//! every process in it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::addresses;
use crate::error::SandboxError;
use crate::info::{DnsName, SandboxInfo, Service, ServiceProtocol};
use crate::process;
use crate::report::{Ready, Report, Reports};
use crate::roles::Role;
use crate::spec::SandboxSpec;

pub(crate) const INFO_FILE: &str = "info.json";
pub(crate) const SPEC_FILE: &str = "spec.json";
pub(crate) const LOG_FILE: &str = "log";

/// How long a sandbox may take; it takes some tens of milliseconds.
const LIMIT: Duration = Duration::from_secs(20);
/// How long a failed one may take to go.
const GIVE_UP: Duration = Duration::from_secs(5);

/// Starts what `spec` wishes in a sandbox's folder, which `lock` is open on and locked. On error no
/// process is left; the folder is the caller's to remove.
pub(crate) fn start(
    folder: &Path,
    lock: &File,
    spec: &SandboxSpec,
    program: &Path,
) -> Result<SandboxInfo, SandboxError> {
    let failed = |message: String| SandboxError::Start {
        name: spec.name.clone(),
        message,
    };
    let written = serde_json::to_vec(spec).map_err(|error| failed(error.to_string()))?;
    write_private(&folder.join(SPEC_FILE), &written)?;
    let log_path = folder.join(LOG_FILE);
    write_private(&log_path, b"")?;
    let log = File::options()
        .append(true)
        .open(&log_path)
        .map_err(SandboxError::io("open", &log_path))?;
    let (reports, theirs) =
        Reports::pair().map_err(|error| failed(format!("no socket pair ({error})")))?;
    let lock = lock
        .try_clone()
        .map_err(SandboxError::io("share the lock on", folder))?;
    let child = Command::new(program)
        .arg(Role::Init.argument())
        .arg(folder)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(theirs))
        // A copy has the same lock (flock(2)); this is how it gets to the first process.
        .stdout(Stdio::from(lock))
        .stderr(Stdio::from(log))
        .spawn();
    let mut child = child
        .map_err(|error| failed(format!("{} could not be run: {error}", program.display())))?;
    match wait_until_ready(&reports, &mut child).and_then(|parts| write_info(folder, spec, &parts))
    {
        Ok(info) => {
            let kept = reports.keep(Instant::now() + GIVE_UP);
            kept.map_err(|error| failed(format!("its first process did not stay ({error})")))?;
            Ok(info)
        }
        Err(message) => {
            let gone = reports.give_up(Instant::now() + GIVE_UP);
            let _ = child.wait();
            let log = fs::read_to_string(&log_path).unwrap_or_default();
            let mut message = message;
            if !log.trim().is_empty() {
                message = format!("{message}; its log says: {}", log.trim());
            }
            if !matches!(gone, Ok(true)) {
                message = format!("{message}; and some of its processes may still be there");
            }
            Err(failed(message))
        }
    }
}

/// The processes of a ready sandbox.
struct Parts {
    init: (Ready, u32),
    web: u32,
    dns: u32,
    service: u32,
}

fn wait_until_ready(reports: &Reports, child: &mut Child) -> Result<Parts, String> {
    let deadline = Instant::now() + LIMIT;
    let (mut init, mut web, mut dns, mut service) = (None, None, None, None);
    loop {
        match reports.next(deadline) {
            Ok(Some((Report::Ready(ready), pid))) => match ready.role {
                Role::Init => init = Some((ready, pid)),
                Role::Web => web = Some(pid),
                Role::Dns => dns = Some(pid),
                Role::Service => service = Some(pid),
                Role::Enter | Role::HttpCall => {}
            },
            Ok(Some((Report::Failed(message), _))) => return Err(message),
            Ok(None) => {
                let status = child
                    .wait()
                    .map_or_else(|error| error.to_string(), |status| status.to_string());
                return Err(format!(
                    "its processes ended before they were ready (the first one with {status}); \
                     does the program call run_role first in main?"
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(format!("it was not ready within {} s", LIMIT.as_secs()));
            }
            Err(error) => return Err(format!("the socket to its processes failed ({error})")),
        }
        if let (Some(_), Some(web), Some(dns), Some(service)) = (&init, web, dns, service) {
            // The process that was started only makes the namespaces; it is gone by now.
            child
                .wait()
                .map_err(|error| format!("its maker could not be waited for ({error})"))?;
            let init = init.take().ok_or("its first process said nothing")?;
            return Ok(Parts {
                init,
                web,
                dns,
                service,
            });
        }
    }
}

fn write_info(folder: &Path, spec: &SandboxSpec, parts: &Parts) -> Result<SandboxInfo, String> {
    let started = |pid| {
        process::start_time(pid)
            .ok_or_else(|| format!("its process {pid} ended right after it was ready"))
    };
    let (ready, init_pid) = &parts.init;
    let namespace = |fd: Option<i32>| {
        let fd = fd.ok_or("its first process does not hold all its namespaces")?;
        Ok::<_, &str>(PathBuf::from(format!("/proc/{init_pid}/fd/{fd}")))
    };
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let info = SandboxInfo {
        name: spec.name.clone(),
        pod_name: spec.pod_name.clone(),
        target_pid: parts.web,
        target_started: started(parts.web)?,
        init_pid: *init_pid,
        init_started: started(*init_pid)?,
        service_pid: parts.service,
        dns_pid: parts.dns,
        user_namespace: ready.user_namespace,
        ipv6: ready.ipv6,
        root: PathBuf::from(format!("/proc/{}/root", parts.web)),
        client_namespace: namespace(ready.client_namespace)?,
        service_namespace: namespace(ready.service_namespace)?,
        services: services(ready.ipv6),
        dns_names: dns_names(spec, ready.ipv6),
        created: u64::try_from(now.as_millis()).unwrap_or_default(),
    };
    let bytes = serde_json::to_vec_pretty(&info).map_err(|error| error.to_string())?;
    let new = folder.join("info.json.new");
    write_private(&new, &bytes).map_err(|error| error.to_string())?;
    fs::rename(&new, folder.join(INFO_FILE))
        .map_err(|error| format!("could not write its info.json ({error})"))?;
    Ok(info)
}

fn services(ipv6: bool) -> Vec<Service> {
    let service =
        |name: &str, protocol, v4: std::net::Ipv4Addr, v6: std::net::Ipv6Addr, port| Service {
            name: name.to_owned(),
            protocol,
            addresses: both(v4.into(), v6.into(), ipv6),
            port,
        };
    use ServiceProtocol::{Dns, Http, TcpEcho, UdpEcho};
    let (v4, v6) = (addresses::SERVICE_V4, addresses::SERVICE_V6);
    vec![
        service(
            "web",
            Http,
            addresses::POD_V4,
            addresses::POD_V6,
            addresses::WEB_PORT,
        ),
        service("orders", Http, v4, v6, addresses::SERVICE_HTTP_PORT),
        service("orders-echo", TcpEcho, v4, v6, addresses::ECHO_PORT),
        service("orders-echo", UdpEcho, v4, v6, addresses::ECHO_PORT),
        service(
            "dns",
            Dns,
            addresses::DNS_V4,
            addresses::DNS_V6,
            addresses::DNS_PORT,
        ),
    ]
}

fn dns_names(spec: &SandboxSpec, ipv6: bool) -> Vec<DnsName> {
    crate::pod::names::zone(spec, ipv6)
        .into_iter()
        .map(|(name, addresses)| DnsName { name, addresses })
        .collect()
}

fn both(v4: IpAddr, v6: IpAddr, ipv6: bool) -> Vec<IpAddr> {
    if ipv6 { vec![v4, v6] } else { vec![v4] }
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), SandboxError> {
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    file.and_then(|mut file| file.write_all(bytes))
        .map_err(SandboxError::io("write", path))
}
