//! Enums that have a word in the API and a number in stores.

/// Makes an enum of words. Each variant has a number, which stores keep and which is never reused for another meaning,
/// and a word, which the API uses. The order of the variants is that of [`Ord`].
macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $word:tt;)+ }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        $(#[$doc])*
        pub enum $name {
            $(#[serde(rename = $word)] $(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// All of them, in their order.
            pub const ALL: [Self; [$($code),+].len()] = [$(Self::$variant),+];

            /// The word of the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// Reads the word of the API.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }

            /// The number that stores keep.
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The one that a store kept under this number.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

pub(crate) use wire_enum;

#[cfg(test)]
mod tests {
    use crate::{
        AlertStatus, AttemptOutcome, AuditAction, AuthMethod, ConnectorType, DeliveryKind,
        DeliveryState, DescriptionFormat, EndReason, KeyScope, Role, Severity,
    };

    #[test]
    fn each_word_and_each_number_is_read_back_as_what_it_was_written_for() {
        macro_rules! check {
            ($($name:ident),+) => {$(
                for (at, one) in $name::ALL.into_iter().enumerate() {
                    assert_eq!($name::parse(one.as_str()), Some(one));
                    assert_eq!($name::from_code(one.code()), Some(one));
                    let same = |other: &&$name| other.as_str() == one.as_str() || other.code() == one.code();
                    assert_eq!($name::ALL.iter().filter(same).count(), 1);
                    assert_eq!($name::ALL.iter().filter(|other| **other < one).count(), at);
                    let json = serde_json::to_string(&one).unwrap();
                    assert_eq!(json, format!("\"{}\"", one.as_str()));
                }
                assert_eq!($name::parse("other"), None);
                assert_eq!($name::from_code(99), None);
            )+};
        }
        check!(
            AlertStatus,
            AttemptOutcome,
            AuditAction,
            AuthMethod,
            ConnectorType,
            DeliveryKind,
            DeliveryState,
            DescriptionFormat,
            EndReason,
            KeyScope,
            Role,
            Severity
        );
    }
}
