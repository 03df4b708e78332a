//! Decides which requests are sampled, and makes the ids of spans.

use std::sync::Arc;

use alert_connectors_model::{Random, TraceContext, TraceParent};
use jiff::Timestamp;

use crate::span::{Span, SpanKind, SpanValue};

/// How many of the requests that begin a trace are sampled, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleRatio(u64);

impl SampleRatio {
    const WHOLE: u64 = 1_000_000;
    /// One in a hundred.
    pub const DEFAULT: Self = Self(Self::WHOLE / 100);

    /// A ratio from 0 to 1, with at most six decimals, such as `0.01`.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(decimals) || decimals.len() > 6 {
            return None;
        }
        let whole = whole.parse::<u64>().ok()?.checked_mul(Self::WHOLE)?;
        let millionths = format!("{decimals:0<6}").parse::<u64>().ok()?;
        let ratio = whole.checked_add(millionths)?;
        (ratio <= Self::WHOLE).then_some(Self(ratio))
    }
}

/// Takes spans that have ended: the program posts them to a collector, and a host that embeds the service passes them to its own.
pub trait SpanSink: Send + Sync {
    /// Takes one. It is called while alerts are accepted and delivered, and must not wait.
    fn record(&self, span: Span);
}

/// Makes spans. Clones share the sink.
#[derive(Clone)]
pub struct Tracer {
    ratio: SampleRatio,
    random: Arc<dyn Random>,
    sink: Arc<dyn SpanSink>,
}

impl Tracer {
    /// A tracer for a sink.
    pub fn new(ratio: SampleRatio, random: Arc<dyn Random>, sink: Arc<dyn SpanSink>) -> Self {
        Self {
            ratio,
            random,
            sink,
        }
    }

    /// A request begins. It is sampled if its caller records its own span, and by the ratio if the caller says nothing.
    pub fn begin(&self, traceparent: Option<&str>, now: Timestamp) -> Option<RequestTrace> {
        let (trace_id, parent) = match traceparent.and_then(TraceParent::parse) {
            Some(parent) if parent.is_sampled => {
                (parent.context.trace_id, Some(parent.context.span_id))
            }
            Some(_not_sampled) => return None,
            None => (self.new_trace()?, None),
        };
        let context = TraceContext {
            trace_id,
            span_id: self.span_id(),
        };
        Some(RequestTrace {
            context,
            parent,
            started_at: now,
        })
    }

    /// A new span of a trace.
    pub fn span_in(&self, trace: TraceContext) -> TraceContext {
        TraceContext {
            span_id: self.span_id(),
            ..trace
        }
    }

    /// Passes on a span that has ended.
    pub fn record(&self, span: Span) {
        self.sink.record(span);
    }

    fn new_trace(&self) -> Option<[u8; 16]> {
        let drawn = self.random.below(SampleRatio::WHOLE);
        if drawn >= self.ratio.0 {
            return None;
        }
        let mut id = [0; 16];
        self.random.fill(&mut id);
        // No id is all zeros.
        id[15] |= 1;
        Some(id)
    }

    fn span_id(&self) -> [u8; 8] {
        let mut id = [0; 8];
        self.random.fill(&mut id);
        id[7] |= 1;
        id
    }
}

/// A request that is sampled.
#[derive(Debug, Clone, Copy)]
pub struct RequestTrace {
    /// Its own span.
    pub context: TraceContext,
    parent: Option<[u8; 8]>,
    started_at: Timestamp,
}

impl RequestTrace {
    /// Its span, once it has ended.
    pub fn ended(
        self,
        name: &'static str,
        now: Timestamp,
        attributes: Vec<(&'static str, SpanValue)>,
        error: Option<String>,
    ) -> Span {
        Span {
            context: self.context,
            parent: self.parent,
            name,
            kind: SpanKind::Server,
            started_at: self.started_at,
            ended_at: now,
            attributes,
            error,
        }
    }
}

#[cfg(test)]
mod tests {
    use alert_connectors_model::SeededRandom;

    use super::*;

    struct Nowhere;

    impl SpanSink for Nowhere {
        fn record(&self, _span: Span) {}
    }

    fn tracer(ratio: &str) -> Tracer {
        let ratio = SampleRatio::parse(ratio).unwrap();
        Tracer::new(ratio, Arc::new(SeededRandom::new(1)), Arc::new(Nowhere))
    }

    const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const NOT_SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    #[test]
    fn a_caller_decides_for_its_own_trace() {
        for ratio in ["0", "1"] {
            let tracer = tracer(ratio);
            let request = tracer.begin(Some(SAMPLED), Timestamp::UNIX_EPOCH).unwrap();
            let parent = TraceParent::parse(SAMPLED).unwrap().context;
            assert_eq!(request.context.trace_id, parent.trace_id);
            assert_eq!(request.parent, Some(parent.span_id));
            assert_ne!(request.context.span_id, parent.span_id);
            let other = tracer.begin(Some(NOT_SAMPLED), Timestamp::UNIX_EPOCH);
            assert!(other.is_none());
        }
    }

    #[test]
    fn of_the_others_a_share_is_sampled() {
        let sampled = |ratio| {
            let tracer = tracer(ratio);
            let begin = |_| tracer.begin(Some("malformed"), Timestamp::UNIX_EPOCH);
            (0..1_000).filter_map(begin).count()
        };
        assert_eq!((sampled("0"), sampled("1.0")), (0, 1_000));
        let half = sampled("0.5");
        assert!((400..600).contains(&half), "{half}");
    }

    #[test]
    fn a_ratio_is_a_decimal_from_0_to_1() {
        assert_eq!(SampleRatio::parse("0.01"), Some(SampleRatio::DEFAULT));
        assert_eq!(SampleRatio::parse("0.000001"), Some(SampleRatio(1)));
        for wrong in [
            "",
            "1.1",
            "-0.1",
            "1e-3",
            "0.0000001",
            ".5",
            "5.",
            "NaN",
            "2",
            "99999999999999999999",
        ] {
            assert_eq!(SampleRatio::parse(wrong), None, "{wrong}");
        }
    }
}
