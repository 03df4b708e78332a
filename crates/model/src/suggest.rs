//! The nearest known word to a mistyped one, for messages that help.

/// The known word that is at most half its length or three letters away from `word`, or else one that holds it.
pub fn closest_match<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    let letters = letters(word);
    let close = known
        .iter()
        .map(|candidate| (distance(&letters, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 2).min(3))
        .min()
        .map(|(_, candidate)| candidate);
    let word: String = letters.into_iter().collect();
    let holds = |candidate: &&str| {
        word.len() >= 3 && (candidate.contains(&word) || word.contains(candidate))
    };
    close.or_else(|| known.iter().copied().find(holds))
}

/// Whether a word is surely meant for a known one: no more than a quarter of its letters are wrong, missing or too many.
pub fn is_slip_of(word: &str, known: &str) -> bool {
    let letters = letters(word);
    distance(&letters, known) <= known.len() / 4
}

/// The first letters of a word, in lower case.
fn letters(word: &str) -> Vec<char> {
    word.chars().take(80).flat_map(char::to_lowercase).collect()
}

/// The Levenshtein distance, row by row.
fn distance(word: &[char], candidate: &str) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (line, letter) in candidate.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, typed) in word.iter().enumerate() {
            let substituted = diagonal + usize::from(*typed != letter);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[word.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word_and_nonsense_finds_none() {
        let known = ["webhook_url", "name", "severity_filter"];
        assert_eq!(closest_match("webhookUrl", known), Some("webhook_url"));
        assert_eq!(closest_match("nmae", known), Some("name"));
        assert_eq!(closest_match("names", known), Some("name"));
        assert_eq!(closest_match("url", known), Some("webhook_url"));
        assert_eq!(closest_match("colour", known), None);
    }

    #[test]
    fn another_word_is_no_slip() {
        assert!(is_slip_of("sverity", "severity") && is_slip_of("Type", "type"));
        for other in ["time", "content_type", "sv", "sig", "api-version", ""] {
            assert!(
                !is_slip_of(other, "type") && !is_slip_of(other, "severity"),
                "{other}"
            );
        }
    }
}
