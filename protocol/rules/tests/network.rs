//! Decisions about destinations, names and ports.

use mirrord_rules::{
    AlignedBlock, DnsSource, HttpFiltered, IncomingMode, IncomingSource, OutgoingSource, Proto,
    RuleSource, Side, compile,
};

use Side::{Local, Remote};

fn block(source: RuleSource) -> AlignedBlock {
    AlignedBlock::new(&compile(&source).unwrap())
}

fn outgoing(outgoing: OutgoingSource) -> AlignedBlock {
    block(RuleSource {
        outgoing,
        ..RuleSource::default()
    })
}

fn list(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn decide(block: &AlignedBlock, proto: Proto, to: &str) -> (Side, String) {
    let decision = block.rules().unwrap().outgoing(proto, to.parse().unwrap());
    (decision.place, decision.rule.to_string())
}

#[test]
fn everything_goes_out_from_the_pod_without_configuration() {
    let block = outgoing(OutgoingSource::default());
    for to in ["1.2.3.4:80", "127.0.0.1:80", "[::1]:80", "[2001:db8::1]:53"] {
        for proto in [Proto::Tcp, Proto::Udp] {
            assert_eq!(
                decide(&block, proto, to),
                (Remote, "network.outgoing".into()),
                "{to}"
            );
        }
    }
    assert_eq!(decide(&block, Proto::Tcp, "1.2.3.4:0").0, Local);
}

#[test]
fn with_names_resolved_here_name_servers_are_called_from_here() {
    let with = |filter| {
        block(RuleSource {
            outgoing: OutgoingSource {
                filter,
                ..OutgoingSource::default()
            },
            dns: DnsSource {
                enabled: false,
                filter: None,
            },
            ..RuleSource::default()
        })
    };
    let off = (Local, "network.dns.enabled false".to_owned());
    let plain = with(None);
    for proto in [Proto::Tcp, Proto::Udp] {
        assert_eq!(decide(&plain, proto, "192.168.1.1:53"), off);
        assert_eq!(decide(&plain, proto, "[2001:db8::1]:53"), off);
        assert_eq!(decide(&plain, proto, "192.168.1.1:5353").0, Remote);
    }
    // What a filter names goes where the filter says.
    let own = with(Some((Remote, list(&["10.0.0.0/8"]))));
    assert_eq!(decide(&own, Proto::Udp, "10.1.1.1:53").0, Remote);
    let other = with(Some((Local, list(&["10.0.0.0/8"]))));
    assert_eq!(decide(&other, Proto::Udp, "192.168.1.1:53"), off);
}

#[test]
fn a_local_filter_keeps_its_matches_here() {
    // The example of mirrord's documentation.
    let filter = list(&["tcp://1.1.1.0/24:1337", "1.1.5.0/24", "google.com", ":53"]);
    let block = outgoing(OutgoingSource {
        filter: Some((Local, filter)),
        ..OutgoingSource::default()
    });
    let missed = "network.outgoing.filter.local (no match)";
    for (proto, to, place, rule) in [
        (
            Proto::Tcp,
            "1.1.1.9:1337",
            Local,
            "network.outgoing.filter.local tcp://1.1.1.0/24:1337",
        ),
        (Proto::Udp, "1.1.1.9:1337", Remote, missed),
        (Proto::Tcp, "1.1.1.9:1338", Remote, missed),
        (
            Proto::Udp,
            "1.1.5.1:9",
            Local,
            "network.outgoing.filter.local 1.1.5.0/24",
        ),
        (
            Proto::Tcp,
            "[::ffff:1.1.5.1]:9",
            Local,
            "network.outgoing.filter.local 1.1.5.0/24",
        ),
        (
            Proto::Udp,
            "10.0.0.10:53",
            Local,
            "network.outgoing.filter.local :53",
        ),
    ] {
        assert_eq!(decide(&block, proto, to), (place, rule.to_owned()), "{to}");
    }
}

#[test]
fn a_remote_filter_sends_only_its_matches_to_the_pod() {
    let filter = list(&["udp://1.1.1.0/24:1337", "[2001:db8::]/32:443"]);
    let block = outgoing(OutgoingSource {
        filter: Some((Remote, filter)),
        ..OutgoingSource::default()
    });
    assert_eq!(decide(&block, Proto::Udp, "1.1.1.1:1337").0, Remote);
    assert_eq!(decide(&block, Proto::Tcp, "1.1.1.1:1337").0, Local);
    assert_eq!(decide(&block, Proto::Tcp, "[2001:db8:9::1]:443").0, Remote);
    assert_eq!(decide(&block, Proto::Tcp, "[2001:db9::1]:443").0, Local);
}

#[test]
fn the_pods_name_servers_are_reached_from_the_pod_whatever_else_is() {
    for source in [
        OutgoingSource {
            filter: Some((Remote, list(&["service.local"]))),
            ..OutgoingSource::default()
        },
        OutgoingSource {
            tcp: false,
            udp: false,
            ..OutgoingSource::default()
        },
    ] {
        let block = outgoing(source);
        for proto in [Proto::Tcp, Proto::Udp] {
            let decided = decide(&block, proto, "10.96.0.10:53");
            assert_eq!(decided, (Remote, "network.dns".into()));
            assert_eq!(decide(&block, proto, "10.96.0.10:54").0, Local);
        }
    }
    let block = outgoing(OutgoingSource {
        filter: Some((Local, list(&[":53"]))),
        ..OutgoingSource::default()
    });
    assert_eq!(decide(&block, Proto::Udp, "10.96.0.10:53").0, Local);
}

#[test]
fn a_filter_by_name_asks_what_the_name_resolves_to() {
    let filter = list(&["service.local:80", "other"]);
    let block = outgoing(OutgoingSource {
        filter: Some((Remote, filter)),
        ..OutgoingSource::default()
    });
    let rules = block.rules().unwrap();
    let names: Vec<_> = rules
        .outgoing_names()
        .map(|name| (name.name, name.port))
        .collect();
    assert_eq!(names, [("service.local", 80), ("other", 0)]);

    let to = "10.0.0.1:80".parse().unwrap();
    let unknown = rules.outgoing(Proto::Tcp, to);
    assert_eq!((unknown.place, unknown.unsure), (Local, true));
    let known = rules.outgoing_named(Proto::Tcp, to, |filter| {
        assert_eq!(filter.side, Remote);
        Some(filter.name == "service.local")
    });
    assert_eq!((known.place, known.unsure), (Remote, false));
    assert_eq!(
        known.rule.as_str(),
        "network.outgoing.filter.remote service.local:80"
    );
    // Another port: the first name is not asked about.
    let other = rules.outgoing_named(Proto::Tcp, "10.0.0.1:81".parse().unwrap(), |filter| {
        assert_eq!(filter.name, "other");
        Some(false)
    });
    assert_eq!((other.place, other.unsure), (Local, false));
}

#[test]
fn switches_are_named_as_the_reason() {
    let block = outgoing(OutgoingSource {
        tcp: false,
        ignore_localhost: true,
        ..OutgoingSource::default()
    });
    for (proto, to, place, rule) in [
        (Proto::Tcp, "1.2.3.4:1", Local, "network.outgoing.tcp false"),
        (Proto::Udp, "1.2.3.4:1", Remote, "network.outgoing"),
        (
            Proto::Udp,
            "127.9.9.9:1",
            Local,
            "network.outgoing.ignore_localhost true",
        ),
        (
            Proto::Udp,
            "[::ffff:127.0.0.1]:1",
            Local,
            "network.outgoing.ignore_localhost true",
        ),
        (
            Proto::Udp,
            "0.0.0.0:1",
            Local,
            "network.outgoing.ignore_localhost true",
        ),
    ] {
        assert_eq!(decide(&block, proto, to), (place, rule.to_owned()), "{to}");
    }
}

#[test]
fn unix_sockets_are_remote_only_when_listed() {
    let block = outgoing(OutgoingSource {
        unix_streams: list(&["bear.+", "^/var/run/db$"]),
        ..OutgoingSource::default()
    });
    let rules = block.rules().unwrap();
    for (path, place) in [
        ("/tmp/bear.sock", Remote),
        ("/tmp/bear", Local),
        ("/tmp/BEAR.sock", Local),
        ("/var/run/db", Remote),
        ("/var/run/db2", Local),
    ] {
        assert_eq!(rules.outgoing_unix(path.as_bytes()).place, place, "{path}");
    }
}

#[test]
fn names_are_resolved_where_the_filter_says() {
    let dns = |enabled, filter| {
        block(RuleSource {
            dns: DnsSource { enabled, filter },
            ..RuleSource::default()
        })
    };
    let filter = list(&[
        "1.1.1.0/24:1337",
        "1.1.5.0/24",
        "google.com",
        ":7331",
        "named.with.port:80",
    ]);
    let block = dns(true, Some((Local, filter.clone())));
    for (name, port, place) in [
        ("google.com", 80, Local),
        ("www.google.com", 80, Remote),
        ("1.1.5.5", 1, Local),
        ("1.1.1.5", 1, Remote),
        ("1.1.1.5", 1337, Local),
        ("any.thing", 7331, Local),
        ("named.with.port", 80, Local),
        ("named.with.port", 81, Remote),
        // Nobody knows what for.
        ("named.with.port", 0, Local),
        ("any.thing", 0, Remote),
        ("Google.COM.", 0, Local),
    ] {
        assert_eq!(
            block.rules().unwrap().dns(name, port).place,
            place,
            "{name}:{port}"
        );
    }
    assert_eq!(
        dns(true, Some((Remote, filter)))
            .rules()
            .unwrap()
            .dns("x", 1)
            .place,
        Local
    );
    assert_eq!(dns(true, None).rules().unwrap().dns("x", 0).place, Remote);
    assert_eq!(dns(false, None).rules().unwrap().dns("x", 0).place, Local);
}

#[test]
fn listening_ports_are_mirrored_unless_told_otherwise() {
    let decide = |incoming: IncomingSource, asked: &str| {
        let block = block(RuleSource {
            incoming,
            ..RuleSource::default()
        });
        let rules = block.rules().unwrap();
        let decision = rules.incoming(asked.parse().unwrap());
        (
            decision.mode,
            decision.pod_port,
            decision.listen_port,
            decision.rule.to_string(),
        )
    };
    let steal = || IncomingSource {
        mode: IncomingMode::Steal,
        ..IncomingSource::default()
    };
    let mirror = "network.incoming.mode mirror".to_owned();
    assert_eq!(
        decide(IncomingSource::default(), "0.0.0.0:80"),
        (IncomingMode::Mirror, 80, None, mirror)
    );
    assert_eq!(
        decide(IncomingSource::default(), "0.0.0.0:0").0,
        IncomingMode::Off
    );
    assert_eq!(decide(steal(), "[::]:80").0, IncomingMode::Steal);
    let off = IncomingSource {
        mode: IncomingMode::Off,
        ..IncomingSource::default()
    };
    assert_eq!(decide(off, "0.0.0.0:80").0, IncomingMode::Off);

    let mapped = IncomingSource {
        ports: Some(vec![80]),
        port_mapping: vec![(9333, 80)],
        listen_ports: vec![(9333, 4480)],
        ..steal()
    };
    // `ports` are the pod's: 9333 is taken for it is mapped to 80.
    let stolen = "network.incoming.mode steal".to_owned();
    assert_eq!(
        decide(mapped.clone(), "0.0.0.0:9333"),
        (IncomingMode::Steal, 80, Some(4480), stolen)
    );
    assert_eq!(
        decide(mapped, "0.0.0.0:81").3,
        "network.incoming.ports (not listed)"
    );

    let ignored = IncomingSource {
        ignore_ports: vec![9999],
        ignore_localhost: true,
        ..steal()
    };
    assert_eq!(
        decide(ignored.clone(), "0.0.0.0:9999").3,
        "network.incoming.ignore_ports 9999"
    );
    assert_eq!(decide(ignored.clone(), "127.0.0.1:80").0, IncomingMode::Off);
    assert_eq!(decide(ignored, "0.0.0.0:80").0, IncomingMode::Steal);
}

#[test]
fn ports_with_an_http_filter_are_mirrored_until_filters_are_served() {
    let decide = |http_filtered, port: u16| {
        let incoming = IncomingSource {
            mode: IncomingMode::Steal,
            http_filtered,
            ..IncomingSource::default()
        };
        let block = block(RuleSource {
            incoming,
            ..RuleSource::default()
        });
        block
            .rules()
            .unwrap()
            .incoming(([0, 0, 0, 0], port).into())
            .mode
    };
    assert_eq!(decide(HttpFiltered::All, 80), IncomingMode::Mirror);
    assert_eq!(
        decide(HttpFiltered::Ports(vec![80]), 80),
        IncomingMode::Mirror
    );
    assert_eq!(
        decide(HttpFiltered::Ports(vec![80]), 81),
        IncomingMode::Steal
    );
}
