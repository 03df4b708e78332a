//! Slack's mrkdwn as Markdown, and either as plain text (<https://docs.slack.dev/messaging/formatting-message-text>).

/// The Markdown that shows the same as a text in mrkdwn.
pub(super) fn markdown(mrkdwn: &str) -> String {
    let mut out = String::with_capacity(mrkdwn.len() + 16);
    for (at, part) in mrkdwn.split("```").enumerate() {
        if at % 2 == 0 {
            lines(part, &mut out);
        } else {
            // A fence stands on lines of its own in Markdown.
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            out.push_str("```\n");
            out.push_str(unescaped(part).trim_matches('\n'));
            out.push_str("\n```\n");
        }
    }
    out.truncate(out.trim_end().len());
    out
}

fn lines(part: &str, out: &mut String) {
    for (at, line) in part.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let indent = line.len() - line.trim_start().len();
        let (space, rest) = line.split_at(indent);
        out.push_str(space);
        if let Some(item) = rest.strip_prefix('•').or_else(|| rest.strip_prefix('◦')) {
            out.push_str("- ");
            inline(item.trim_start(), out);
        } else if let Some(quoted) = rest.strip_prefix("&gt;") {
            out.push_str("> ");
            inline(quoted.trim_start(), out);
        } else {
            inline(rest, out);
        }
    }
}

fn inline(mut rest: &str, out: &mut String) {
    while let Some(at) = rest.find(['*', '~', '<', '`']) {
        let (before, marked) = rest.split_at(at);
        out.push_str(&unescaped(before));
        let is_after_word = before.ends_with(char::is_alphanumeric);
        rest = marked_up(marked, is_after_word, out);
    }
    out.push_str(&unescaped(rest));
}

/// Writes what a text begins with, which is a mark; returns what follows.
fn marked_up<'t>(text: &'t str, is_after_word: bool, out: &mut String) -> &'t str {
    let mark = text.chars().next().unwrap_or_default();
    let rest = text.get(mark.len_utf8()..).unwrap_or_default();
    match mark {
        '<' => {
            if let Some((inner, after)) = bracketed(rest) {
                reference(inner, out);
                return after;
            }
        }
        '`' => {
            if let Some((code, after)) = rest.split_once('`') {
                out.push('`');
                out.push_str(&unescaped(code));
                out.push('`');
                return after;
            }
        }
        _ if !is_after_word => {
            if let Some((inner, after)) = span(rest, mark) {
                // Descriptions know no strikethrough: the reader sees the marks.
                let written = if mark == '*' { "**" } else { "~" };
                out.push_str(written);
                inline(inner, out);
                out.push_str(written);
                return after;
            }
            // Some tools write Markdown's own marks.
            let doubled: String = [mark, mark].into_iter().collect();
            if let Some(after) = text.strip_prefix(doubled.as_str()) {
                out.push_str(&doubled);
                return after;
            }
        }
        _ => {}
    }
    out.push(mark);
    rest
}

/// What stands before the bracket that ends a reference, and what follows. A reference holds no bracket and no line break, so a text of
/// nothing but brackets is not searched to its end for each of them.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let end = text.find(['>', '<', '\n'])?;
    let (inner, rest) = text.split_at(end);
    Some((inner, rest.strip_prefix('>')?))
}

/// The text up to the mark that ends it, and what follows: no space stands inside at either end, and no word right behind it.
fn span(text: &str, mark: char) -> Option<(&str, &str)> {
    let (inner, after) = text.split_once(mark)?;
    let is_tight = !inner.is_empty()
        && !inner.starts_with(char::is_whitespace)
        && !inner.ends_with(char::is_whitespace);
    let ends = !after.starts_with(char::is_alphanumeric) && !after.starts_with(mark);
    (is_tight && ends).then_some((inner, after))
}

/// What stands in angle brackets: a link, or somebody who is mentioned.
fn reference(inner: &str, out: &mut String) {
    let (target, label) = match inner.split_once('|') {
        Some((target, label)) => (target, Some(label).filter(|label| !label.is_empty())),
        None => (inner, None),
    };
    let mut letters = target.chars();
    match letters.next() {
        Some('@') => mention('@', label.unwrap_or(letters.as_str()), out),
        Some('#') => mention('#', label.unwrap_or(letters.as_str()), out),
        // `<!channel>`, `<!date^…|text>`, `<!subteam^…|@team>`.
        Some('!') => match label {
            Some(label) => out.push_str(&unescaped(label)),
            None => mention(
                '@',
                letters.as_str().split('^').next().unwrap_or_default(),
                out,
            ),
        },
        Some(_) => match label {
            Some(label) => out.push_str(&markdown_link(&unescaped(label), &unescaped(target))),
            None => out.push_str(&unescaped(target)),
        },
        None => out.push_str("<>"),
    }
}

/// A link in Markdown. Descriptions know no brackets in labels, so these become look-alikes, which [`plain`] undoes; an address has none
/// that are not escaped (RFC 3986, section 3.2.2).
pub(super) fn markdown_link(label: &str, url: &str) -> String {
    let label = label.replace('[', "［").replace(']', "］");
    let url = url.replace('[', "%5B").replace(']', "%5D");
    format!("[{label}]({url})")
}

fn mention(sign: char, name: &str, out: &mut String) {
    out.push(sign);
    out.push_str(&unescaped(name.trim_start_matches(sign)));
}

/// The three letters that Slack has escaped.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// Markdown without its marks, in one line: titles and fields show plain text.
pub(super) fn plain(markdown: &str) -> String {
    let mut out = String::with_capacity(markdown.len());
    let heading = markdown.trim_start_matches('#');
    let is_heading = heading.is_empty() || heading.starts_with(' ');
    let mut rest = if is_heading { heading } else { markdown }.trim();
    while let Some(at) = rest.find(['*', '`', '[']) {
        let (before, marked) = rest.split_at(at);
        out.push_str(before);
        let is_inside_word = before.ends_with(char::is_alphanumeric);
        rest = unmarked(marked, is_inside_word, &mut out);
    }
    out.push_str(rest);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unmarked<'t>(text: &'t str, is_inside_word: bool, out: &mut String) -> &'t str {
    if let Some(link) = link(text) {
        out.push_str(&label(&link));
        return link.after;
    }
    // An underscore is a part of a name far more often than a mark.
    for mark in ["**", "*", "`"] {
        if let Some((inner, after)) = text
            .strip_prefix(mark)
            .and_then(|rest| rest.split_once(mark))
            && !is_inside_word
            && !inner.is_empty()
            && !inner.starts_with(char::is_whitespace)
            && !inner.ends_with(char::is_whitespace)
            && !after.starts_with(char::is_alphanumeric)
        {
            out.push_str(&plain(inner));
            return after;
        }
    }
    let first = text.chars().next().unwrap_or_default();
    out.push(first);
    text.get(first.len_utf8()..).unwrap_or_default()
}

/// The labels and addresses of the links in Markdown.
pub(super) fn links(markdown: &str) -> Vec<(String, String)> {
    let (mut links, mut rest) = (Vec::new(), markdown);
    while let Some((_, marked)) = rest.split_once('[') {
        rest = marked;
        if let Some(link) = link_of(marked) {
            links.push((plain(&label(&link)), link.url.to_owned()));
            rest = link.after;
        }
    }
    links
}

/// The label of a link as it was written.
fn label(link: &Link<'_>) -> String {
    link.label.replace('［', "[").replace('］', "]")
}

/// A link, and what follows it.
struct Link<'t> {
    label: &'t str,
    url: &'t str,
    after: &'t str,
}

/// The link that a text begins with.
fn link(text: &str) -> Option<Link<'_>> {
    link_of(text.strip_prefix('[')?)
}

/// The link whose bracket was opened before a text. A label may hold one pair of brackets within another, as `[FIRING:1]` is, and a
/// target the parentheses that it closes again.
fn link_of(text: &str) -> Option<Link<'_>> {
    let mut is_within = false;
    let end = text.char_indices().find_map(|(at, letter)| match letter {
        '[' if is_within => Some(None),
        '[' => {
            is_within = true;
            None
        }
        ']' if is_within => {
            is_within = false;
            None
        }
        ']' => Some(Some(at)),
        '\n' => Some(None),
        _ => None,
    })?;
    let (label, rest) = text.split_at(end?);
    let target = rest.strip_prefix("](")?;
    let mut open = 0_usize;
    let end = target
        .char_indices()
        .find_map(|(at, letter)| match letter {
            '(' => {
                open += 1;
                None
            }
            ')' if open == 0 => Some(Some(at)),
            ')' => {
                open -= 1;
                None
            }
            '[' | '\n' | ' ' => Some(None),
            _ => None,
        })?;
    let (url, rest) = target.split_at(end?);
    let after = rest.strip_prefix(')')?;
    Some(Link { label, url, after })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mrkdwn_becomes_markdown() {
        for (mrkdwn, expected) in [
            (
                "*bold* and _soft_ and ~gone~",
                "**bold** and _soft_ and ~gone~",
            ),
            ("2*3*4 and a * b *", "2*3*4 and a * b *"),
            ("**already** bold", "**already** bold"),
            (
                "<https://a.example/x?a=1&amp;b=2|the run>",
                "[the run](https://a.example/x?a=1&b=2)",
            ),
            ("see <https://a.example>", "see https://a.example"),
            (
                "<https://a.example/?q=[1,2]|Explore [prod]>",
                "[Explore ［prod］](https://a.example/?q=%5B1,2%5D)",
            ),
            (
                "<!channel> <!here> <@U123> <@U123|ann> <#C1|data>",
                "@channel @here @U123 @ann #data",
            ),
            (
                "<!subteam^S1|@oncall> <!date^1^{date}|today>",
                "@oncall today",
            ),
            ("a &lt; b &amp;&amp; c", "a < b && c"),
            ("`a *b* &lt;` *`c`*", "`a *b* <` **`c`**"),
            ("• one\n• two", "- one\n- two"),
            ("&gt; said", "> said"),
            (
                "log:\n```x = *1*\ny```\nend",
                "log:\n```\nx = *1*\ny\n```\n\nend",
            ),
            ("*open", "*open"),
            ("< not a link", "< not a link"),
            ("<>", "<>"),
            ("", ""),
        ] {
            assert_eq!(markdown(mrkdwn), expected, "{mrkdwn:?}");
        }
    }

    /// A search to the end for each of them would not end in a day.
    #[test]
    fn a_text_of_nothing_but_marks_is_read_as_it_is() {
        for mark in [
            "<", "[", "*", "~", "`", "_", "[a](", "<a|", "*a ", "•", "&", "~*_`",
        ] {
            let text = mark.repeat(200_000 / mark.len());
            let shown = markdown(&text);
            assert!(shown.len() >= text.trim_end().len() / 2, "{mark}");
            drop((plain(&text), links(&text)));
        }
    }

    #[test]
    fn a_title_has_no_marks() {
        for (text, expected) in [
            (
                "**[FIRING:1]** `disk_full` on *db-1*",
                "[FIRING:1] disk_full on db-1",
            ),
            ("[the run](https://a.example) failed", "the run failed"),
            ("[Foo](https://a.example/Foo_(bar)) failed", "Foo failed"),
            ("[［FIRING:1］ Foo](https://a.example)", "[FIRING:1] Foo"),
            ("[[FIRING:1] Foo](https://a.example)", "[FIRING:1] Foo"),
            ("[a [b [c](https://a.example)", "[a [b c"),
            ("## Late", "Late"),
            ("#1 in #data", "#1 in #data"),
            ("snake_case_name stays", "snake_case_name stays"),
            ("__init__.py and _tmp_ stay", "__init__.py and _tmp_ stay"),
            ("2 * 3 * 4 ~ 5 ~ 6", "2 * 3 * 4 ~ 5 ~ 6"),
            ("a  b\tc", "a b c"),
            ("**open", "**open"),
        ] {
            assert_eq!(plain(text), expected, "{text:?}");
        }
    }
}
