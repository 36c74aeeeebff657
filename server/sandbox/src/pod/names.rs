//! The names that only the pod knows, and the pod's own environment.

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;

use crate::addresses::*;
use crate::spec::SandboxSpec;

/// How many addresses the long answer has: too many for a UDP answer without EDNS, so that
/// resolvers go on over TCP.
const MANY: u8 = 40;

/// All names of the pod's name server with their addresses, one entry a name.
pub(crate) fn zone(spec: &SandboxSpec, ipv6: bool) -> Vec<(String, Vec<IpAddr>)> {
    let service: Vec<IpAddr> = vec![SERVICE_V4.into(), SERVICE_V6.into()];
    let mut zone = vec![
        (SERVICE_NAME.to_owned(), service.clone()),
        (
            "orders-v4.shop.svc.cluster.local".to_owned(),
            vec![SERVICE_V4.into()],
        ),
        (
            "orders-v6.shop.svc.cluster.local".to_owned(),
            vec![SERVICE_V6.into()],
        ),
        (
            "shop.shop.svc.cluster.local".to_owned(),
            vec![POD_V4.into(), POD_V6.into()],
        ),
        (
            "dns.kube-system.svc.cluster.local".to_owned(),
            vec![DNS_V4.into(), DNS_V6.into()],
        ),
        (
            "nowhere.shop.svc.cluster.local".to_owned(),
            vec![BLACK_HOLE_V4.into(), BLACK_HOLE_V6.into()],
        ),
        ("orders.example.com".to_owned(), service),
        (
            "many.shop.svc.cluster.local".to_owned(),
            (1..=MANY).map(|last| [10, 77, 3, last].into()).collect(),
        ),
    ];
    for (name, addresses) in &spec.dns {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        zone.retain(|(known, _)| *known != name);
        zone.push((name, addresses.clone()));
    }
    for (_, addresses) in &mut zone {
        addresses.retain(|address| ipv6 || address.is_ipv4());
    }
    zone
}

/// The target's environment.
pub(crate) fn environment(spec: &SandboxSpec) -> Vec<(OsString, OsString)> {
    let own: [(&str, &str); 15] = [
        (
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ),
        ("HOME", "/root"),
        ("HOSTNAME", &spec.pod_name),
        ("POD_NAME", &spec.pod_name),
        ("POD_NAMESPACE", "shop"),
        ("POD_IP", "10.77.1.2"),
        (
            "DATABASE_URL",
            "postgres://shop:s3cret@orders.shop.svc.cluster.local:5432/orders?sslmode=disable",
        ),
        ("FEATURE_FLAG", "new-checkout"),
        (
            "GREETING",
            "hello from the pod\nand a second line\n\ttabbed",
        ),
        ("EMPTY", ""),
        ("EQUALS", "a=b=c"),
        ("ORDERS_URL", "http://orders.shop.svc.cluster.local/"),
        ("ORDERS_SERVICE_HOST", "10.77.2.2"),
        ("ORDERS_SERVICE_PORT", "80"),
        ("KUBERNETES_SERVICE_HOST", "10.77.2.2"),
    ];
    let mut all: Vec<(OsString, OsString)> = own
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)))
        .collect();
    // A value that is no UTF-8, as the kernel allows.
    all.push(("LATIN1".into(), OsString::from_vec(b"caf\xe9".to_vec())));
    for (name, value) in &spec.env {
        all.retain(|(known, _)| known != name);
        all.push((name.clone(), value.clone()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_replace_what_every_sandbox_has() {
        let mut spec = SandboxSpec::new("x")
            .env("FEATURE_FLAG", "old")
            .env("MORE", "1");
        spec.dns.push((
            "Orders.shop.svc.cluster.local.".into(),
            vec![[10, 0, 0, 1].into()],
        ));
        let env = environment(&spec);
        let flags: Vec<_> = env
            .iter()
            .filter(|(name, _)| name == "FEATURE_FLAG")
            .collect();
        assert_eq!(flags, [&("FEATURE_FLAG".into(), "old".into())]);
        assert!(env.contains(&("MORE".into(), "1".into())));
        let zone = zone(&spec, true);
        let orders: Vec<_> = zone
            .iter()
            .filter(|(name, _)| name == SERVICE_NAME)
            .collect();
        assert_eq!(
            orders,
            [&(SERVICE_NAME.to_owned(), vec![IpAddr::from([10, 0, 0, 1])])]
        );
    }

    #[test]
    fn without_ipv6_no_name_has_an_ipv6_address() {
        let zone = zone(&SandboxSpec::new("x"), false);
        assert!(
            zone.iter()
                .all(|(_, addresses)| addresses.iter().all(IpAddr::is_ipv4))
        );
    }
}
