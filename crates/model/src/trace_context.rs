//! Where a request stands in a trace, as the `traceparent` header of the W3C Trace Context says it.

/// A span of a trace that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span in it.
    pub span_id: [u8; 8],
}

/// What a `traceparent` header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The caller's span.
    pub context: TraceContext,
    /// Whether the caller records its span.
    pub is_sampled: bool,
}

impl TraceParent {
    /// Reads a header (W3C Trace Context, 3.2): `00-`, 32 digits of the trace, 16 of the span, 2 of flags. A later version may say more
    /// behind them. What is malformed is `None`, as if there were no header.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let version = hex::<1>(parts.next()?)?[0];
        let (trace_id, span_id) = (hex(parts.next()?)?, hex(parts.next()?)?);
        let flags = hex::<1>(parts.next()?)?[0];
        let says_more = parts.next().is_some();
        let is_sound = version != 0xff
            && !(version == 0 && says_more)
            && trace_id != [0; 16]
            && span_id != [0; 8];
        is_sound.then_some(Self {
            context: TraceContext { trace_id, span_id },
            is_sampled: flags & 1 == 1,
        })
    }
}

impl TraceContext {
    /// How many bytes one is in a database.
    pub const BYTES: usize = 24;

    /// As it is stored: the trace, then the span.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (trace, span) = bytes.split_at_mut(16);
        trace.copy_from_slice(&self.trace_id);
        span.copy_from_slice(&self.span_id);
        bytes
    }

    /// As it was stored.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (trace, span) = bytes.split_at_checked(16)?;
        Some(Self {
            trace_id: trace.try_into().ok()?,
            span_id: span.try_into().ok()?,
        })
    }
}

/// Lower-case hexadecimal digits of just so many bytes.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    #[test]
    fn a_header_is_read_and_comes_back_from_its_bytes() {
        let parent = TraceParent::parse(&format!("00-{TRACE}-b7ad6b7169203331-01")).unwrap();
        assert!(parent.is_sampled);
        assert_eq!(parent.context.trace_id[..2], [0x0a, 0xf7]);
        assert_eq!(parent.context.span_id[6..], [0x33, 0x31]);
        let stored = parent.context.to_bytes();
        assert_eq!(TraceContext::from_bytes(&stored), Some(parent.context));
        assert_eq!(TraceContext::from_bytes(&stored[1..]), None);
        let later = TraceParent::parse(&format!("cc-{TRACE}-b7ad6b7169203331-02-more"));
        assert!(!later.unwrap().is_sampled);
    }

    #[test]
    fn what_is_malformed_is_no_header() {
        for malformed in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "é0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceParent::parse(malformed), None, "{malformed}");
        }
    }
}
