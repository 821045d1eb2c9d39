//! What a run was made of. A generator that never makes what it promises is a broken test.

macro_rules! totals {
    ($($(#[$doc:meta])* $name:ident: $words:literal;)*) => {
        /// Counters of one run, or of many.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Totals {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Totals {
            /// Adds another run.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            /// Every counter with its words.
            #[must_use]
            pub fn table(&self) -> Vec<(&'static str, u64)> {
                vec![$(($words, self.$name),)*]
            }
        }
    };
}

totals! {
    /// Messages that people sent.
    messages: "messages sent";
    /// Messages sent together in one turn with another one.
    packed: "messages sent in bursts";
    /// Client ids used again after an answer or after a crash.
    repeated_ids: "client ids repeated";
    /// Messages above 16 KiB.
    big_texts: "big texts";
    /// Processes that died before a commit.
    crashes_before: "crashes before commit";
    /// Processes that died after a commit and before release.
    crashes_after: "crashes after commit";
    /// Stores that failed a read, an apply or a commit.
    store_faults: "store faults";
    /// Orderly stops and starts.
    restarts: "restarts";
    /// Machines that slept in memory while time went on.
    suspends: "suspends";
    /// Nodes that never came back.
    nodes_lost: "nodes that died for good";
    /// Hosts cut off from the rest.
    partitions: "partitions";
    /// Days slept through by everybody.
    gap_days: "days of absence";
    /// Links that went down by chance.
    link_losses: "link losses";
    /// Frames that vanished with them.
    frames_lost: "frames lost";
    /// Dials nobody answered.
    refused_dials: "refused dials";
    /// Second connections between the same two ends.
    duplicates: "duplicate connections";
    /// Frames carried.
    frames: "frames carried";
    /// Live links between devices that carried messages.
    live_frames: "frames between devices";
    /// Fetches of missing boxes between nodes.
    repairs: "repair fetches";
    /// Boxes sent again with the same bytes.
    re_puts: "re-puts";
    /// Entries put again into a later epoch or another mailbox.
    re_boxed: "entries boxed again";
    /// Conflict answers, honest or not.
    conflicts: "conflict answers";
    /// Requests a hostile node answered with a lie or swallowed.
    lies: "lies told";
    /// Hostile nodes.
    liars: "liars met";
    /// Frames of the flooding stranger.
    floods: "flood frames";
    /// Door slots taken by strangers with a leaked link.
    slots_filled: "requests through a leaked link";
    /// Pairs who asked each other at once.
    both_asked: "pairs that asked each other";
    /// Requests accepted while the asker was off.
    accepted_alone: "accepted while the other was off";
    /// People who were blocked.
    blocks: "people blocked";
    /// People whose block was taken back.
    unblocks: "people unblocked";
    /// Files that people sent.
    files: "files sent";
    /// Files that were named once more by another message.
    files_again: "files sent again";
    /// Files too large for mailboxes.
    large_files: "files over a live link only";
    /// Files that their readers gave up.
    files_given_up: "files given up";
    /// Files that their readers wanted again.
    files_wanted: "files wanted again";
    /// Files that their writers took back.
    files_taken_back: "files taken back";
    /// Files that came whole.
    files_whole: "files that came whole";
    /// Chunks written into blobs.
    chunks: "chunks stored";
    /// Chunks that went into boxes.
    boxed_chunks: "chunks put into boxes";
    /// Processes that died at a batch which writes into a blob.
    crashes_at_blobs: "crashes at a chunk";
    /// Nodes whose disk was full.
    full_nodes: "nodes without room";
    /// Nodes that were asked to leave and said that they can.
    drained: "nodes that left in order";
    /// Messages that were shown as stored.
    stored: "messages shown as stored";
    /// Messages that were shown as read.
    read: "messages shown as read";
}

impl Totals {
    /// All crashes.
    #[must_use]
    pub const fn crashes(&self) -> u64 {
        self.crashes_before + self.crashes_after
    }

    /// What never happened.
    #[must_use]
    pub fn zeros(&self) -> Vec<&'static str> {
        self.table().into_iter().filter(|(_, n)| *n == 0).map(|(words, _)| words).collect()
    }
}
