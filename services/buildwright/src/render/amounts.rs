//! Figures as people read them.

use crate::client::wire::Usage;

/// `950`, `1.2k`, `3.4M`.
pub(crate) fn count(number: u64) -> String {
    let scaled = |unit: u64, suffix: &str| {
        let tenths = number / (unit / 10);
        if tenths < 1000 {
            format!("{}.{}{suffix}", tenths / 10, tenths % 10)
        } else {
            format!("{}{suffix}", tenths / 10)
        }
    };
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => scaled(1_000, "k"),
        1_000_000..1_000_000_000 => scaled(1_000_000, "M"),
        _ => scaled(1_000_000_000, "G"),
    }
}

/// `$0.0042`, `$1.25`.
pub(crate) fn dollars(usd: f64) -> String {
    if usd > 0.0 && usd < 1.0 { format!("${usd:.4}") } else { format!("${usd:.2}") }
}

/// `0.8s`, `42s`, `3m 05s`, `2h 10m`.
pub(crate) fn duration(millis: i64) -> String {
    let millis = millis.max(0);
    let seconds = millis / 1000;
    match seconds {
        0..10 => format!("{}.{}s", seconds, millis % 1000 / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `2.1 kB`.
pub(crate) fn bytes(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{:.1} kB", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number as f64 / 1e6),
        _ => format!("{:.1} GB", number as f64 / 1e9),
    }
}

/// `1 file`, `2 files`.
pub(crate) fn of(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// Tokens in and out, and the cost.
pub(crate) fn usage(usage: &Usage) -> String {
    let mut text = format!("{} tokens in, {} out", count(usage.input_tokens), count(usage.output_tokens));
    if usage.cache_read_tokens + usage.cache_creation_tokens > 0 {
        let (read, written) = (count(usage.cache_read_tokens), count(usage.cache_creation_tokens));
        text += &format!(", cache {read} read, {written} written");
    }
    format!("{text}; {}", dollars(usage.cost_usd))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let counts = [0, 999, 1_000, 1_250, 99_940, 100_000, 999_999, 1_000_000, 2_500_000_000].map(count);
        assert_eq!(counts, ["0", "999", "1.0k", "1.2k", "99.9k", "100k", "999k", "1.0M", "2.5G"]);
        let times = [-5, 0, 840, 9_999, 10_000, 185_000, 7_800_000].map(duration);
        assert_eq!(times, ["0.0s", "0.0s", "0.8s", "9.9s", "10s", "3m 05s", "2h 10m"]);
        assert_eq!([0.0, 0.00421, 1.254, 120.0].map(dollars), ["$0.00", "$0.0042", "$1.25", "$120.00"]);
        assert_eq!([12, 2_100, 3_400_000].map(bytes), ["12 B", "2.1 kB", "3.4 MB"]);
        assert_eq!([of(1, "file"), of(0, "task")], ["1 file", "0 tasks"]);
    }
}
