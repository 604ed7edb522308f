//! What would change in a file, for eyes and for `patch`.

/// A unified diff without context of two texts; empty when they are the same.
///
/// Lines at the beginning and the end that both have are left out; between them the longest common
/// subsequence decides. Files here have a few hundred lines.
#[must_use]
pub fn diff((old_name, new_name): (&str, &str), old: &str, new: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let lengths = common(&a, &b);
    let length = |i: usize, j: usize| {
        let row = lengths.get(i);
        row.and_then(|row| row.get(j)).copied().unwrap_or(0)
    };
    let (mut i, mut j) = (0, 0);
    let mut out = String::new();
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a.get(i) == b.get(j) {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        let (from_a, from_b) = (i, j);
        let (mut gone, mut come) = (String::new(), String::new());
        while i < a.len() || j < b.len() {
            match (a.get(i), b.get(j)) {
                (Some(x), Some(y)) if x == y => break,
                (Some(x), other) if other.is_none() || length(i + 1, j) >= length(i, j + 1) => {
                    gone += &format!("-{x}\n");
                    i += 1;
                }
                (_, Some(y)) => {
                    come += &format!("+{y}\n");
                    j += 1;
                }
                (Some(_) | None, None) => break,
            }
        }
        out += &format!(
            "@@ -{} +{} @@\n{gone}{come}",
            range(from_a, i - from_a),
            range(from_b, j - from_b)
        );
    }
    if out.is_empty() {
        return out;
    }
    format!("--- {old_name}\n+++ {new_name}\n{out}")
}

/// First line and count as `patch` reads them: an empty range names the line before it.
fn range(from: usize, count: usize) -> String {
    match count {
        0 => format!("{from},0"),
        1 => format!("{}", from + 1),
        n => format!("{},{n}", from + 1),
    }
}

/// Length of the longest common subsequence of the rests from each pair of places.
fn common(a: &[&str], b: &[&str]) -> Vec<Vec<u16>> {
    let mut rows = vec![vec![0_u16; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            rows[i][j] = if a[i] == b[j] {
                rows[i + 1][j + 1].saturating_add(1)
            } else {
                rows[i + 1][j].max(rows[i][j + 1])
            };
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_names_only_what_changes() {
        assert_eq!(
            diff(("x.toml", "x.toml"), "a\nb\n", "a\nc\n"),
            "--- x.toml\n+++ x.toml\n@@ -2 +2 @@\n-b\n+c\n"
        );
        assert_eq!(diff(("x", "x"), "a\n", "a\n"), "");
        assert_eq!(
            diff(("x", "x"), "a\nb\n", "a\nb\n\nc\n"),
            "--- x\n+++ x\n@@ -2,0 +3,2 @@\n+\n+c\n"
        );
        assert_eq!(
            diff(("x", "x"), "", "a\nb\n"),
            "--- x\n+++ x\n@@ -0,0 +1,2 @@\n+a\n+b\n"
        );
        assert_eq!(
            diff(("x", "x"), "a\nb\nc\n", "c\n"),
            "--- x\n+++ x\n@@ -1,2 +0,0 @@\n-a\n-b\n"
        );
    }
}
