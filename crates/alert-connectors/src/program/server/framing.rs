//! Finds requests whose head frames the body twice: with both a `Content-Length` and a `Transfer-Encoding`, the body
//! may end at different places for a proxy and for us (RFC 9112, 6.3). The HTTP library reads such a request by its
//! chunks and silently drops the length, so the bytes are followed here as well.

/// The longest line that is followed. The library refuses a head long before.
const LINE_BYTES_MAX: usize = 16 * 1_024;

/// The current place in the bytes of a connection.
#[derive(Debug)]
enum Position {
    /// Before the request line.
    Between,
    /// In the fields of a head.
    Head,
    /// In a body, with this many bytes to come.
    Body(u64),
    /// Before the line with the size of a chunk.
    ChunkSize,
    /// In a chunk, with this many bytes to come.
    Chunk(u64),
    /// At the end of a chunk.
    ChunkEnd,
    /// In the fields behind the last chunk.
    Trailer,
    /// Nothing more is followed: a head was framed twice, or the library refuses what comes here.
    Over,
}

/// Follows the requests of one connection.
#[derive(Debug)]
pub(super) struct Framing {
    place: Position,
    /// A line that has not ended yet.
    line: Vec<u8>,
    length: Option<u64>,
    is_chunked: bool,
    /// How many heads have ended.
    heads: u64,
}

impl Framing {
    pub(super) const fn new() -> Self {
        Self {
            place: Position::Between,
            line: Vec::new(),
            length: None,
            is_chunked: false,
            heads: 0,
        }
    }

    /// Follows more bytes. As soon as a head that frames its body twice has ended, returns its request, counted from 0.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Option<u64> {
        while !bytes.is_empty() {
            match &mut self.place {
                Position::Over => return None,
                Position::Body(left) | Position::Chunk(left) => {
                    let step =
                        usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    *left -= step as u64;
                    bytes = bytes.get(step..).unwrap_or_default();
                    self.after_bytes();
                }
                _ => {
                    bytes = self.read_line(bytes);
                    if let Position::Over = self.place
                        && self.is_framed_twice()
                    {
                        return Some(self.heads);
                    }
                }
            }
        }
        None
    }

    /// Whether what was read ends inside of a head.
    pub(super) fn in_head(&self) -> bool {
        match self.place {
            Position::Between => !self.line.is_empty(),
            Position::Head => true,
            _ => false,
        }
    }

    fn is_framed_twice(&self) -> bool {
        self.length.is_some() && self.is_chunked
    }

    fn after_bytes(&mut self) {
        match self.place {
            Position::Body(0) => self.place = Position::Between,
            Position::Chunk(0) => self.place = Position::ChunkEnd,
            _ => {}
        }
    }

    /// Reads up to the end of the line, and returns what follows it.
    fn read_line<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            if self.line.len() + bytes.len() > LINE_BYTES_MAX {
                self.place = Position::Over;
            } else {
                self.line.extend_from_slice(bytes);
            }
            return &[];
        };
        let (line, after) = bytes.split_at(end);
        if self.line.is_empty() {
            self.place = self.after_line(line.strip_suffix(b"\r").unwrap_or(line));
        } else {
            let mut whole = std::mem::take(&mut self.line);
            whole.extend_from_slice(line);
            self.place = self.after_line(whole.strip_suffix(b"\r").unwrap_or(&whole));
        }
        after.get(1..).unwrap_or_default()
    }

    fn after_line(&mut self, line: &[u8]) -> Position {
        match self.place {
            // Blank lines before a request are passed over, and one ends a trailer.
            Position::Between | Position::Trailer if line.is_empty() => Position::Between,
            Position::Between => {
                (self.length, self.is_chunked) = (None, false);
                Position::Head
            }
            Position::Head if line.is_empty() => self.after_head(),
            Position::Head => self.after_field(line),
            Position::ChunkSize => after_size(line),
            Position::ChunkEnd => Position::ChunkSize,
            Position::Trailer => Position::Trailer,
            Position::Body(_) | Position::Chunk(_) | Position::Over => Position::Over,
        }
    }

    fn after_field(&mut self, line: &[u8]) -> Position {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Position::Over;
        };
        let (name, value) = line.split_at(colon);
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.is_chunked = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let value = std::str::from_utf8(value.get(1..).unwrap_or_default());
            // The library refuses a length that is not a number, unless it has seen that the body is chunked.
            self.length = Some(
                value
                    .ok()
                    .and_then(|value| value.trim().parse().ok())
                    .unwrap_or(0),
            );
        }
        Position::Head
    }

    fn after_head(&mut self) -> Position {
        if self.is_framed_twice() {
            return Position::Over;
        }
        self.heads += 1;
        match self.length {
            _ if self.is_chunked => Position::ChunkSize,
            None | Some(0) => Position::Between,
            Some(length) => Position::Body(length),
        }
    }
}

fn after_size(line: &[u8]) -> Position {
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let size = std::str::from_utf8(size).map(str::trim);
    match size.map(|size| u64::from_str_radix(size, 16)) {
        Ok(Ok(0)) => Position::Trailer,
        Ok(Ok(size)) => Position::Chunk(size),
        _ => Position::Over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &str = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5;x=y\r\nab\r\nc\r\n0\r\nt: u\r\n\r\n";
    const MEASURED: &str = "POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nGET / \r\n\r\n";
    const TWICE: &str = "\r\nPOST / HTTP/1.1\r\nTransfer-Encoding : x\r\nContent-Length: 3\r\nTRANSFER-ENCODING: chunked\r\n\r\n";

    #[test]
    fn a_head_that_frames_its_body_twice_is_found_behind_others_and_in_any_pieces() {
        let text = format!("{CHUNKED}{MEASURED}GET / HTTP/1.1\n\n{TWICE}0\r\n\r\n{TWICE}");
        for size in [1, 2, 3, 7, 64, text.len()] {
            let mut framing = Framing::new();
            let mut pieces = text.as_bytes().chunks(size);
            assert_eq!(
                pieces.find_map(|piece| framing.read(piece)),
                Some(3),
                "{size}"
            );
        }
    }

    #[test]
    fn what_a_body_holds_is_no_head() {
        let inner = TWICE.len();
        let text = format!("POST / HTTP/1.1\r\nContent-Length: {inner}\r\n\r\n{TWICE}{CHUNKED}");
        let mut framing = Framing::new();
        assert_eq!(framing.read(text.as_bytes()), None);
        assert_eq!(framing.heads, 2);
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let mut framing = Framing::new();
        for _ in 0..1_000 {
            assert_eq!(framing.read(&[b'x'; 1_024]), None);
        }
        assert!(framing.line.capacity() <= 2 * LINE_BYTES_MAX);
    }
}
