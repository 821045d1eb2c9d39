//! One function per verb. This file only routes.

mod ask;
mod completions;
mod contacts;
mod devnet;
mod doctor;
mod files;
mod home;
mod invite;
mod messages;
mod node;
mod signals;
mod up;
mod watch;

use crate::args::{Chat, Cli, Contact, Verb};
use crate::failure::{Done, Failure};
use crate::out::Out;
use murre::Client;
use std::path::{Path, PathBuf};

pub(crate) use signals::asked_to_stop;

/// What every verb is given.
pub(crate) struct Session {
    pub out: Out,
    /// `--home` or `MURRE_HOME`; the platform's data directory otherwise.
    home: Option<PathBuf>,
}

impl Session {
    /// The home directory.
    ///
    /// # Errors
    /// None was named and this system has no place for one.
    pub fn home(&self) -> Result<PathBuf, Failure> {
        home::resolve(self.home.clone())
    }

    /// The local API of the running home.
    ///
    /// # Errors
    /// None runs.
    pub async fn client(&self) -> Result<Client, Failure> {
        Client::connect(&self.home()?).await.map_err(refused)
    }

    /// Runs one call against the running home.
    ///
    /// # Errors
    /// None runs, or it refused.
    pub async fn call<T, F: Future<Output = Result<T, murre::ClientError>>>(
        &self,
        call: impl FnOnce(Client) -> F,
    ) -> Result<T, Failure> {
        call(self.client().await?).await.map_err(refused)
    }
}

/// Runs the verb.
///
/// # Errors
/// What the user is to be told; nothing was printed on standard error yet.
pub(crate) async fn run(cli: Cli) -> Done {
    let session = Session { out: Out::new(cli.json), home: cli.home };
    match cli.verb {
        Verb::Init(args) => home::init(&session, args),
        Verb::Protect(args) => home::protect(&session, args),
        Verb::Wipe(args) => home::wipe(&session, args).await,
        Verb::Up(args) => up::run(&session, args).await,
        Verb::Node(args) => node::run(&session, args).await,
        Verb::Devnet(args) => devnet::run(&session, args).await,
        Verb::Demo(args) => crate::demo::run(session.out, args).await,
        Verb::Invite(args) => invite::run(&session, args).await,
        Verb::Contact(Contact::Add { link, hello }) => contacts::add(&session, link, hello).await,
        Verb::Contact(Contact::List) => contacts::list(&session).await,
        Verb::Accept(who) => contacts::accept(&session, who.contact).await,
        Verb::Block(who) => contacts::block(&session, who.contact).await,
        Verb::Unblock(who) => contacts::unblock(&session, who.contact).await,
        Verb::Verify(args) => contacts::verify(&session, args).await,
        Verb::Rename(args) => contacts::rename(&session, args).await,
        Verb::Chat(Chat::List) => messages::chats(&session).await,
        Verb::Send(args) => messages::send(&session, args).await,
        Verb::File(verb) => files::run(&session, verb).await,
        Verb::History(args) => messages::history(&session, args).await,
        Verb::Status(args) => messages::status(&session, args).await,
        Verb::Read(args) => messages::read(&session, args).await,
        Verb::Search(args) => messages::search(&session, args).await,
        Verb::Receipts(args) => messages::receipts(&session, args).await,
        Verb::Watch(args) => watch::run(&session, args).await,
        Verb::Doctor => doctor::run(&session).await,
        Verb::Completions(args) => completions::run(session.out, args.shell),
    }
}

/// An error of the local API, or that nobody answers there, with its code: a script that may repeat a `send` has to
/// tell the one from the other.
pub(crate) fn refused(error: murre::ClientError) -> Failure {
    Failure { code: error.code().to_owned(), ..Failure::of(&error, error.hint()) }
}

/// Whether someone sits before this process who can be asked.
pub(crate) fn interactive() -> bool {
    use std::io::IsTerminal;
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Reads a passphrase file; `-` is standard input. Another descriptor is a file as well: `/dev/fd/3`.
///
/// # Errors
/// It cannot be read.
pub(crate) fn passphrase(file: Option<&Path>) -> Result<Option<murre::Passphrase>, Failure> {
    let Some(path) = file else { return Ok(None) };
    let read = if path == Path::new("-") {
        murre::Passphrase::read_line(std::io::stdin().lock())
    } else {
        murre::Passphrase::read_file(path)
    };
    read.map(Some).map_err(|error| Failure::file(path, &error))
}
