//! The header `Stripe-Signature`: `t=<seconds>,v1=<HMAC-SHA256 of "t.body">`, with one `v1` for each active
//! secret (<https://docs.stripe.com/webhooks#verify-manually>).

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The maximum difference between the timestamp of a signature and the current time, in either direction, as
/// in Stripe's own libraries. A captured request can be replayed for that long, which is harmless, because
/// processing is idempotent.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(300);

/// The length of an HMAC-SHA256 in bytes.
const MAC_BYTES: usize = 32;

/// Why a signature is rejected. It is only logged: the response does not contain the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is missing, or is not text.
    #[error("the header is missing")]
    Missing,
    /// The header has no timestamp, or no `v1` signature.
    #[error("the header is malformed")]
    Malformed,
    /// The timestamp differs from the current time by more than [`TOLERANCE`].
    #[error("it was signed at {0}")]
    OutsideTolerance(Timestamp),
    /// The content was changed, or was signed with another secret.
    #[error("the signature matches no active secret")]
    Mismatch,
}

/// A parsed `Stripe-Signature` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature<'a> {
    /// The timestamp as text: exactly this text is signed.
    time: &'a str,
    at: Timestamp,
    candidates: Vec<[u8; MAC_BYTES]>,
}

impl<'a> Signature<'a> {
    /// Parses the header. Fields other than `t` and `v1`, such as `v0` in test mode, are ignored.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`] when it has no timestamp or no `v1` signature.
    pub fn parse(header: &'a str) -> Result<Self, SignatureError> {
        let fields = || header.split(',').filter_map(|field| field.trim().split_once('='));
        let time = fields().find_map(|(name, value)| (name == "t").then_some(value));
        let at = time.and_then(|time| Some((time, Timestamp::from_second(time.parse().ok()?).ok()?)));
        let (time, at) = at.ok_or(SignatureError::Malformed)?;
        let candidates: Vec<_> =
            fields().filter(|(name, _)| *name == "v1").filter_map(|(_, text)| decode_mac(text)).collect();
        if candidates.is_empty() {
            return Err(SignatureError::Malformed);
        }
        Ok(Self { time, at, candidates })
    }

    /// Checks the timestamp.
    ///
    /// # Errors
    /// [`SignatureError::OutsideTolerance`] when it differs from `now` by more than [`TOLERANCE`].
    pub fn check_timestamp(self, now: Timestamp) -> Result<Self, SignatureError> {
        if now.duration_since(self.at).abs() > TOLERANCE {
            Err(SignatureError::OutsideTolerance(self.at))
        } else {
            Ok(self)
        }
    }

    /// Returns whether `body` was signed with one of `secrets`. Each comparison takes constant time.
    pub fn matches(&self, secrets: &[SecretString], body: &[u8]) -> bool {
        secrets
            .iter()
            .filter_map(|secret| mac(secret.expose_secret(), self.time, body))
            .any(|mac| self.candidates.iter().any(|candidate| mac.clone().verify_slice(candidate).is_ok()))
    }
}

/// Returns the header that Stripe sends with `body`.
#[cfg(feature = "test-support")]
pub fn sign(secret: &str, at: Timestamp, body: &[u8]) -> String {
    let time = at.as_second().to_string();
    let v1 = mac(secret, &time, body).map(|mac| hex::encode(mac.finalize().into_bytes())).unwrap_or_default();
    format!("t={time},v1={v1}")
}

/// `None` if the key has an invalid length, which cannot happen: HMAC accepts keys of any length.
fn mac(secret: &str, time: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

fn decode_mac(text: &str) -> Option<[u8; MAC_BYTES]> {
    let mut bytes = [0; MAC_BYTES];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
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

    fn is_valid(header: &str, body: &[u8]) -> bool {
        Signature::parse(header)
            .is_ok_and(|signature| signature.matches(&secrets(&["whsec_test_secret"]), body))
    }

    #[test]
    fn a_signature_made_with_python_is_accepted() {
        assert!(is_valid(&format!("t=1795428930,v1={V1}"), BODY));
        assert_eq!(sign("whsec_test_secret", time(), BODY), format!("t=1795428930,v1={V1}"));
    }

    #[test]
    fn one_valid_signature_suffices_in_any_position() {
        let other = "00".repeat(32);
        for header in [
            format!("t=1795428930,v1={other},v1={V1},v0={other}"),
            format!("v0=x,v1={V1}, v1={other}, t=1795428930"),
            format!("t=1795428930,v1=nonsense,v2=,=,,v1={}", V1.to_uppercase()),
        ] {
            assert!(is_valid(&header, BODY), "{header}");
        }
    }

    #[test]
    fn a_modified_request_is_rejected() {
        let good = format!("t=1795428930,v1={V1}");
        assert!(!is_valid(&good, br#"{"id":"evt_2","object":"event"}"#), "another body");
        assert!(!is_valid(&good.replace("930", "931"), BODY), "another time");
        assert!(!is_valid(&format!("t=01795428930,v1={V1}"), BODY), "the time as it is written");
        assert!(
            !Signature::parse(&good).unwrap().matches(&secrets(&["whsec_other", ""]), BODY),
            "another secret"
        );
        assert!(!Signature::parse(&good).unwrap().matches(&[], BODY), "no secret at all");
    }

    #[test]
    fn during_a_rotation_both_secrets_are_accepted() {
        for secret in ["whsec_old", "whsec_new"] {
            let header = sign(secret, time(), BODY);
            let signature = Signature::parse(&header).unwrap();
            assert!(signature.matches(&secrets(&["whsec_old", "whsec_new"]), BODY), "{secret}");
            assert!(!signature.matches(&secrets(&["whsec_third"]), BODY), "{secret}");
        }
    }

    #[test]
    fn headers_without_a_timestamp_or_a_v1_signature_are_malformed() {
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
            assert_eq!(Signature::parse(header), Err(SignatureError::Malformed), "{header}");
        }
    }

    #[test]
    fn a_timestamp_may_differ_by_five_minutes() {
        for (seconds, is_timely) in [(0, true), (300, true), (301, false), (-300, true), (-301, false)] {
            let header = sign("whsec_test_secret", time(), BODY);
            let now = time() + SignedDuration::from_secs(seconds);
            let checked = Signature::parse(&header).unwrap().check_timestamp(now);
            assert_eq!(checked.is_ok(), is_timely, "{seconds}");
        }
        let header = format!("t=-377705023201,v1={V1}");
        assert!(
            Signature::parse(&header).unwrap().check_timestamp(Timestamp::MAX).is_err(),
            "the maximum difference"
        );
    }

    /// A fixed seed, so that every run tests the same cases.
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
        fn any_header_is_rejected_without_a_panic(header in "\\PC*", body in any::<Vec<u8>>()) {
            prop_assert!(!is_valid(&header, &body));
        }

        #[test]
        fn any_similar_header_is_parsed_or_rejected(
            header in "((t|v0|v1|x)=?[0-9a-fA-F+ -]{0,70}[,;]?){0,6}",
            now in -62_135_596_800_i64..253_402_207_200,
        ) {
            let now = Timestamp::from_second(now).unwrap();
            drop(Signature::parse(&header).and_then(|signature| signature.check_timestamp(now)));
        }

        #[test]
        fn only_the_signed_body_is_accepted(
            secret in "[ -~]{1,80}", body in any::<Vec<u8>>(), second in 0_i64..4_000_000_000, flip in any::<usize>(),
        ) {
            let at = Timestamp::from_second(second).unwrap();
            let header = sign(&secret, at, &body);
            let signature = Signature::parse(&header).unwrap().check_timestamp(at).unwrap();
            prop_assert!(signature.matches(&secrets(&[&secret]), &body));
            let mut changed = body.clone();
            match changed.len() {
                0 => changed.push(0),
                length => changed[flip % length] ^= 1,
            }
            prop_assert!(!signature.matches(&secrets(&[&secret]), &changed));
        }
    }
}
