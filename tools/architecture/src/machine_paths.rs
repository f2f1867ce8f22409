//! Paths that mean something on one machine only.

/// Directories under which only one machine has what we mean. Written in two parts, so that
/// this file doesn't hold what it looks for.
const PLACES: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];

/// Names that stand for the reader's own.
const PLACEHOLDERS: [&str; 2] = ["you", "alice"];

/// The first path of one machine in a line, if there is one.
#[must_use]
pub fn machine_path(line: &str) -> Option<&str> {
    PLACES.iter().find_map(|place| {
        line.match_indices(place).find_map(|(start, _)| {
            let starts_a_path = !line[..start].ends_with(is_part_of_path);
            let rest = &line[start + place.len()..];
            let end = rest.find(|character| !is_part_of_path(character)).unwrap_or(rest.len());
            let names_someone = rest.starts_with(char::is_alphanumeric);
            let whose = rest[..end].split('/').next().unwrap_or_default();
            (starts_a_path && names_someone && !PLACEHOLDERS.contains(&whose))
                .then(|| &line[start..start + place.len() + end])
        })
    })
}

/// Of a path or an address, so that the middle of one isn't taken for a start.
fn is_part_of_path(character: char) -> bool {
    character.is_alphanumeric() || "/._-~$}>*".contains(character)
}

#[cfg(test)]
mod tests {
    use super::machine_path;

    #[test]
    fn a_path_into_someones_home_is_found() {
        let line = format!("see {}ann/notes.txt for more", concat!("/ho", "me/"));
        let found = format!("{}ann/notes.txt", concat!("/ho", "me/"));
        assert_eq!(machine_path(&line), Some(found.as_str()));
    }

    #[test]
    fn a_quoted_path_is_found_on_every_kind_of_machine() {
        for place in super::PLACES {
            assert!(machine_path(&format!("\"{place}x\"")).is_some(), "{place}");
        }
    }

    #[test]
    fn a_path_that_only_continues_like_one_is_fine() {
        for line in [
            concat!("/srv/ho", "me/ann"),
            concat!("$PREFIX/ro", "ot/x"),
            concat!("https://example.com/wo", "rk/x"),
            concat!("cd /ho", "me/you/project"),
            concat!("everything below /ho", "me/ stays"),
        ] {
            assert_eq!(machine_path(line), None, "{line}");
        }
    }
}
