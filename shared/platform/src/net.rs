//! Tells public internet addresses from internal ones, so that a URL supplied by a client cannot reach the
//! internal network (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Whether `address` is on the public internet for certain. Addresses that IANA's special-purpose registries
/// do not list as globally reachable are not public, nor are addresses that may be translated or relayed to
/// such an address (<https://www.iana.org/assignments/iana-ipv4-special-registry>,
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let refused = match address.octets() {
        // "This network", private use, loopback.
        [0 | 10 | 127, ..] => true,
        // Carrier-grade NAT (RFC 6598).
        [100, second, ..] => second & 0b1100_0000 == 64,
        // Link-local, which includes the metadata services of cloud providers.
        [169, 254, ..] => true,
        [172, second, ..] => second & 0b1111_0000 == 16,
        // Protocol assignments, documentation, the former 6to4 relays, AS112, AMT.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [192, 31, 196, _] | [192, 52, 193, _] | [192, 175, 48, _] => {
            true
        }
        [192, 168, ..] => true,
        // Benchmarking (RFC 2544), documentation.
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    };
    !refused
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // An IPv4-mapped address (RFC 4291 §2.5.5.2) or one behind a translator (RFC 6052): the embedded IPv4
        // address decides.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocol assignments (Teredo, benchmarking, ORCHID and more), documentation, 6to4.
        [0x2001, 0..0x200, ..] | [0x2001, 0x0db8, ..] | [0x2002, ..] => false,
        // AS112, documentation (RFC 9637).
        [0x2620, 0x004f, 0x8000, ..] => false,
        [0x3fff, second, ..] => second & 0xf000 != 0,
        // Global unicast (RFC 4291 §2.4): not loopback, unique-local, link-local or multicast.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// A receiver on this machine that is exempt from the rule, for tests and local stacks: one loopback address
/// with one port, such as `127.0.0.1:8080`. No other address can be exempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalReceiver(SocketAddr);

impl LocalReceiver {
    /// Whether the host and port of a URL are literally this address and port.
    pub fn matches(&self, host: &str, port: Option<u16>) -> bool {
        host.parse() == Ok(self.0.ip()) && port == Some(self.0.port())
    }
}

/// The error for text that is not a [`LocalReceiver`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("only a loopback address with a port, such as 127.0.0.1:8080, can be exempt")]
pub struct NotLoopback;

impl FromStr for LocalReceiver {
    type Err = NotLoopback;

    fn from_str(text: &str) -> Result<Self, NotLoopback> {
        let address: SocketAddr = text.parse().map_err(|_| NotLoopback)?;
        if address.is_ipv4() && address.ip().is_loopback() && address.port() != 0 {
            Ok(Self(address))
        } else {
            Err(NotLoopback)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    #[test]
    fn special_purpose_addresses_are_not_public() {
        for address in [
            // IPv4: the ends of each block.
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.170.2",
            "169.254.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.255",
            "192.0.2.0",
            "192.0.2.255",
            "192.88.99.0",
            "192.88.99.255",
            "192.168.0.0",
            "192.168.255.255",
            "192.31.196.1",
            "192.52.193.1",
            "192.175.48.1",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.0",
            "198.51.100.255",
            "203.0.113.0",
            "203.0.113.255",
            "224.0.0.0",
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.254",
            "255.255.255.255",
            // IPv6.
            "::",
            "::1",
            "::2",
            "::127.0.0.1",
            "::8.8.8.8",
            "100::1",
            "100:0:0:1::1",
            "64:ff9b:1::8.8.8.8",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "2620:4f:8000::1",
            "3fff::1",
            "3fff:fff:ffff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff00::1",
            "ff02::1",
            "ff0e::1",
            "ffff::1",
            // IPv4 in IPv6.
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b::127.0.0.1",
        ] {
            assert!(!public(address), "{address}");
        }
    }

    #[test]
    fn global_unicast_addresses_are_public() {
        for address in [
            "1.0.0.0",
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db7::1",
            "2001:db9::1",
            "2003::1",
            "2606:4700:4700::1111",
            "2620:4f:7fff::1",
            "3ffe::1",
            "3fff:1000::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(public(address), "{address}");
        }
    }

    #[test]
    fn only_loopback_can_be_exempt() {
        let receiver: LocalReceiver = "127.0.0.1:8080".parse().unwrap();
        assert!(receiver.matches("127.0.0.1", Some(8080)));
        for (host, port) in [
            ("127.0.0.1", Some(8081)),
            ("127.0.0.1", None),
            ("127.0.0.2", Some(8080)),
            ("localhost", Some(8080)),
            ("", Some(8080)),
        ] {
            assert!(!receiver.matches(host, port), "{host} {port:?}");
        }
        for bad in [
            "",
            "127.0.0.1",
            "127.0.0.1:0",
            "localhost:8080",
            "10.0.0.1:8080",
            "169.254.169.254:80",
            "0.0.0.0:80",
            "*",
            "[::1]:80",
            "[::ffff:10.0.0.1]:80",
            "127.0.0.1:8080,10.0.0.1:80",
            "8.8.8.8:443",
        ] {
            assert_eq!(bad.parse::<LocalReceiver>(), Err(NotLoopback), "{bad}");
        }
    }
}
