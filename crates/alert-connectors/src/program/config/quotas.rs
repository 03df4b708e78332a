//! Quotas as they are written: `alerts-per-second=200` for every space, `orders:alerts-per-second=1000` for one.

use std::num::{NonZeroU32, NonZeroU64};

use alert_connectors::{FixedQuotas, Quota};
use alert_connectors_model::Slug;

use super::{Faults, Layers, reading::many};

const HOW_TO_WRITE: &str = "write it as alerts-per-second=200, or as orders:connectors=50 for one space; the limits are \
                            alerts-per-second, key-alerts-per-second, alerts-per-day, connectors and stored-bytes";

/// The quotas, in any order. A space that is named has the usual limits but for those that it is named with.
pub(super) fn quotas(layers: &Layers, faults: &mut Faults) -> FixedQuotas {
    fixed(&many(layers, "quota", faults, one))
}

fn fixed(limits: &[OneLimit]) -> FixedQuotas {
    let mut quotas = FixedQuotas::default();
    for one in limits.iter().filter(|one| one.space.is_none()) {
        (one.set)(&mut quotas.usual);
    }
    let usual = quotas.usual;
    for one in limits {
        if let Some(space) = &one.space {
            let quota = quotas.exceptions.entry(space.clone()).or_insert(usual);
            (one.set)(quota);
        }
    }
    quotas
}

/// One limit of a space, or of all.
struct OneLimit {
    space: Option<Slug>,
    set: Box<dyn Fn(&mut Quota)>,
}

fn one(text: &str) -> Result<OneLimit, String> {
    let wrong = |what: String| format!("{what}; {HOW_TO_WRITE}");
    let (name, most) = text
        .split_once('=')
        .ok_or_else(|| wrong(format!("{text:?} sets no limit")))?;
    let (space, name) = match name.split_once(':') {
        Some((space, name)) => {
            let slug = Slug::parse(space);
            let no_slug = || wrong(format!("{space:?} is not a valid slug"));
            (Some(slug.ok_or_else(no_slug)?), name)
        }
        None => (None, name),
    };
    if name == "stored-bytes" {
        let most = limit(most, size).map_err(wrong)?;
        let set = Box::new(move |quota: &mut Quota| quota.stored_bytes = most);
        return Ok(OneLimit { space, set });
    }
    let set: fn(&mut Quota, Option<NonZeroU32>) = match name {
        "alerts-per-second" => |quota, most| quota.alerts_per_second = most,
        "key-alerts-per-second" => |quota, most| quota.key_alerts_per_second = most,
        "alerts-per-day" => |quota, most| quota.alerts_per_day = most,
        "connectors" => |quota, most| quota.connectors = most,
        _ => return Err(wrong(format!("there is no limit {name:?}"))),
    };
    let most = limit(most, count).map_err(wrong)?;
    let set = Box::new(move |quota: &mut Quota| set(quota, most));
    Ok(OneLimit { space, set })
}

/// What a limit is; `None` if there is none.
fn limit<T>(text: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text == "unlimited" {
        return Ok(None);
    }
    read(text).map(Some)
}

fn count(text: &str) -> Result<NonZeroU32, String> {
    let no_count = |_malformed| format!("{text:?} must be a whole number from 1 to 4294967295");
    text.parse().map_err(no_count)
}

/// A size such as `512MiB`, in bytes.
fn size(text: &str) -> Result<NonZeroU64, String> {
    const UNITS: [(&str, u64); 4] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ];
    let with_unit = UNITS
        .iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, unit) = with_unit.unwrap_or((text, 1));
    let bytes = number
        .parse()
        .ok()
        .and_then(|number: u64| number.checked_mul(unit));
    bytes.and_then(NonZeroU64::new).ok_or_else(|| {
        format!("{text:?} must be a whole number of bytes from 1 on, or of KiB, MiB, GiB or TiB, such as 2GiB")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_has_the_usual_limits_but_for_its_own() {
        let limits = [
            "orders:alerts-per-second=1000",
            "alerts-per-second=200",
            "alerts-per-day=5000",
            "orders:alerts-per-day=unlimited",
            "connectors=50",
            "stored-bytes=2GiB",
            "orders:stored-bytes=1000",
        ];
        let limits: Result<Vec<_>, _> = limits.into_iter().map(one).collect();
        let quotas = fixed(&limits.unwrap());
        let usual = Quota {
            alerts_per_second: NonZeroU32::new(200),
            key_alerts_per_second: None,
            alerts_per_day: NonZeroU32::new(5_000),
            connectors: NonZeroU32::new(50),
            stored_bytes: NonZeroU64::new(2 << 30),
        };
        assert_eq!(quotas.usual, usual);
        let orders = Quota {
            alerts_per_second: NonZeroU32::new(1_000),
            alerts_per_day: None,
            stored_bytes: NonZeroU64::new(1_000),
            ..usual
        };
        assert_eq!(
            quotas.exceptions.into_values().collect::<Vec<_>>(),
            [orders]
        );
    }

    #[test]
    fn what_is_no_limit_says_how_to_write_one() {
        for wrong in [
            "alerts",
            "alerts-per-hour=5",
            "alerts-per-second=0",
            "alerts-per-day=-1",
            "alerts-per-day=1KiB",
            "stored-bytes=0GiB",
            "stored-bytes=1.5GiB",
            "stored-bytes=1GB",
            "stored-bytes=99999999999TiB",
            "No Slug:connectors=5",
        ] {
            let fault = one(wrong).map(|_| ()).unwrap_err();
            assert!(fault.ends_with(HOW_TO_WRITE), "{wrong}: {fault}");
        }
    }
}
