//! A model of how Slack reads a message, for tests. Where Slack's rules are not certain it reads more than Slack would.

use serde_json::Value;

/// What a reader sees of a text object or a block, the links in it as label and target, and whether a line is a quote.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) text: String,
    pub(super) links: Vec<(String, String)>,
    pub(super) quotes: bool,
}

/// What a reader sees of a section, a context or a rich text.
pub(super) fn block(block: &Value) -> Seen {
    match block["type"].as_str().unwrap() {
        "section" | "context" => {
            let single = block.get("text").into_iter();
            let many = block.get("elements").and_then(Value::as_array);
            joined(single.chain(many.into_iter().flatten()).map(text_object))
        }
        "rich_text" => joined(block["elements"].as_array().unwrap().iter().map(rich)),
        other => unreachable!("{other}"),
    }
}

fn joined(seen: impl Iterator<Item = Seen>) -> Seen {
    let all: Vec<Seen> = seen.collect();
    let texts: Vec<_> = all.iter().map(|seen| seen.text.as_str()).collect();
    Seen {
        text: texts.join("\n"),
        links: all.iter().flat_map(|seen| seen.links.clone()).collect(),
        quotes: all.iter().any(|seen| seen.quotes),
    }
}

/// What a reader sees of a text object.
pub(super) fn text_object(object: &Value) -> Seen {
    let text = object["text"].as_str().unwrap();
    if object["type"] == "mrkdwn" {
        assert_eq!(object["verbatim"], true);
        return mrkdwn(text);
    }
    let tokens = ["<!", "<@", "<#"];
    assert!(!tokens.iter().any(|token| text.contains(token)), "{text:?}");
    Seen {
        text: text.to_owned(),
        ..Seen::default()
    }
}

/// What a reader sees of one element of a rich text: nothing is parsed.
pub(super) fn rich(element: &Value) -> Seen {
    let mut seen = Seen::default();
    for inline in element["elements"].as_array().unwrap() {
        let text = inline["text"].as_str().unwrap();
        assert!(!text.is_empty());
        seen.text.push_str(text);
        match inline["type"].as_str().unwrap() {
            "text" => {}
            "link" => {
                let target = inline["url"].as_str().unwrap().to_owned();
                seen.links.push((text.to_owned(), target));
            }
            other => unreachable!("{other}"),
        }
    }
    seen
}

/// What a reader sees of mrkdwn.
pub(super) fn mrkdwn(text: &str) -> Seen {
    let mut seen = Seen::default();
    let mut rest = text;
    while let Some((before, code, after)) = fence(rest) {
        read_lines(before, &mut seen);
        let code = code.strip_prefix('\n').unwrap_or(code);
        seen.text
            .push_str(&unescaped(code.strip_suffix('\n').unwrap_or(code)));
        rest = after;
    }
    read_lines(rest, &mut seen);
    seen
}

/// The first fenced block that is closed, with what stands before and after it.
fn fence(text: &str) -> Option<(&str, &str, &str)> {
    let (before, from) = text.split_once("```")?;
    let (code, after) = from.split_once("```")?;
    Some((before, code, after))
}

fn read_lines(text: &str, seen: &mut Seen) {
    for (position, line) in text.split('\n').enumerate() {
        if position > 0 {
            seen.text.push('\n');
        }
        read_line(line, seen);
    }
}

fn read_line(line: &str, seen: &mut Seen) {
    seen.quotes |= line.starts_with("&gt;");
    let mut literal = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['<', '`']) {
        let (before, from) = rest.split_at(at);
        literal.push_str(before);
        let code = from
            .strip_prefix('`')
            .and_then(|inner| inner.split_once('`'));
        if let Some((code, after)) = code {
            flush(&mut literal, seen);
            seen.text.push_str(&unescaped(code));
            rest = after;
        } else if let Some((token, after)) = from
            .strip_prefix('<')
            .and_then(|inner| inner.split_once('>'))
        {
            flush(&mut literal, seen);
            read_token(token, seen);
            rest = after;
        } else {
            assert!(from.starts_with('`'), "a broken token: {line:?}");
            literal.push('`');
            rest = from.get(1..).unwrap();
        }
    }
    literal.push_str(rest);
    flush(&mut literal, seen);
}

fn flush(literal: &mut String, seen: &mut Seen) {
    // Escapes are undone first: a `&lt;` ends a URL as `<` does.
    seen.text.push_str(&formatted(&unescaped(literal)));
    literal.clear();
}

fn read_token(token: &str, seen: &mut Seen) {
    let (target, label) = token.split_once('|').unwrap_or((token, token));
    assert!(!label.contains('|'), "{token:?}");
    if target.starts_with("!date^") {
        seen.text.push_str(label);
        return;
    }
    assert!(
        target.starts_with("https://") || target.starts_with("http://"),
        "{token:?}"
    );
    let label = formatted(&unescaped(label));
    seen.text.push_str(&label);
    seen.links.push((label, unescaped(target)));
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// A line without the marks that would be read as formatting, and with its emoji drawn.
fn formatted(line: &str) -> String {
    let chars: Vec<char> = line.chars().collect();
    let at = |index: Option<usize>| {
        index
            .and_then(|index| chars.get(index))
            .copied()
            .unwrap_or(' ')
    };
    let is = |index: usize, mark: char| {
        let wide = match mark {
            '*' => '＊',
            '_' => '＿',
            _ => mark,
        };
        chars[index] == mark || chars[index] == wide
    };
    let mut gone = vec![false; chars.len()];
    let in_url = urls(line);
    for mark in ['*', '_', '~'] {
        let marks: Vec<usize> = (0..chars.len())
            .filter(|index| is(*index, mark) && !in_url[*index])
            .collect();
        for (nth, open) in marks.iter().enumerate() {
            let opens = !at(open.checked_sub(1)).is_ascii_alphanumeric()
                && !at(Some(open + 1)).is_whitespace();
            let close = marks[nth + 1..].iter().find(|close| {
                !at(close.checked_sub(1)).is_whitespace()
                    && !at(Some(*close + 1)).is_ascii_alphanumeric()
            });
            if let Some(close) = close.filter(|_| opens) {
                (gone[*open], gone[*close]) = (true, true);
            }
        }
    }
    let mut at = 0;
    let mut shown = String::new();
    for (piece, link) in crate::autolink::pieces(line) {
        let end = at + piece.chars().count();
        let kept = (at..end)
            .filter(|index| !gone[*index])
            .map(|index| chars[index]);
        let kept: String = kept.collect();
        shown.push_str(&if link.is_some() {
            kept
        } else {
            with_emoji(&kept)
        });
        at = end;
    }
    shown
}

/// Which characters of a line belong to a URL, which Slack links before it looks for marks.
fn urls(line: &str) -> Vec<bool> {
    let pieces = crate::autolink::pieces(line).into_iter();
    pieces
        .flat_map(|(text, link)| text.chars().map(move |_| link.is_some()))
        .collect()
}

/// Any `:name:` that does not stand behind a letter or digit is taken for an emoji.
fn with_emoji(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(':') {
        shown.push_str(before);
        let may_open = !before
            .chars()
            .next_back()
            .is_some_and(|c| c.is_ascii_alphanumeric());
        let name = after
            .split(|c: char| !(c.is_ascii_alphanumeric() || "+-_'".contains(c)))
            .next();
        let name = name.unwrap_or_default();
        match after.get(name.len()..).unwrap().strip_prefix(':') {
            Some(behind) if may_open && !name.is_empty() => {
                shown.push('😀');
                rest = behind;
            }
            _ => {
                shown.push(':');
                rest = after;
            }
        }
    }
    shown + rest
}
