//! The header `Stripe-Signature`: `t=<seconds>,v1=<HMAC-SHA256 of "t.body">`, with one `v1` for each secret that is
//! in force (<https://docs.stripe.com/webhooks#verify-manually>).

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// How far the time of a signature may be from ours, either way: as far as in Stripe's own libraries. A request
/// that somebody has copied is good for that long, and does then what it did before: nothing new.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(300);

/// Bytes of a SHA-256.
const LENGTH: usize = 32;

/// Why a request is not taken for Stripe's. For the log: whoever sent it is not told which it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// No header, or one that is no text.
    #[error("the header is missing")]
    Missing,
    /// No time, or no `v1`.
    #[error("the header is not understood")]
    Malformed,
    /// Signed too long ago, or in the future.
    #[error("it was signed at {0}")]
    Untimely(Timestamp),
    /// Other content, or another secret.
    #[error("no secret in force makes this signature")]
    Wrong,
}

/// A signature, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature<'a> {
    /// Signed as it is written, however that is.
    time: &'a str,
    at: Timestamp,
    candidates: Vec<[u8; LENGTH]>,
}

impl<'a> Signature<'a> {
    /// Reads the header. What is in it beside `t` and `v1`, such as `v0` of test mode, is passed over.
    ///
    /// # Errors
    /// [`Unverified::Malformed`]
    pub fn parse(header: &'a str) -> Result<Self, Unverified> {
        let fields = || header.split(',').filter_map(|field| field.trim().split_once('='));
        let time = fields().find_map(|(name, value)| (name == "t").then_some(value));
        let at = time.and_then(|time| Some((time, Timestamp::from_second(time.parse().ok()?).ok()?)));
        let (time, at) = at.ok_or(Unverified::Malformed)?;
        let candidates: Vec<_> =
            fields().filter(|(name, _)| *name == "v1").filter_map(|(_, hex)| decode(hex)).collect();
        if candidates.is_empty() {
            return Err(Unverified::Malformed);
        }
        Ok(Self { time, at, candidates })
    }

    /// Checks the time.
    ///
    /// # Errors
    /// [`Unverified::Untimely`] when it is further from `now` than [`TOLERANCE`].
    pub fn timely(self, now: Timestamp) -> Result<Self, Unverified> {
        if now.duration_since(self.at).abs() > TOLERANCE {
            Err(Unverified::Untimely(self.at))
        } else {
            Ok(self)
        }
    }

    /// Whether one of `secrets` makes it of `body`. Takes the same time whatever it is compared with.
    pub fn is_by(&self, secrets: &[SecretString], body: &[u8]) -> bool {
        secrets
            .iter()
            .filter_map(|secret| mac(secret.expose_secret(), self.time, body))
            .any(|mac| self.candidates.iter().any(|candidate| mac.clone().verify_slice(candidate).is_ok()))
    }
}

/// The header that Stripe sends with `body`: for whoever stands in for it.
pub fn sign(secret: &str, at: Timestamp, body: &[u8]) -> String {
    let time = at.as_second().to_string();
    let bytes = mac(secret, &time, body).map(|mac| mac.finalize().into_bytes());
    let hex: String = bytes.iter().flatten().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={hex}")
}

/// None of a key of a length that HMAC does not take, of which there is none.
fn mac(secret: &str, time: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

fn decode(hex: &str) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    if hex.len() != 2 * LENGTH {
        return None;
    }
    let nibbles = hex.chars().map(|digit| digit.to_digit(16).and_then(|nibble| u8::try_from(nibble).ok()));
    for (index, nibble) in nibbles.enumerate() {
        let byte = bytes.get_mut(index / 2)?;
        *byte = (*byte << 4) | nibble?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
    use proptest::test_runner::RngSeed;

    use super::*;

    const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;
    /// Python: `hmac.new(b"whsec_test_secret", b"1795428930." + body, hashlib.sha256).hexdigest()`
    const V1: &str = "b2e04af9b46ed3180e816ff605ecc4db893f411fa26dad57264e82f812268d89";

    fn time() -> Timestamp {
        Timestamp::from_second(1_795_428_930).unwrap()
    }

    fn secrets(texts: &[&str]) -> Vec<SecretString> {
        texts.iter().map(|text| SecretString::from((*text).to_owned())).collect()
    }

    fn is_ours(header: &str, body: &[u8]) -> bool {
        Signature::parse(header)
            .is_ok_and(|signature| signature.is_by(&secrets(&["whsec_test_secret"]), body))
    }

    #[test]
    fn a_signature_that_python_made() {
        assert!(is_ours(&format!("t=1795428930,v1={V1}"), BODY));
        assert_eq!(sign("whsec_test_secret", time(), BODY), format!("t=1795428930,v1={V1}"));
    }

    #[test]
    fn one_good_signature_is_enough_wherever_it_stands() {
        let other = "00".repeat(32);
        for header in [
            format!("t=1795428930,v1={other},v1={V1},v0={other}"),
            format!("v0=x,v1={V1}, v1={other}, t=1795428930"),
            format!("t=1795428930,v1=nonsense,v2=,=,,v1={}", V1.to_uppercase()),
        ] {
            assert!(is_ours(&header, BODY), "{header}");
        }
    }

    #[test]
    fn what_was_changed_is_not_taken() {
        let good = format!("t=1795428930,v1={V1}");
        assert!(!is_ours(&good, br#"{"id":"evt_2","object":"event"}"#), "another body");
        assert!(!is_ours(&good.replace("930", "931"), BODY), "another time");
        assert!(!is_ours(&format!("t=01795428930,v1={V1}"), BODY), "the time as it is written");
        assert!(
            !Signature::parse(&good).unwrap().is_by(&secrets(&["whsec_other", ""]), BODY),
            "another secret"
        );
        assert!(!Signature::parse(&good).unwrap().is_by(&[], BODY), "no secret at all");
    }

    #[test]
    fn while_a_secret_is_rotated_either_is_taken() {
        for secret in ["whsec_old", "whsec_new"] {
            let header = sign(secret, time(), BODY);
            let signature = Signature::parse(&header).unwrap();
            assert!(signature.is_by(&secrets(&["whsec_old", "whsec_new"]), BODY), "{secret}");
            assert!(!signature.is_by(&secrets(&["whsec_third"]), BODY), "{secret}");
        }
    }

    #[test]
    fn headers_without_a_time_or_a_v1_are_not_understood() {
        let long = "9".repeat(40);
        for header in [
            "",
            "t=1795428930",
            &format!("v1={V1}"),
            &format!("t=1795428930,v0={V1}"),
            &format!("t=now,v1={V1}"),
            &format!("t={long},v1={V1}"),
            &format!("t=99999999999999,v1={V1}"),
            &format!("t=1795428930,v1={}", &V1[1..]),
            &format!("t=1795428930,v1=é{}", &V1[2..]),
            &format!("t=1795428930;v1={V1}"),
        ] {
            assert_eq!(Signature::parse(header), Err(Unverified::Malformed), "{header}");
        }
    }

    #[test]
    fn a_signature_is_good_for_five_minutes_either_way() {
        for (seconds, is_timely) in [(0, true), (300, true), (301, false), (-300, true), (-301, false)] {
            let header = sign("whsec_test_secret", time(), BODY);
            let now = time() + SignedDuration::from_secs(seconds);
            let checked = Signature::parse(&header).unwrap().timely(now);
            assert_eq!(checked.is_ok(), is_timely, "{seconds}");
        }
        let header = format!("t=-377705023201,v1={V1}");
        assert!(
            Signature::parse(&header).unwrap().timely(Timestamp::MAX).is_err(),
            "the whole of time apart"
        );
    }

    /// The same cases in every run.
    fn cases() -> ProptestConfig {
        ProptestConfig {
            rng_seed: RngSeed::Fixed(2026),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn any_header_is_read_or_refused(header in "\\PC*", body in any::<Vec<u8>>()) {
            prop_assert!(!is_ours(&header, &body));
        }

        #[test]
        fn any_header_of_its_shape_is_read_or_refused(
            header in "((t|v0|v1|x)=?[0-9a-fA-F+ -]{0,70}[,;]?){0,6}",
            now in -62_135_596_800_i64..253_402_207_200,
        ) {
            let now = Timestamp::from_second(now).unwrap();
            drop(Signature::parse(&header).and_then(|signature| signature.timely(now)));
        }

        #[test]
        fn what_is_signed_is_taken_and_nothing_else(
            secret in "[ -~]{1,80}", body in any::<Vec<u8>>(), second in 0_i64..4_000_000_000, flip in any::<usize>(),
        ) {
            let at = Timestamp::from_second(second).unwrap();
            let header = sign(&secret, at, &body);
            let signature = Signature::parse(&header).unwrap().timely(at).unwrap();
            prop_assert!(signature.is_by(&secrets(&[&secret]), &body));
            let mut changed = body.clone();
            match changed.len() {
                0 => changed.push(0),
                length => changed[flip % length] ^= 1,
            }
            prop_assert!(!signature.is_by(&secrets(&[&secret]), &changed));
        }
    }
}
