//! The signatures of producers: each is an HMAC-SHA256 of the body, in a header of the producer's own.
//!
//! Grafana: <https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/>.
//! OpenMetadata: <https://docs.open-metadata.org/latest/how-to-guides/data-quality-observability/alerts-notifications/webhook-payloads-and-delivery>.
//! dbt Cloud: <https://docs.getdbt.com/docs/deploy/webhooks>.

use alert_connectors_model::Secret;
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use ring::hmac;

/// A signed time may be off by this much, so that a body can't be sent again much later.
const OFF_MAX: SignedDuration = SignedDuration::from_mins(5);

/// What the signature of a body shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// The secret signed the body, and lately where the source signs the time.
    Valid,
    /// The secret signed the body at a time that is off by more than five minutes.
    OutOfTime,
    /// There is no signature, or another secret made it.
    Invalid,
}

impl Signature {
    fn of(is_valid: bool) -> Self {
        if is_valid { Self::Valid } else { Self::Invalid }
    }
}

/// How a source signs.
pub(crate) struct Scheme {
    /// The header with the signature, in lower case.
    pub(crate) header: &'static str,
    /// What stands before the signature.
    pub(crate) prefix: &'static str,
    pub(crate) encoding: Encoding,
    /// The header with the time in Unix seconds, if the source may sign that too: then it stands before the body, with a colon
    /// after it.
    pub(crate) time_header: Option<&'static str>,
}

/// How the bytes of a signature are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Hex,
    Base64,
}

pub(crate) const GRAFANA: Scheme = Scheme {
    header: "x-grafana-alerting-signature",
    prefix: "",
    encoding: Encoding::Hex,
    time_header: Some("x-grafana-alerting-timestamp"),
};
pub(crate) const OPENMETADATA: Scheme = Scheme {
    header: "x-om-signature",
    prefix: "sha256=",
    encoding: Encoding::Base64,
    time_header: None,
};
pub(crate) const DBT_CLOUD: Scheme = Scheme {
    header: "authorization",
    prefix: "",
    encoding: Encoding::Hex,
    time_header: None,
};

impl Scheme {
    /// What the signature of the body shows. `header` finds the value of a header of the request by its name in lower case.
    pub(crate) fn verify<'h>(
        &self,
        secret: &Secret,
        header: &dyn Fn(&str) -> Option<&'h str>,
        body: &[u8],
        now: Timestamp,
    ) -> Signature {
        let signature = header(self.header).and_then(|value| value.strip_prefix(self.prefix));
        let tag = signature.and_then(|text| match self.encoding {
            Encoding::Hex => bytes_of_hex(text),
            Encoding::Base64 => BASE64_STANDARD.decode(text).ok(),
        });
        let Some(tag) = tag else {
            return Signature::Invalid;
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        match self.time_header.and_then(header) {
            None => Signature::of(hmac::verify(&key, body, &tag).is_ok()),
            Some(time) => {
                let signed = [time.as_bytes(), b":", body].concat();
                match Signature::of(hmac::verify(&key, &signed, &tag).is_ok()) {
                    Signature::Valid if !is_near(time, now) => Signature::OutOfTime,
                    other => other,
                }
            }
        }
    }
}

fn is_near(seconds: &str, now: Timestamp) -> bool {
    let time = seconds
        .parse()
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.is_some_and(|time| time.duration_since(now).abs() <= OFF_MAX)
}

fn bytes_of_hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = digits.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAFANA_BODY: &[u8] = include_bytes!("../samples/grafana-test-data.json");
    const OPENMETADATA_BODY: &[u8] = include_bytes!("../samples/openmetadata-test-message.json");
    const DBT_BODY: &[u8] = include_bytes!("../samples/dbt-cloud-success.json");

    struct Signed<'s> {
        scheme: &'s Scheme,
        secret: &'s str,
        body: &'s [u8],
    }

    impl Signed<'_> {
        fn is_valid(&self, headers: &[(&str, &str)], now: i64) -> bool {
            self.verify(headers, now) == Signature::Valid
        }

        fn verify(&self, headers: &[(&str, &str)], now: i64) -> Signature {
            let header = |name: &str| {
                let mut headers = headers.iter();
                headers.find_map(|(known, value)| (*known == name).then_some(*value))
            };
            let (secret, now) = (
                Secret::new(self.secret),
                Timestamp::from_second(now).unwrap(),
            );
            self.scheme.verify(&secret, &header, self.body, now)
        }
    }

    const OF_GRAFANA: Signed<'_> = Signed {
        scheme: &GRAFANA,
        secret: "test-hmac-secret",
        body: GRAFANA_BODY,
    };
    const OF_OPENMETADATA: Signed<'_> = Signed {
        scheme: &OPENMETADATA,
        secret: "webhookTest",
        body: OPENMETADATA_BODY,
    };
    const OF_DBT: Signed<'_> = Signed {
        scheme: &DBT_CLOUD,
        secret: "s3cret",
        body: DBT_BODY,
    };
    // Made with openssl dgst -sha256 -hmac.
    const BY_GRAFANA: &str = "3f5022b3f0aa07554108e931460ccac0e6a3a41e9871d70ca3ced422cbc4f82a";
    const BY_GRAFANA_AT: &str = "78908e6b9d3d7c7d7c05724a0b356eda85aba511d9c6aebd60e18a40d8e1c162";
    const BY_OPENMETADATA: &str = "sha256=ec4Hy0EBp+ercaS7wYsXyCbXdg+RYlryNcymat0euv0=";
    const BY_DBT: &str = "44643db9395e0ee9ef187b1673ff1a2ecaa8aa7b343a2511338087715493c91b";

    #[test]
    fn each_source_signs_in_its_own_way() {
        assert!(OF_GRAFANA.is_valid(&[("x-grafana-alerting-signature", BY_GRAFANA)], 0));
        assert!(OF_OPENMETADATA.is_valid(&[("x-om-signature", BY_OPENMETADATA)], 0));
        assert!(OF_DBT.is_valid(&[("authorization", BY_DBT)], 0));
    }

    #[test]
    fn another_body_secret_or_spelling_is_no_signature() {
        let is_valid =
            |signature: &str| OF_OPENMETADATA.is_valid(&[("x-om-signature", signature)], 0);
        for wrong in [
            "",
            "sha256=",
            "sha256=zz!",
            BY_GRAFANA,
            BY_OPENMETADATA.trim_start_matches("sha256="),
        ] {
            assert!(!is_valid(wrong), "{wrong:?}");
        }
        assert!(!OF_OPENMETADATA.is_valid(&[], 0));
        let headers = [("x-om-signature", BY_OPENMETADATA)];
        let other_body = Signed {
            body: b"{}",
            ..OF_OPENMETADATA
        };
        let other_secret = Signed {
            secret: "webhooktest",
            ..OF_OPENMETADATA
        };
        assert!(!other_body.is_valid(&headers, 0) && !other_secret.is_valid(&headers, 0));
        assert!(!OF_DBT.is_valid(&[("authorization", &BY_DBT.replace('4', "5"))], 0));
    }

    #[test]
    fn a_signed_time_is_part_of_what_is_signed_and_near() {
        let verify = |time: &str, signature: &str, now: i64| {
            let headers = [
                ("x-grafana-alerting-signature", signature),
                ("x-grafana-alerting-timestamp", time),
            ];
            OF_GRAFANA.verify(&headers, now)
        };
        for (time, signature, now, expected) in [
            ("1700000000", BY_GRAFANA_AT, 1_700_000_299, Signature::Valid),
            ("1700000000", BY_GRAFANA_AT, 1_699_999_701, Signature::Valid),
            (
                "1700000000",
                BY_GRAFANA_AT,
                1_700_000_301,
                Signature::OutOfTime,
            ),
            (
                "1700000001",
                BY_GRAFANA_AT,
                1_700_000_000,
                Signature::Invalid,
            ),
            ("soon", BY_GRAFANA_AT, 1_700_000_000, Signature::Invalid),
            ("1700000000", BY_GRAFANA, 1_700_000_000, Signature::Invalid),
        ] {
            assert_eq!(verify(time, signature, now), expected, "{time} {now}");
        }
    }
}
