use super::*;
use clap::{CommandFactory as _, error::ErrorKind};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

fn build(line: &str) -> BuildArgs {
    match parse(line).unwrap().command {
        Command::Build(args) => *args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_definition_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_shows_every_command_the_examples_and_the_exit_codes() {
    let help = Cli::command().render_long_help().to_string();
    let shown = "up build builds show watch cancel logs demo doctor bench scripted-model";
    for word in shown.split(' ').chain(["Examples:", "Exit codes:", "BUILDWRIGHT_DATA_DIR", "--server <URL>"])
    {
        assert!(help.contains(word), "{word} is missing in\n{help}");
    }
    assert!(!help.contains("supervise"), "internal: {help}");
}

#[test]
fn every_command_explains_itself() {
    for command in Cli::command().get_subcommands() {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
        }
    }
}

#[test]
fn where_things_are_can_be_said_before_and_after_the_command() {
    for line in ["buildwright --server http://a up", "buildwright up --server http://a"] {
        assert_eq!(parse(line).unwrap().global.server.as_deref(), Some("http://a"), "{line}");
    }
}

#[test]
fn a_build_needs_something_to_build() {
    let error = parse("buildwright build").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument);
    assert_eq!(error.exit_code(), 2);
    assert_eq!(build("buildwright build --plan p.json").prompt, None);
    assert_eq!(build("buildwright build hello").prompt.as_deref(), Some("hello"));
    assert!(parse("buildwright build hello --file p.md").is_err(), "two prompts");
}

#[test]
fn labels_are_pairs() {
    let args = build("buildwright build hello -l team=web -l note=a=b");
    assert_eq!(args.label, [("team".into(), "web".into()), ("note".into(), "a=b".into())]);
    assert!(parse("buildwright build hello -l team").is_err());
}

#[test]
fn one_thing_of_a_build_is_shown_at_a_time() {
    let Command::Show(args) = parse("buildwright show bld_1 --diff").unwrap().command else { panic!() };
    assert_eq!(args.what(), What::Diff);
    assert!(parse("buildwright show bld_1 --diff --plan").is_err());
}
