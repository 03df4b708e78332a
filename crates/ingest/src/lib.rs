#![doc = include_str!("../README.md")]

mod alertmanager;
mod dbt;
mod draft;
mod severity_words;
mod source;
mod values;

pub use source::{Ingested, Source};
