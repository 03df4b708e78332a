//! The small Markdown of descriptions, read into lines and runs: bold, italic, code, fences, links and lists; all else is literal.

use alert_connectors_model::Link;

/// A line of a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// Ordinary text; empty for a blank line.
    Text(Vec<Run>),
    /// An item of a list: what stands before it, and its text.
    Item {
        /// `•` or `1.`
        marker: String,
        runs: Vec<Run>,
    },
    /// The lines of a fence.
    Code(String),
}

/// Text of one look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Run {
    pub(crate) text: String,
    pub(crate) bold: bool,
    pub(crate) italic: bool,
    pub(crate) code: bool,
    pub(crate) link: Option<Link>,
}

/// Reads cleaned text.
pub(crate) fn parse(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut source = text.split('\n').peekable();
    while let Some(line) = source.next() {
        if line.trim_start().starts_with("```") {
            let mut code = Vec::new();
            for inner in source.by_ref() {
                if inner.trim_start().starts_with("```") {
                    break;
                }
                code.push(inner);
            }
            lines.push(Line::Code(code.join("\n")));
        } else if let Some((marker, rest)) = item(line.trim_start()) {
            lines.push(Line::Item {
                marker,
                runs: runs(rest),
            });
        } else {
            lines.push(Line::Text(runs(line)));
        }
    }
    lines
}

/// `- text` and `12. text`.
fn item(line: &str) -> Option<(String, &str)> {
    if let Some(rest) = line.strip_prefix("- ") {
        return Some(("•".to_owned(), rest.trim_start()));
    }
    let (number, rest) = line.split_once(". ")?;
    let is_number = (1..=9).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| (format!("{number}."), rest.trim_start()))
}

/// Reads the runs of one line. Each kind of closing mark that is not found once is not looked for again, so the
/// time is linear whatever the text.
fn runs(line: &str) -> Vec<Run> {
    let mut reader = RunReader::default();
    reader.read(line, Look::default());
    reader.runs
}

#[derive(Clone, Copy, Default)]
struct Look {
    bold: bool,
    italic: bool,
}

#[derive(Default)]
struct RunReader {
    runs: Vec<Run>,
    no_more_code: bool,
    no_more_bold: bool,
    no_more_italic: bool,
    no_more_links: bool,
}

impl RunReader {
    fn read(&mut self, mut text: &str, look: Look) {
        while let Some(at) = text.find(['`', '*', '[']) {
            let (before, rest) = text.split_at(at);
            self.push(before, look);
            text = match self.marked(rest, look) {
                Some(after) => after,
                None => {
                    let (mark, after) = rest.split_at(1);
                    self.push(mark, look);
                    after
                }
            };
        }
        self.push(text, look);
    }

    /// Reads what begins with a mark and returns what follows it; nothing if the mark is literal.
    fn marked<'t>(&mut self, text: &'t str, look: Look) -> Option<&'t str> {
        if let Some(rest) = text.strip_prefix('`') {
            let (code, after) = closed(rest, "`", &mut self.no_more_code)?;
            self.runs.push(Run {
                text: code.to_owned(),
                code: true,
                ..Run::looking(look)
            });
            return Some(after);
        }
        if let Some(rest) = text.strip_prefix("**").filter(|_| !look.bold) {
            if let Some((inner, after)) = closed(rest, "**", &mut self.no_more_bold) {
                self.read(inner, Look { bold: true, ..look });
                return Some(after);
            }
            return None;
        }
        if let Some(rest) = text
            .strip_prefix('*')
            .filter(|rest| !look.italic && !rest.starts_with('*'))
        {
            let (inner, after) = closed(rest, "*", &mut self.no_more_italic)?;
            self.read(
                inner,
                Look {
                    italic: true,
                    ..look
                },
            );
            return Some(after);
        }
        self.link(text.strip_prefix('[')?, look)
    }

    fn link<'t>(&mut self, text: &'t str, look: Look) -> Option<&'t str> {
        if self.no_more_links {
            return None;
        }
        let Some(middle) = text.find("](") else {
            self.no_more_links = true;
            return None;
        };
        let (label, rest) = text.split_at(middle);
        let (url, after) = rest.get(2..)?.split_once(')')?;
        let link = Link::parse(url)
            .ok()
            .filter(|_| !label.trim().is_empty() && !label.contains('['))?;
        self.runs.push(Run {
            text: label.to_owned(),
            link: Some(link),
            ..Run::looking(look)
        });
        Some(after)
    }

    fn push(&mut self, text: &str, look: Look) {
        if text.is_empty() {
            return;
        }
        let new = Run::looking(look);
        match self.runs.last_mut() {
            Some(last)
                if last.bold == new.bold
                    && last.italic == new.italic
                    && !last.code
                    && last.link.is_none() =>
            {
                last.text.push_str(text);
            }
            _ => self.runs.push(Run {
                text: text.to_owned(),
                ..new
            }),
        }
    }
}

impl Run {
    fn looking(look: Look) -> Self {
        Self {
            bold: look.bold,
            italic: look.italic,
            ..Self::default()
        }
    }
}

/// What stands before the closing mark, and what follows it. The inside must neither begin nor end with a space.
fn closed<'t>(text: &'t str, mark: &str, no_more: &mut bool) -> Option<(&'t str, &'t str)> {
    if *no_more {
        return None;
    }
    let Some((inner, after)) = text.split_once(mark) else {
        *no_more = true;
        return None;
    };
    let framed = !inner.is_empty() && !inner.starts_with(' ') && !inner.ends_with(' ');
    framed.then_some((inner, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> String {
        let mut shape = String::new();
        for run in runs(text) {
            let look = [
                (run.bold, "b"),
                (run.italic, "i"),
                (run.code, "c"),
                (run.link.is_some(), "l"),
            ];
            look.iter()
                .filter(|(on, _)| *on)
                .for_each(|(_, name)| shape.push_str(name));
            shape.push_str(&format!("({})", run.text));
        }
        shape
    }

    #[test]
    fn the_supported_marks_are_read_and_all_else_is_literal() {
        for (text, expected) in [
            ("a **b** *c* `d*` e", "(a )b(b)( )i(c)( )c(d*)( e)"),
            ("**a *b* c**", "b(a )bi(b)b( c)"),
            ("[t](https://a.example/x) rest", "l(t)( rest)"),
            ("[t](javascript:x)", "([t](javascript:x))"),
            ("5 * 3 * 2, a*b", "(5 * 3 * 2, a*b)"),
            ("# h > q <b> ~~s~~ _u_", "(# h > q <b> ~~s~~ _u_)"),
            ("**open", "(**open)"),
            ("", ""),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
    }

    #[test]
    fn lists_and_fences_are_lines_of_their_own() {
        let lines = parse("intro\n- one\n12. two\n```sql\nselect *\n```\nend");
        assert_eq!(lines.len(), 5);
        assert!(matches!(&lines[1], Line::Item { marker, .. } if marker == "•"));
        assert!(matches!(&lines[2], Line::Item { marker, .. } if marker == "12."));
        assert_eq!(lines[3], Line::Code("select *".to_owned()));
    }

    #[test]
    fn many_marks_take_linear_time() {
        for mark in ["*", "**", "[", "`", "[](", "* ", "** "] {
            assert!(parse(&mark.repeat(50_000)).len() == 1);
        }
    }
}
