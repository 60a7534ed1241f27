use proptest::prelude::*;

use super::*;

fn allowed(text: &str, exempt: Option<&str>) -> Result<String, String> {
    let exempt = exempt.map(|text| text.parse().unwrap());
    let url = EndpointUrl::try_from(text.to_owned()).map_err(|error| error.to_string())?;
    url.check_allowed(exempt).map_err(|error| error.to_string())?;
    Ok(url.into())
}

#[test]
fn public_host_names_are_allowed() {
    for good in [
        "https://example.com/hooks",
        "https://example.com/",
        "https://a.b.example.co.uk:8443/x?y=z&a=%20",
        "https://xn--bcher-kva.example.com/",
        "https://corp.example.com/",
        "https://hooks.test.example.net/",
        "https://mycorp.com/",
        "https://hooks.notlocal/",
        "https://hooks.xn--p1ai/",
        "https://10.0.0.1.example.com/",
        "https://internal.example.com/",
        "https://notlocal.local.example.com/",
        "https://example.com/@user",
    ] {
        assert_eq!(allowed(good, None).as_deref(), Ok(good));
    }
    assert_eq!(allowed("https://EXAMPLE.com", None).as_deref(), Ok("https://example.com/"));
    assert_eq!(allowed("https://example.com:443/a/../b", None).as_deref(), Ok("https://example.com/b"));
}

#[test]
fn all_other_urls_are_rejected() {
    for bad in [
        "",
        "example.com",
        "//example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "HTTPS:example.com",
        "http://example.com/",
        "https://",
        "https:///x",
        "https://user@example.com/",
        "https://u:p@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com#x",
        "https://exa mple.com/",
        "https://example.com/\u{e4}",
        "https://ex\u{e4}mple.com/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com\t/",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:/",
        "https://example.com:080/",
        // Single labels.
        "https://example/",
        "https://com/",
        "https://intranet/",
        "https://corp/",
        "https://partner-server:8443/",
        "https://localhost/",
        "https://LOCALHOST/",
        "https://localhost./",
        "https://a.localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://router.home.arpa/",
        "https://1.0.0.127.in-addr.arpa/",
        "https://api.default.svc/",
        "https://api.default.svc.cluster.local/",
        "https://HOOKS.Corp/",
        "https://hooks.corp:8443/x",
        // Other notations of such names.
        "https://hooks.corp./",
        "https://hooks.corp%2e/",
        "https://hooks.c%6frp/",
        "https://hooks%2ecorp/",
        "https://hooks.\u{ff43}\u{ff4f}\u{ff52}\u{ff50}/",
        "https://hooks\u{3002}corp/",
        "https://hooks\u{ff0e}corp/",
        "https://hooks\u{ff61}corp/",
        "https://hooks.co\u{ad}rp/",
        "https://hooks.xn--corp-/",
        "https://hooks.xn--lan-/",
        "https://example.com./",
        "https://-a.example.com/",
        "https://a_b.example.com/",
        "https://a..example.com/",
        // IP addresses, in every notation that some parser accepts.
        "https://127.0.0.1/",
        "https://8.8.8.8/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fd00:ec2::254]/",
        "https://%31%32%37.0.0.1/",
        "https://%6cocalhost/",
        "https://127.0.0.1.:443/",
        "https://0/",
        "https://1.2.3/",
        "http://127.0.0.1/",
        "http://127.0.0.1:8080/",
        "http://10.0.0.1:8080/",
        "http://localhost:8080/",
    ] {
        assert!(allowed(bad, None).is_err(), "{bad:?}");
    }
    let long = format!("https://example.com/{}", "x".repeat(MAX_URL_LENGTH));
    assert!(allowed(&long[..MAX_URL_LENGTH], None).is_ok());
    assert!(allowed(&long[..=MAX_URL_LENGTH], None).is_err());
}

#[test]
fn one_receiver_can_be_exempt() {
    let exempt = Some("127.0.0.1:8080");
    assert!(allowed("http://127.0.0.1:8080/hook", exempt).is_ok());
    for bad in [
        "http://127.0.0.1:8081/",
        "http://127.0.0.1/",
        "http://127.0.0.2:8080/",
        "http://localhost:8080/",
        "http://0x7f.1:8080/",
        "http://u@127.0.0.1:8080/",
        "https://10.0.0.1:8080/",
        "http://example.com:8080/",
    ] {
        assert!(allowed(bad, exempt).is_err(), "{bad}");
    }
}

proptest! {
    /// An allowed URL has a host name that appears in the input, and parses to itself.
    #[test]
    fn an_allowed_url_has_a_plain_host_name(text in "(https?://)?[a-zA-Z0-9.:@%/\\\\?#\\[\\]_-]{0,40}") {
        if let Ok(url) = allowed(&text, None) {
            prop_assert!(text.starts_with("https://"));
            let parsed = Url::parse(&url).unwrap();
            prop_assert!(matches!(parsed.host(), Some(Host::Domain(_))));
            prop_assert!(parsed.username().is_empty() && parsed.password().is_none() && parsed.fragment().is_none());
            prop_assert!(text.to_ascii_lowercase().contains(parsed.host_str().unwrap()));
            prop_assert_eq!(allowed(&url, None), Ok(url.clone()));
            // Another parser finds the same host.
            let uri: http::Uri = url.parse().unwrap();
            prop_assert_eq!(uri.host(), parsed.host_str());
        }
    }

    /// A name is allowed or not because of its last label only, in any case.
    #[test]
    fn special_names_are_rejected(
        labels in "([a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?\\.){1,3}",
        special in proptest::sample::select(&NON_PUBLIC_TOP_LEVEL_DOMAINS[..]),
        public in proptest::sample::select(&["com", "org", "dev", "co.uk", "host"][..]),
        port in prop_oneof![Just(""), Just(":8443")],
    ) {
        prop_assume!(!labels.starts_with("xn--") && !labels.contains(".xn--"));
        for name in [format!("{labels}{special}"), format!("{labels}{special}").to_ascii_uppercase()] {
            prop_assert!(allowed(&format!("https://{name}{port}/hook"), None).is_err(), "{}", name);
        }
        let name = format!("{labels}{special}.{public}");
        prop_assert!(allowed(&format!("https://{name}{port}/hook"), None).is_ok(), "{}", name);
    }

    /// No notation of an IPv4 address is allowed.
    #[test]
    fn no_ip_address_is_allowed(address in any::<u32>()) {
        let [a, b, c, d] = address.to_be_bytes();
        for host in [
            format!("{a}.{b}.{c}.{d}"), format!("{address}"), format!("0x{address:x}"), format!("0{address:o}"),
            format!("{a:#x}.{b:#o}.{c}.{d}").replace("0o", "0"), format!("{a}.{}", address & 0x00ff_ffff),
            format!("[::ffff:{a}.{b}.{c}.{d}]"), format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
        ] {
            let url = format!("https://{host}/");
            prop_assert!(allowed(&url, None).is_err(), "{}", url);
        }
    }
}
