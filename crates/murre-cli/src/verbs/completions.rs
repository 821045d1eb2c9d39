//! `completions`: scripts made from the command line's own description, so that they cannot grow apart.
//!
//! Each script offers, for the words before the cursor, the verbs and options that may follow, and file names where
//! an option takes one.

use crate::args::{Cli, Shell};
use crate::failure::Done;
use crate::json;
use crate::out::Out;
use clap::{Command, CommandFactory};

/// What may follow one verb.
struct Place {
    /// The words that lead here, without the program's name: `""`, `"invite"`, `"invite list"`.
    path: String,
    /// What may follow: verbs first, then options, each with its help.
    words: Vec<(String, String)>,
}

pub(super) fn run(out: Out, shell: Shell) -> Done {
    let mut command = Cli::command();
    command.build();
    let mut places = Vec::new();
    collect(&command, "", &mut places);
    let (shell, script) = match shell {
        Shell::Bash => ("bash", bash(&places)),
        Shell::Zsh => ("zsh", zsh(&places)),
        Shell::Fish => ("fish", fish(&places)),
    };
    let script = script.trim_end();
    out.show(&json::Completions { shell, script }, |_| script.to_owned())
}

fn collect(command: &Command, path: &str, places: &mut Vec<Place>) {
    let about = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string).unwrap_or_default();
    let visible = || command.get_subcommands().filter(|sub| !sub.is_hide_set());
    let mut words: Vec<(String, String)> =
        visible().map(|sub| (sub.get_name().to_owned(), about(sub.get_about()))).collect();
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        match arg.get_long() {
            Some(long) => words.push((format!("--{long}"), about(arg.get_help()))),
            None => words.extend(
                arg.get_possible_values().iter().map(|value| (value.get_name().to_owned(), String::new())),
            ),
        }
    }
    places.push(Place { path: path.to_owned(), words });
    for sub in visible() {
        collect(sub, format!("{path} {}", sub.get_name()).trim_start(), places);
    }
}

fn names(place: &Place) -> String {
    place.words.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>().join(" ")
}

/// The verbs of the line so far, then what may follow them; file names if nothing fits.
fn bash(places: &[Place]) -> String {
    let cases: String =
        places.iter().map(|place| format!("    '{}') words='{}' ;;\n", place.path, names(place))).collect();
    let verbs: Vec<&str> =
        places.iter().map(|place| place.path.as_str()).filter(|path| !path.is_empty()).collect();
    format!(
        "_murre() {{
  local path='' word words
  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do
    local longer=\"${{path:+$path }}$word\"
    case \"|{}|\" in *\"|$longer|\"*) path=\"$longer\" ;; esac
  done
  case \"$path\" in
{cases}  esac
  COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))
}}
complete -o default -F _murre murre
",
        verbs.join("|")
    )
}

/// zsh runs bash's kind of function through its own `bashcompinit`.
fn zsh(places: &[Place]) -> String {
    format!("#compdef murre\nautoload -U +X bashcompinit && bashcompinit\n{}", bash(places))
}

fn fish(places: &[Place]) -> String {
    let quote = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let mut out = String::from("complete -c murre -f\n");
    for place in places {
        let condition = if place.path.is_empty() {
            "__fish_use_subcommand".to_owned()
        } else {
            place
                .path
                .split(' ')
                .map(|word| format!("__fish_seen_subcommand_from {word}"))
                .collect::<Vec<_>>()
                .join("; and ")
        };
        for (word, help) in &place.words {
            let what = match word.strip_prefix("--") {
                Some(long) => format!("-F -l {long}"),
                None => format!("-a {}", quote(word)),
            };
            out.push_str(&format!("complete -c murre -n {} {what} -d {}\n", quote(&condition), quote(help)));
        }
    }
    out
}
