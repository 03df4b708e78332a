//! Cutting a long text in its middle: logs and tracebacks have their cause in the last lines.

/// The line that stands where characters were left out: `… 2,140 characters left out …`.
pub fn left_out_notice(chars: usize) -> String {
    format!("… {} characters left out …", with_commas(chars))
}

/// How many characters a line says are left out, if it is such a notice.
pub fn left_out_by(line: &str) -> Option<usize> {
    let number = line
        .strip_prefix("… ")?
        .strip_suffix(" characters left out …")?;
    number.replace(',', "").parse().ok()
}

/// The text cut to `chars_max` characters, as much of its beginning as of its end, between lines where that wastes
/// little; nothing if it is no longer than that.
pub(crate) fn without_middle(text: &str, chars_max: usize) -> Option<String> {
    // A string of at most `chars_max` bytes has at most `chars_max` characters.
    if text.len() <= chars_max {
        return None;
    }
    let chars = text.chars().count();
    if chars <= chars_max {
        return None;
    }
    let room = chars_max.saturating_sub(left_out_notice(chars).chars().count() + 2) / 2;
    let byte_of = |char: usize| {
        text.char_indices()
            .nth(char)
            .map_or(text.len(), |(at, _)| at)
    };
    let head = text.get(..byte_of(room))?;
    let tail = text.get(byte_of(chars - room)..)?;
    let head = match head.rsplit_once('\n') {
        Some((lines, part)) if part.chars().count() < room / 4 => lines,
        _ => head.trim_end(),
    };
    let tail = match tail.split_once('\n') {
        Some((part, lines)) if part.chars().count() < room / 4 => lines,
        _ => tail.trim_start(),
    };
    let left_out = chars - head.chars().count() - tail.chars().count();
    Some(format!("{head}\n{}\n{tail}", left_out_notice(left_out)))
}

fn with_commas(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_goes_and_is_counted() {
        let lines: Vec<_> = (0..200).map(|n| format!("line {n}")).collect();
        let text = lines.join("\n");
        let cut = without_middle(&text, 200).unwrap();
        assert!(cut.chars().count() <= 200, "{cut}");
        assert!(
            cut.starts_with("line 0\n") && cut.ends_with("\nline 199"),
            "{cut}"
        );
        let notice = cut.lines().find_map(left_out_by).unwrap();
        let shown: usize = cut
            .lines()
            .filter(|line| left_out_by(line).is_none())
            .map(|line| line.chars().count() + 1)
            .sum();
        assert_eq!(notice + shown, text.chars().count() + 2);
        assert_eq!(without_middle("short", 200), None);
        let long = without_middle(&"ä".repeat(300), 100).unwrap();
        assert!(
            long.chars().count() <= 100 && long.contains("ä\n… "),
            "{long}"
        );
    }

    #[test]
    fn counts_are_read_as_they_are_written() {
        for chars in [0, 999, 1_000, 12_345, 1_234_567] {
            assert_eq!(left_out_by(&left_out_notice(chars)), Some(chars));
        }
        assert_eq!(left_out_notice(2_140), "… 2,140 characters left out …");
    }
}
