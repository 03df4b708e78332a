#![doc = include_str!("../README.md")]

#[cfg(feature = "otlp")]
mod exporter;
#[cfg(feature = "otlp")]
mod otlp;
mod span;
mod tracer;

#[cfg(feature = "otlp")]
pub use exporter::{Collector, CollectorError, Exporter, SpanQueue};
pub use span::{Span, SpanKind, SpanValue};
pub use tracer::{RequestTrace, SampleRatio, SpanSink, Tracer};
