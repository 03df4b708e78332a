#![doc = include_str!("../README.md")]

mod accounts;
mod claims;
mod identity;
mod issuer;
mod key_location;
mod key_set;
mod sign_in;
mod token;
mod trusted_issuer;
mod verification_key;

pub use claims::{ClaimRules, GroupRole, Person};
pub use identity::{NewUsers, SsoIdentity};
pub use issuer::IssuerError;
pub use key_location::KeyLocation;
pub use sign_in::{OidcOptions, OidcSignIn};
pub use token::TokenError;
pub use trusted_issuer::{Issuer, IssuerOptions};
