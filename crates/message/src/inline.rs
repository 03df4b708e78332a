//! The marks inside a line of Markdown, read into runs: bold, italic, code and links; all else is literal.

use std::borrow::Cow;

use alert_connectors_model::Link;

use crate::{
    autolink::{self, url_at},
    rich::{Look, Run},
};

/// Reads the runs of one line. A kind of closing mark that was not found is not searched again, so any text takes
/// linear time.
pub(crate) fn runs(line: &str) -> Vec<Run<'_>> {
    let mut reader = RunReader::default();
    reader.read(line, Look::default());
    reader.runs
}

#[derive(Default)]
struct RunReader<'t> {
    runs: Vec<Run<'t>>,
    no_more_code: bool,
    no_more_bold: bool,
    no_more_italic: bool,
    no_more_links: bool,
}

impl<'t> RunReader<'t> {
    fn read(&mut self, mut text: &'t str, look: Look) {
        let mut literal = text;
        let mut literal_len = 0;
        // A mark that turns out to be literal stays with the text before it, so that a URL is not torn apart.
        while let Some(at) = next_mark(text) {
            let rest = text.get(at..).unwrap_or_default();
            let before = literal.get(..literal_len + at).unwrap_or_default();
            let in_word = before
                .chars()
                .next_back()
                .is_some_and(char::is_alphanumeric);
            if rest.starts_with(['h', 'H']) {
                let step = url_at(rest)
                    .filter(|_| !in_word)
                    .map_or(1, |(url, _)| url.len());
                literal_len += at + step;
                text = rest.get(step..).unwrap_or_default();
                continue;
            }
            if let Some(after) = self.marked(before, rest, look) {
                (text, literal, literal_len) = (after, after, 0);
            } else {
                literal_len += at + 1;
                text = rest.get(1..).unwrap_or_default();
            }
        }
        self.push(literal, look);
    }

    /// Reads what stands between marks: what is not found in it may still follow behind them.
    fn read_inside(&mut self, inner: &'t str, look: Look) {
        let mut inside = Self::default();
        inside.read(inner, look);
        self.runs.append(&mut inside.runs);
    }

    /// Reads what begins with a mark, behind the literal text `before`, and returns what follows it; nothing if the mark is
    /// literal too.
    fn marked(&mut self, before: &'t str, text: &'t str, look: Look) -> Option<&'t str> {
        if let Some(rest) = text.strip_prefix('`') {
            let (code, after) = closed(rest, "`", &mut self.no_more_code)?;
            self.push(before, look);
            self.runs.push(Run {
                text: Cow::Borrowed(code),
                look: Look { code: true, ..look },
                link: None,
            });
            return Some(after);
        }
        if let Some(rest) = text.strip_prefix("**").filter(|_| !look.bold) {
            let (inner, after) = closed(rest, "**", &mut self.no_more_bold)?;
            self.push(before, look);
            self.read_inside(inner, Look { bold: true, ..look });
            return Some(after);
        }
        if let Some(rest) = text
            .strip_prefix('*')
            .filter(|rest| !look.italic && !rest.starts_with('*'))
        {
            let (inner, after) = closed(rest, "*", &mut self.no_more_italic)?;
            self.push(before, look);
            self.read_inside(
                inner,
                Look {
                    italic: true,
                    ..look
                },
            );
            return Some(after);
        }
        self.link(before, text.strip_prefix('[')?, look)
    }

    fn link(&mut self, before: &'t str, text: &'t str, look: Look) -> Option<&'t str> {
        if self.no_more_links {
            return None;
        }
        let Some((label, rest)) = text.split_once("](") else {
            self.no_more_links = true;
            return None;
        };
        if label.contains('[') {
            return None;
        }
        let (url, after) = link_target(rest)?;
        let link = Link::parse(url).ok().filter(|link| may_name(label, link))?;
        self.push(before, look);
        self.runs.push(Run {
            text: Cow::Borrowed(label),
            look,
            link: Some(link),
        });
        Some(after)
    }

    fn push(&mut self, text: &'t str, look: Look) {
        let pieces = autolink::pieces(text).into_iter();
        self.runs.extend(pieces.map(|piece| Run {
            look,
            ..Run::of_piece(piece)
        }));
    }
}

/// Where the next mark or URL may begin.
fn next_mark(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len()).find(|at| match bytes.get(*at) {
        Some(b'`' | b'*' | b'[') => true,
        Some(b'h') => bytes
            .get(*at..)
            .is_some_and(|rest| rest.starts_with(b"http")),
        _ => false,
    })
}

/// Whether a label may stand for a link: one that shows an address must show this one.
fn may_name(label: &str, link: &Link) -> bool {
    !label.trim().is_empty() && !autolink::shows_another(label, link.as_str())
}

/// The target of a link, up to the parenthesis that closes it: those that the target opens itself are part of it.
fn link_target(text: &str) -> Option<(&str, &str)> {
    let mut open = 0_usize;
    for (at, c) in text.char_indices().take(Link::CHARS_MAX + 1) {
        match c {
            '(' => open += 1,
            ')' if open == 0 => {
                let (target, after) = text.split_at(at);
                return Some((target, after.get(1..)?));
            }
            ')' => open -= 1,
            c if c.is_whitespace() => break,
            _ => {}
        }
    }
    None
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
                (run.look.bold, "b"),
                (run.look.italic, "i"),
                (run.look.code, "c"),
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
            (
                "**[CRIT]** see [r](https://r.example/x)",
                "b([CRIT])( see )l(r)",
            ),
            ("**2*3** and *it*", "b(2*3)( and )i(it)"),
            ("", ""),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
    }

    #[test]
    fn urls_are_links_to_themselves_and_keep_their_parentheses() {
        for (text, expected) in [
            (
                "[k](https://k.example/discover#/?_g=(filters:!(),time:(from:now-15m,to:now))) ok",
                "l(k)( ok)",
            ),
            ("([w](https://w.example/a_(b)))", "(()l(w)())"),
            (
                "see https://a.example/*x*/y.",
                "(see )l(https://a.example/*x*/y)(.)",
            ),
            ("**https://a.example/x**", "bl(https://a.example/x)"),
            ("http *a*", "(http )i(a)"),
            ("[t](https://a.example/(", "([t]()l(https://a.example/()"),
            (
                "[https://good.example](https://evil.example/)",
                "([)l(https://good.example)(]()l(https://evil.example/)())",
            ),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
        let kibana = runs("[k](https://k.example/#/?_g=(a:!(),b:(c)))");
        assert_eq!(
            kibana[0].link.as_ref().unwrap().as_str(),
            "https://k.example/#/?_g=(a:!(),b:(c))"
        );
    }
}
