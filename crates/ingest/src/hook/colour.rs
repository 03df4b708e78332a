//! What a colour says of an alert.

/// What colours mean everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Colour {
    Good,
    Warning,
    Bad,
}

/// A colour below this share of saturation is a grey, which says nothing.
const SATURATED_PERCENT: i32 = 25;

impl Colour {
    /// Reads a name of Slack's or of Adaptive Cards', or a value such as `#d63232`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "danger" | "attention" => Some(Self::Bad),
            "warning" => Some(Self::Warning),
            "good" => Some(Self::Good),
            hex => Self::of_hue(hue(hex.trim_start_matches('#'))?),
        }
    }

    /// By the hue in degrees: reds, ambers, greens.
    const fn of_hue(hue: i32) -> Option<Self> {
        match hue {
            0..=20 | 330..=359 => Some(Self::Bad),
            21..=70 => Some(Self::Warning),
            71..=170 => Some(Self::Good),
            _ => None,
        }
    }
}

/// The hue of a value of six hexadecimal digits, in degrees; nothing of a grey.
fn hue(hex: &str) -> Option<i32> {
    if hex.len() != 6 {
        return None;
    }
    let value = i32::from_str_radix(hex, 16).ok()?;
    let [red, green, blue] = [value >> 16, (value >> 8) & 255, value & 255];
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    let span = most - least;
    if most == 0 || span * 100 / most < SATURATED_PERCENT {
        return None;
    }
    let degrees = if most == red {
        60 * (green - blue) / span
    } else if most == green {
        120 + 60 * (blue - red) / span
    } else {
        240 + 60 * (red - green) / span
    };
    Some(degrees.rem_euclid(360))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_told_apart_by_hue() {
        for (text, colour) in [
            ("danger", Some(Colour::Bad)),
            ("Attention", Some(Colour::Bad)),
            ("#ff0000", Some(Colour::Bad)),
            ("8C1A1A", Some(Colour::Bad)),
            ("#dc3545", Some(Colour::Bad)),
            ("warning", Some(Colour::Warning)),
            ("#ffae42", Some(Colour::Warning)),
            ("#FFC107", Some(Colour::Warning)),
            ("good", Some(Colour::Good)),
            ("2DC72D", Some(Colour::Good)),
            ("#36a64f", Some(Colour::Good)),
            ("#0078d7", None),
            ("#808080", None),
            ("#000000", None),
            ("default", None),
            ("#ff00", None),
            ("#€€", None),
            ("+fffff", None),
        ] {
            assert_eq!(Colour::parse(text), colour, "{text}");
        }
    }
}
