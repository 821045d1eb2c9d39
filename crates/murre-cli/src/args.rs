//! The verbs and their options. What does not exist yet is absent, or refused by name in its verb.

use crate::text::help;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "murre", version, about = help::ABOUT, after_help = help::FIRST_STEPS, disable_help_subcommand = true)]
pub struct Cli {
    #[arg(long, global = true, env = "MURRE_HOME", value_name = "DIR", help = help::HOME)]
    pub home: Option<PathBuf>,
    #[arg(long, global = true, help = help::JSON)]
    pub json: bool,
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    #[command(about = help::INIT)]
    Init(Init),
    #[command(about = help::UP)]
    Up(Up),
    #[command(about = help::PROTECT)]
    Protect(Protect),
    #[command(about = help::WIPE)]
    Wipe(Wipe),
    #[command(about = help::NODE)]
    Node(Node),
    #[command(about = help::DEVNET)]
    Devnet(Devnet),
    #[command(about = help::DEMO)]
    Demo(Demo),
    #[command(about = help::INVITE, args_conflicts_with_subcommands = true)]
    Invite(Invite),
    #[command(about = help::CONTACT, subcommand)]
    Contact(Contact),
    #[command(about = help::ACCEPT)]
    Accept(Who),
    #[command(about = help::BLOCK)]
    Block(Who),
    #[command(about = help::UNBLOCK)]
    Unblock(Who),
    #[command(about = help::VERIFY)]
    Verify(Verify),
    #[command(about = help::RENAME)]
    Rename(Rename),
    #[command(about = help::CHAT, subcommand)]
    Chat(Chat),
    #[command(about = help::SEND)]
    Send(Send),
    #[command(about = help::FILE, subcommand)]
    File(FileVerb),
    #[command(about = help::HISTORY)]
    History(History),
    #[command(about = help::STATUS)]
    Status(Status),
    #[command(about = help::READ)]
    Read(Read),
    #[command(about = help::SEARCH)]
    Search(Search),
    #[command(about = help::RECEIPTS)]
    Receipts(Receipts),
    #[command(about = help::WATCH)]
    Watch(Watch),
    #[command(about = help::DOCTOR)]
    Doctor,
    #[command(about = help::COMPLETIONS)]
    Completions(Completions),
}

/// Where the passphrase comes from.
#[derive(Debug, Args)]
pub struct Protection {
    #[arg(long, env = "MURRE_PASSPHRASE_FILE", value_name = "F", help = help::PASSPHRASE)]
    pub passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Init {
    #[arg(long, value_name = "N", help = help::INIT_NAME)]
    pub name: Option<String>,
    #[arg(long, value_name = "F", help = help::INIT_RESTORE)]
    pub restore_phrase_file: Option<PathBuf>,
    #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase"], help = help::INIT_KEYRING)]
    pub keyring: bool,
    #[arg(long, help = help::INIT_PASSPHRASE)]
    pub passphrase: bool,
    #[command(flatten)]
    pub protection: Protection,
}

#[derive(Debug, Args)]
pub struct Protect {
    #[command(flatten)]
    pub new: NewProtection,
    #[command(flatten)]
    pub protection: Protection,
}

/// Exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct NewProtection {
    #[arg(long, value_name = "F", help = help::NEW_PASSPHRASE)]
    pub new_passphrase_file: Option<PathBuf>,
    #[arg(long, help = help::NEW_PASSPHRASE_ASKED)]
    pub new_passphrase: bool,
    #[arg(long, help = help::PROTECT_KEYRING)]
    pub keyring: bool,
    #[arg(long, help = help::PROTECT_KEY_FILE)]
    pub key_file: bool,
}

#[derive(Debug, Args)]
pub struct Wipe {
    #[arg(long, help = help::WIPE_YES)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct Up {
    #[arg(long, value_name = "MULTIADDR", help = help::LISTEN)]
    pub listen: Vec<String>,
    #[arg(long, value_name = "MULTIADDR", help = help::BOOTSTRAP)]
    pub bootstrap: Vec<String>,
    #[arg(long, value_name = "P", help = help::PROFILE)]
    pub profile: Option<String>,
    #[arg(long, value_name = "PORT", conflicts_with = "no_web", help = help::WEB)]
    pub web: Option<u16>,
    #[arg(long, help = help::NO_WEB)]
    pub no_web: bool,
    #[command(flatten)]
    pub protection: Protection,
    #[arg(long, hide = true, help = help::WHILE_STDIN)]
    pub while_stdin: bool,
}

#[derive(Debug, Args)]
pub struct Node {
    #[arg(long, value_name = "MULTIADDR", help = help::LISTEN)]
    pub listen: Vec<String>,
    #[arg(long, value_name = "MULTIADDR", help = help::BOOTSTRAP)]
    pub bootstrap: Vec<String>,
    #[arg(long, value_name = "DIR", help = help::NODE_STORE)]
    pub store: Option<PathBuf>,
    #[command(flatten)]
    pub network: Network,
    #[arg(long, value_name = "MULTIADDR", help = help::NODE_PUBLIC)]
    pub public: Vec<String>,
    #[arg(long, value_name = "BYTES", value_parser = crate::amount::bytes, help = help::NODE_CAPACITY)]
    pub capacity: Option<u64>,
    #[arg(long, value_name = "ADDR:PORT", help = help::NODE_METRICS)]
    pub metrics: Option<std::net::SocketAddr>,
    #[arg(long, requires = "metrics", help = help::NODE_METRICS_PUBLIC)]
    pub metrics_public: bool,
    #[arg(long, value_name = "FILE", help = help::NODE_RECORD)]
    pub record_frames: Option<PathBuf>,
    #[arg(long, hide = true, help = help::WHILE_STDIN)]
    pub while_stdin: bool,
    #[arg(long, hide = true, help = help::TELL)]
    pub tell: bool,
}

/// At most one of them. With neither the node goes on in the network of its store: no public network exists yet that
/// could be meant.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Network {
    #[arg(long, value_name = "F", help = help::NODE_NETWORK)]
    pub network: Option<PathBuf>,
    #[arg(long, help = help::NODE_DEVNET)]
    pub devnet: bool,
}

#[derive(Debug, Args)]
pub struct Devnet {
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64), help = help::DEVNET_NODES)]
    pub nodes: u16,
    #[arg(long, value_name = "D", help = help::DEVNET_DIR)]
    pub dir: Option<PathBuf>,
    #[arg(long, hide = true, help = help::WHILE_STDIN)]
    pub while_stdin: bool,
}

#[derive(Debug, Args)]
pub struct Demo {
    #[arg(long, help = help::DEMO_KEEP)]
    pub keep: bool,
}

#[derive(Debug, Args)]
pub struct Invite {
    #[command(subcommand)]
    pub verb: Option<InviteVerb>,
    #[arg(long, help = help::INVITE_QR)]
    pub qr: bool,
    #[arg(long, help = help::INVITE_PUBLIC)]
    pub public: bool,
    #[arg(long, help = help::INVITE_NEW)]
    pub new: bool,
}

#[derive(Debug, Subcommand)]
pub enum InviteVerb {
    #[command(about = help::INVITE_LIST)]
    List,
    #[command(about = help::INVITE_WITHDRAW)]
    Withdraw {
        #[arg(value_name = "LINK", help = help::LINK)]
        link: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Contact {
    #[command(about = help::CONTACT_ADD)]
    Add {
        #[arg(value_name = "LINK", help = help::LINK)]
        link: String,
        #[arg(long, value_name = "T", default_value = "", hide_default_value = true, help = help::HELLO)]
        hello: String,
    },
    #[command(about = help::CONTACT_LIST)]
    List,
}

#[derive(Debug, Args)]
pub struct Who {
    #[arg(value_name = "C", help = help::WHO)]
    pub contact: String,
}

#[derive(Debug, Args)]
pub struct Verify {
    #[arg(value_name = "C", help = help::WHO)]
    pub contact: String,
    #[arg(long, value_name = "N", conflicts_with_all = ["qr", "clear"], help = help::VERIFY_NUMBER)]
    pub number: Option<String>,
    #[arg(long, value_name = "TEXT", conflicts_with = "clear", help = help::VERIFY_QR)]
    pub qr: Option<String>,
    #[arg(long, help = help::VERIFY_CLEAR)]
    pub clear: bool,
}

#[derive(Debug, Args)]
pub struct Rename {
    #[arg(value_name = "C", help = help::WHO)]
    pub contact: String,
    #[arg(value_name = "N", help = help::NEW_NAME)]
    pub name: String,
}

#[derive(Debug, Subcommand)]
pub enum Chat {
    #[command(about = help::CHAT_LIST)]
    List,
}

#[derive(Debug, Args)]
pub struct Send {
    #[arg(value_name = "CHAT", help = help::WHICH_CHAT)]
    pub chat: String,
    // As the operating system gives it: that it must be UTF-8 is said by the verb, in words.
    #[arg(value_name = "TEXT", allow_negative_numbers = true, required_unless_present = "file", help = help::TEXT)]
    pub text: Option<OsString>,
    #[arg(long, value_name = "PATH", help = help::SEND_FILE)]
    pub file: Vec<PathBuf>,
    #[arg(long, value_name = "M", default_value = "", hide_default_value = true, help = help::REPLY_TO)]
    pub reply_to: String,
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true, help = help::CLIENT_ID)]
    pub client_id: String,
}

#[derive(Debug, Subcommand)]
pub enum FileVerb {
    #[command(about = help::FILE_SAVE)]
    Save {
        #[command(flatten)]
        file: WhichFile,
        #[arg(value_name = "PATH", help = help::FILE_PATH)]
        path: PathBuf,
        #[arg(long, help = help::FILE_OVERWRITE)]
        overwrite: bool,
    },
    #[command(about = help::FILE_CANCEL)]
    Cancel(WhichFile),
    #[command(about = help::FILE_INFO)]
    Info(WhichFile),
}

/// A file of a message.
#[derive(Debug, Args)]
pub struct WhichFile {
    #[arg(value_name = "M", help = help::WHICH_MESSAGE)]
    pub message: String,
    #[arg(value_name = "INDEX", help = help::FILE_INDEX)]
    pub index: u16,
}

#[derive(Debug, Args)]
pub struct History {
    #[arg(value_name = "CHAT", help = help::WHICH_CHAT)]
    pub chat: String,
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000), help = help::LIMIT)]
    pub limit: u32,
    #[arg(long, value_name = "M", help = help::BEFORE)]
    pub before: Option<String>,
    #[arg(long, value_name = "M", conflicts_with = "before", help = help::AFTER)]
    pub after: Option<String>,
}

#[derive(Debug, Args)]
pub struct Status {
    #[arg(value_name = "M", help = help::WHICH_MESSAGE)]
    pub message: String,
}

#[derive(Debug, Args)]
pub struct Read {
    #[arg(value_name = "CHAT", help = help::WHICH_CHAT)]
    pub chat: String,
    #[arg(long, value_name = "M", help = help::UPTO)]
    pub upto: Option<String>,
}

#[derive(Debug, Args)]
pub struct Search {
    #[arg(value_name = "QUERY", help = help::QUERY)]
    pub query: String,
    #[arg(long, value_name = "CHAT", help = help::SEARCH_CHAT)]
    pub chat: Option<String>,
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000), help = help::LIMIT)]
    pub limit: u32,
    #[arg(long, value_name = "M", help = help::SEARCH_BEFORE)]
    pub before: Option<String>,
}

#[derive(Debug, Args)]
pub struct Receipts {
    #[arg(value_name = "CHAT", help = help::RECEIPTS_CHAT)]
    pub chat: Option<String>,
    #[arg(value_name = "on|off|default", help = help::RECEIPTS_SET)]
    pub set: Option<Switch>,
}

/// What to do with a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
    Default,
}

#[derive(Debug, Args)]
pub struct Watch {
    #[arg(long, value_name = "CURSOR", help = help::SINCE)]
    pub since: Option<u64>,
}

#[derive(Debug, Args)]
pub struct Completions {
    #[arg(value_name = "SHELL", help = help::SHELL)]
    pub shell: Shell,
}

/// Shells with a completion script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}
