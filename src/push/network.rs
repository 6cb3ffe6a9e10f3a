//! Which addresses pushes go to. People name the endpoint, and the server speaks to it from inside its own network: so it
//! must never be a way into that (SSRF). Called by `push/subscriptions.rs` when an endpoint is named, and by
//! `push/delivery.rs` whenever one is spoken to, since a name may lead elsewhere by then.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ipnet::IpNet;
use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use url::{Host, Url};

use crate::error::{Error, Result};

const LONGEST: usize = 2000;
/// From the first byte out to the answer's last.
const ATTEMPT_MAY_TAKE: Duration = Duration::from_secs(10);

/// Where pushes may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// By TLS to addresses that everybody on the Internet can reach.
    #[default]
    Internet,
    /// Anywhere: for tests, whose push service is on this machine.
    Anywhere,
}

/// Networks that aren't the Internet's (the special-purpose registries of IANA), and those that only wrap other addresses.
static INNER: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let nets = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ];
    nets.iter().filter_map(|net| net.parse().ok()).collect()
});

/// Whether everybody on the Internet can reach it.
pub fn is_public(ip: IpAddr) -> bool {
    // ::ffff:192.0.2.1 is spoken to as 192.0.2.1.
    let ip = if let IpAddr::V6(six) = ip { mapped(six) } else { ip };
    !INNER.iter().any(|net| net.contains(&ip))
}

fn mapped(ip: Ipv6Addr) -> IpAddr {
    ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)
}

/// The endpoint that `text` names. Errors: [`Error::Invalid`] at `endpoint` for one that isn't `https`, carries a name and
/// a password, or is on no network of everybody's. Where a name leads isn't asked. Cost: O(length).
pub fn endpoint(text: &str, reach: Reach) -> Result<Url> {
    let refused = || Error::field("endpoint", tr!("This is no address of a push service: those begin with https."));
    let url = Url::parse(text).ok().filter(|_| text.len() <= LONGEST).ok_or_else(refused)?;
    let ip = match url.host().ok_or_else(refused)? {
        Host::Domain(_) => None,
        Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
        Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
    };
    let fits = match reach {
        Reach::Internet => url.scheme() == "https" && ip.is_none_or(is_public),
        Reach::Anywhere => ["http", "https"].contains(&url.scheme()),
    };
    let is_bare = url.username().is_empty() && url.password().is_none();
    if fits && is_bare { Ok(url) } else { Err(refused()) }
}

/// What speaks to push services: follows no redirects and uses no proxy, both of which would lead past [`is_public`].
pub fn client(reach: Reach) -> Result<Client> {
    let client = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .https_only(reach == Reach::Internet)
        .timeout(ATTEMPT_MAY_TAKE)
        .connect_timeout(ATTEMPT_MAY_TAKE)
        .dns_resolver(Arc::new(Resolver(reach)))
        .user_agent("Switchboard");
    client.build().map_err(Error::internal)
}

/// The system's resolver, without the addresses that pushes don't go to.
struct Resolver(Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|address| reach == Reach::Anywhere || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err("this name leads to no address on the Internet".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for ip in
            ["1.1.1.1", "142.250.1.188", "172.32.0.1", "100.128.0.1", "2606:4700::1", "2a00:1450::8a", "::ffff:8.8.8.8"]
        {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "127.8.8.8",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
        assert_eq!(INNER.len(), 29, "each of them is read");
    }

    #[test]
    fn endpoints_are_https_and_outside() {
        for good in ["https://push.example/x?y=1", "https://push.example:8443/abc", "https://1.1.1.1/x"] {
            assert!(endpoint(good, Reach::Internet).is_ok(), "{good}");
        }
        let long = format!("https://push.example/{}", "x".repeat(LONGEST));
        for bad in [
            "http://push.example/x",
            "ftp://push.example",
            "https://",
            "push.example/x",
            "",
            "https://127.0.0.1/x",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://10.0.0.1/",
            "https://169.254.169.254/latest",
            "https://ann:secret@push.example/x",
            "javascript:alert(1)",
            long.as_str(),
        ] {
            assert!(endpoint(bad, Reach::Internet).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_resolved() {
        let resolved = |reach| Resolver(reach).resolve("localhost".parse().unwrap());
        assert!(resolved(Reach::Internet).await.is_err());
        assert!(resolved(Reach::Anywhere).await.is_ok());
    }
}
