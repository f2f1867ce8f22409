//! Text of others on our terminal: a prompt, a file name or what a model says must not drive it.

/// One line of it: escape sequences gone, control and direction characters too, white space joined.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in without_escapes(text).split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// The same, but lines stay lines and indentation stays.
pub(crate) fn clean_lines(text: &str) -> String {
    let lines = text.lines().map(|line| without_escapes(&line.replace('\t', "    ")).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// At most so many characters; the last is `…` if something is missing.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Without escape sequences; what else a terminal or a reader could be fooled with becomes a space or nothing.
fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(character) = chars.next() {
        match character {
            '\u{1b}' => skip_sequence(&mut chars),
            // Eight-bit forms of the same: CSI, and the strings DCS, SOS, OSC, PM, APC.
            '\u{9b}' => skip_control(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut chars),
            _ if character.is_control() || character == '\u{2028}' || character == '\u{2029}' => {
                out.push(' ');
            }
            _ if is_invisible(character) => {}
            _ => out.push(character),
        }
    }
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn skip_sequence(chars: &mut Chars<'_>) {
    match chars.next() {
        Some('[') => skip_control(chars),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(chars),
        // Two characters and a designator, such as `ESC ( B`.
        Some('\u{20}'..='\u{2f}') => {
            chars.next();
        }
        _ => {}
    }
}

/// Up to the final byte of a control sequence.
fn skip_control(chars: &mut Chars<'_>) {
    while chars.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)).is_some() {}
    chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
}

/// Up to the end of a string: `BEL`, `ESC \` or its eight-bit form. A string without an end is no reason to
/// swallow the rest of the line.
fn skip_string(chars: &mut Chars<'_>) {
    let mut ahead = chars.clone();
    while let Some(character) = ahead.next() {
        let ends = match character {
            '\u{7}' | '\u{9c}' => true,
            '\u{1b}' => ahead.next_if_eq(&'\\').is_some(),
            '\n' => return,
            _ => false,
        };
        if ends {
            *chars = ahead;
            return;
        }
    }
}

/// Characters that turn the direction of text or hide in it.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_drive_the_terminal() {
        for (hostile, shown) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}[2J\u{1b}[1;1Hgone?", "gone?"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{1b}]8;;http://evil\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}Pq#0\u{1b}\\sixel", "sixel"),
            ("\u{1b}(Bset", "set"),
            ("\u{9b}31mred", "red"),
            ("\u{9d}0;t\u{9c}x", "x"),
            ("a\rb\u{8}c\u{7}d", "a b c d"),
            ("one\ntwo\u{2028}three", "one two three"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}]never ends", "never ends"),
            ("abc\u{202e}fdp.exe", "abcfdp.exe"),
            ("zero\u{200b}width", "zerowidth"),
            ("plain ünïcode 漢字", "plain ünïcode 漢字"),
        ] {
            let cleaned = clean(hostile);
            assert_eq!(cleaned, shown, "{hostile:?}");
            assert!(!cleaned.chars().any(char::is_control));
        }
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(clean_lines("  a\u{1b}[1m  \n\tb\r\nc"), "  a\n    b\nc");
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("äbcdef", 3), "äb…");
        assert_eq!(cut("abc", 0), "…");
    }
}
