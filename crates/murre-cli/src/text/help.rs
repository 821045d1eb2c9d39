//! What `--help` says.

/// The program in one line.
pub const ABOUT: &str = "A messenger with no server in the middle";
/// Under the list of verbs.
pub const FIRST_STEPS: &str = "First steps:
  murre init --name Ana                 make a home
  murre up --bootstrap ADDRESS          run it, in another terminal
  murre invite                          make a link for a friend
  murre contact add LINK --hello 'hi'   or open theirs
  murre send FRIEND 'good morning'

`murre demo` shows all of it on this machine.";
/// `--home`
pub const HOME: &str = "The home directory of the account [default: the platform's data directory]";
/// `--json`
pub const JSON: &str = "Print one JSON object per line and nothing else; errors too, on standard error";
/// `--passphrase-file`
pub const PASSPHRASE: &str =
    "A file whose first line is the passphrase that protects the home; - is standard input";

/// `init`
pub const INIT: &str = "Make a home: an account and its first device";
/// `init --name`
pub const INIT_NAME: &str = "The name others are offered [default: a friendly one is proposed]";
/// `init --restore-phrase-file`
pub const INIT_RESTORE: &str = "Take the account of these 24 words instead of a new one";

/// `init --keyring`
pub const INIT_KEYRING: &str =
    "Let the keyring of this session (GNOME Keyring, KWallet, KeePassXC) protect the home";

/// `protect`
pub const PROTECT: &str =
    "Change what protects a home that is not running; its messages are not encrypted again";
/// `protect --new-passphrase-file`
pub const NEW_PASSPHRASE: &str =
    "Protect it by the passphrase in the first line of this file; - is standard input";
/// `protect --new-passphrase`
pub const NEW_PASSPHRASE_ASKED: &str = "Protect it by a passphrase that is asked for, twice; without a terminal it is the first line of standard input";
/// `init --passphrase`
pub const INIT_PASSPHRASE: &str = "Protect the home by a passphrase that is asked for, twice; without a terminal it is the first line of standard input";
/// `protect --keyring`
pub const PROTECT_KEYRING: &str = "Protect it by the keyring of this session";
/// `protect --key-file`
pub const PROTECT_KEY_FILE: &str =
    "Protect it by nothing but the rights of a file: whoever copies it can read it";

/// `wipe`
pub const WIPE: &str =
    "Destroy the home's key, then the home; also while it runs, and without its passphrase";
/// `wipe --yes`
pub const WIPE_YES: &str = "Do it: there is no way back";

/// `up`
pub const UP: &str = "Run the home until Ctrl-C: the other verbs talk to it";
/// `up --listen`, `node --listen`
pub const LISTEN: &str = "Listen on this multiaddr, such as /ip4/127.0.0.1/tcp/0; may be repeated";
/// `up --bootstrap`, `node --bootstrap`
pub const BOOTSTRAP: &str = "Begin with this node, /ip4/…/tcp/…/p2p/…; may be repeated";
/// `up --profile`
pub const PROFILE: &str = "How much to spend on hiding who talks to whom; so far only `direct` exists";
/// `up --web`
pub const WEB: &str = "Not in this version: refused";
/// `up --no-web`
pub const NO_WEB: &str = "No effect yet: there is no web app";
/// `--while-stdin`
pub const WHILE_STDIN: &str = "Stop when standard input ends";

/// `node`
pub const NODE: &str = "Run a node that holds other people's sealed mail";
/// `node --store`
pub const NODE_STORE: &str = "Where it keeps its key and the mail";
/// `node --network`
pub const NODE_NETWORK: &str = "The file that describes the network it serves; its hash is the network's id";
/// `node --devnet`
pub const NODE_DEVNET: &str = "Serve the development network: no ageing, cheap puzzles, for one desk";
/// `node --public`
pub const NODE_PUBLIC: &str =
    "Also tell others this address, when it is reached under another one than it listens on";
/// `node --capacity`
pub const NODE_CAPACITY: &str =
    "How much mail it may hold, such as 20GiB [default: half of the free disk, at most 10GiB]";
/// `node --metrics`
pub const NODE_METRICS: &str =
    "Serve the node's numbers for Prometheus here, such as 127.0.0.1:9187; loopback only";
/// `node --metrics-public`
pub const NODE_METRICS_PUBLIC: &str = "Allow --metrics on an address that other machines can reach";
/// `node --record-frames`
pub const NODE_RECORD: &str = "Write every frame that arrives to this new file, to audit what a node can see; it grows without bound, for audits only";

/// `node --tell`
pub const TELL: &str = "Say whenever the number of known nodes or of held boxes has changed";
/// `devnet`
pub const DEVNET: &str = "Run a small network of nodes on this machine until Ctrl-C";
/// `devnet --nodes`
pub const DEVNET_NODES: &str = "How many nodes";
/// `devnet --dir`
pub const DEVNET_DIR: &str = "Keep the nodes' stores here [default: a temporary directory]";

/// `demo`
pub const DEMO: &str = "Play the main job on this machine, with real processes, and check every step";
/// `demo --keep`
pub const DEMO_KEEP: &str = "Leave it running afterwards and say how to join; Ctrl-C ends it";

/// `invite`
pub const INVITE: &str = "Make an invitation: whoever holds the link can ask to talk to you";
/// `invite --qr`
pub const INVITE_QR: &str = "Also draw it as a QR code";
/// `invite --public`
pub const INVITE_PUBLIC: &str =
    "Show the public link that many may hold; make it if there is none. Asking through it costs a puzzle";
/// `invite --new`
pub const INVITE_NEW: &str = "With --public: replace the public link; the old one is read for a week more. A personal link is always new";
/// `invite list`
pub const INVITE_LIST: &str = "Show the open invitations";
/// `invite withdraw`
pub const INVITE_WITHDRAW: &str = "Withdraw an invitation: nobody can ask through it any more";
/// LINK
pub const LINK: &str = "The link, murre:invite/…";

/// `contact`
pub const CONTACT: &str = "Ask someone to talk, or list whom you know";
/// `contact add`
pub const CONTACT_ADD: &str = "Open someone's invitation and ask to talk";
/// `contact add --hello`
pub const HELLO: &str = "A line shown beside the request";
/// `contact list`
pub const CONTACT_LIST: &str = "Show contacts and requests";
/// `accept`
pub const ACCEPT: &str = "Accept someone who asked to talk";
/// `block`
pub const BLOCK: &str = "Silence someone, until unblocked";
/// `unblock`
pub const UNBLOCK: &str = "Take a block back: things stand as they stood before it";
/// `verify`
pub const VERIFY: &str = "Show the safety number shared with someone, or compare it";
/// `verify --number`
pub const VERIFY_NUMBER: &str =
    "Compare these 60 digits (spaces are ignored) and mark the contact as verified";
/// `verify --qr`
pub const VERIFY_QR: &str = "Compare the text of the QR code that the other side shows";
/// `verify --clear`
pub const VERIFY_CLEAR: &str = "Take the mark away";
/// `rename`
pub const RENAME: &str = "Give someone another name, on this device only";
/// C
pub const WHO: &str = "The contact: its name, its id or a prefix of it";
/// N
pub const NEW_NAME: &str = "The new name";

/// `chat`
pub const CHAT: &str = "Show conversations";
/// `chat list`
pub const CHAT_LIST: &str = "Show every chat with its newest message";
/// CHAT
pub const WHICH_CHAT: &str = "The chat: its id, or the contact's name or id";
/// `send`
pub const SEND: &str = "Send a message; its id is printed once it is safe on this device";
/// `file`
pub const FILE: &str = "Save a file of a message, give one up, see how one stands";
/// `file save`
pub const FILE_SAVE: &str = "Save a file, fetching it first if it is not here yet";
/// `file cancel`
pub const FILE_CANCEL: &str = "Give a file up: no longer fetched, or no longer offered";
/// `file info`
pub const FILE_INFO: &str = "How a file stands, here and at the other side";
/// INDEX
pub const FILE_INDEX: &str = "Which of the message's files, from 0";
/// PATH of `file save`
pub const FILE_PATH: &str = "Where to; in a directory it gets its own name, made safe";
/// `--overwrite`
pub const FILE_OVERWRITE: &str = "Replace what is there";
/// `--file`
pub const SEND_FILE: &str = "Send this file; may be given up to 16 times";
/// TEXT
pub const TEXT: &str =
    "The text; `-` reads it from standard input, every byte; after `--` it may begin with a dash";
/// `send --reply-to`
pub const REPLY_TO: &str = "The message it answers";
/// `send --client-id`
pub const CLIENT_ID: &str = "Sending again under the same id never makes a second message";
/// `history`
pub const HISTORY: &str = "Show a chat, oldest first";
/// `history --limit`
pub const LIMIT: &str = "At most so many messages";
/// `history --before`
pub const BEFORE: &str = "Only messages before this one";
/// `status`
pub const STATUS: &str = "Show how far a message is, and why not further";
/// M
pub const WHICH_MESSAGE: &str = "The message's id or a prefix of it";
/// `read`
pub const READ: &str = "Mark everything in a chat as read";
/// `read --upto`
pub const UPTO: &str = "Only what stands up to and including this message";
/// `history --after`
pub const AFTER: &str = "Only messages after this one, from the oldest on";
/// `search`
pub const SEARCH: &str = "Find messages, the newest first";
/// QUERY
pub const QUERY: &str =
    "What to look for: every part between spaces has to occur, as words or the beginning of one";
/// `search --chat`
pub const SEARCH_CHAT: &str = "Only in this chat";
/// `search --before`
pub const SEARCH_BEFORE: &str =
    "Only messages that arrived before this one: the last line of the page before";
/// `receipts`
pub const RECEIPTS: &str = "Tell the others what you have read, and see what they have, or neither";
/// `receipts CHAT`
pub const RECEIPTS_CHAT: &str = "Of this chat only [default: the home, for all chats without a setting]";
/// `receipts on|off|default`
pub const RECEIPTS_SET: &str = "Switch it; `default` lets a chat go by the home again";
/// `watch`
pub const WATCH: &str = "Show what happens, as it happens, until Ctrl-C; with --json also how files go on";
/// `watch --since`
pub const SINCE: &str = "First everything after this cursor; 0 for all that is kept";
/// `doctor`
pub const DOCTOR: &str = "Show network, protection, counters and the version";
/// `completions`
pub const COMPLETIONS: &str = "Print a completion script for a shell";
/// SHELL
pub const SHELL: &str = "Which shell";
