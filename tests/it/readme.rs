//! What the README says of the program is so.

use switchboard::config;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// Between `<!-- name: begin -->` and its end.
fn part<'a>(readme: &'a str, name: &str) -> &'a str {
    let begin = format!("<!-- {name}: begin -->\n");
    let from = readme.find(&begin).expect("the part begins") + begin.len();
    let to = readme[from..].find(&format!("<!-- {name}: end -->")).expect("the part ends");
    &readme[from..from + to]
}

/// With `UPDATE_README=1` the table is put there instead.
#[test]
fn the_table_of_settings_is_the_programs_own() {
    let readme = std::fs::read_to_string(PATH).unwrap();
    let there = part(&readme, "settings");
    if std::env::var_os("UPDATE_README").is_some() {
        let at = there.as_ptr() as usize - readme.as_ptr() as usize;
        let (before, after) = (&readme[..at], &readme[at + there.len()..]);
        return std::fs::write(PATH, [before, &config::table(), after].concat()).unwrap();
    }
    assert_eq!(there, config::table(), "UPDATE_README=1 tests/run -- readme:: puts it there");
}

#[test]
fn every_command_stands_in_the_readme() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_switchboard")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let commands = commands.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    let readme = std::fs::read_to_string(PATH).unwrap();
    let missing: Vec<&str> =
        commands.filter(|name| *name != "help" && !readme.contains(&format!("`switchboard {name}"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
