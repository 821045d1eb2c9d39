//! What went over the loopback device: `tcpdump`, and enough of its format to join the halves of a text.

use crate::rig::LIMIT;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

/// A capture that runs. Killed if it is dropped.
pub struct Capture {
    child: Child,
    stderr: BufReader<ChildStderr>,
    seen_last: Receiver<()>,
    reader: Option<JoinHandle<Vec<u8>>>,
}

impl Capture {
    /// Captures everything on loopback from now on; `last` is what will go over it last.
    ///
    /// # Errors
    /// It cannot be captured here, and why.
    pub fn start(last: &'static [u8]) -> Result<Self, String> {
        // To a pipe, packet by packet, so that its end can be seen. Not with `--immediate-mode`, in which every packet,
        // however small, takes a place of the largest size: the buffer has to hold what all tests of this program
        // together send while tcpdump has no processor.
        let args = ["-i", "lo", "-n", "-U", "-B", "65536", "-w", "-"];
        let mut child = Command::new("tcpdump")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("tcpdump: {error}"))?;
        let mut stdout = child.stdout.take().expect("a pipe");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        while !said.contains("listening on") {
            if stderr.read_line(&mut said).expect("tcpdump's words") == 0 {
                let _ = child.wait();
                return Err(said.trim().replace('\n', "; "));
            }
        }
        let (tell, seen_last) = channel();
        let reader = std::thread::spawn(move || {
            let (mut file, mut chunk) = (Vec::new(), vec![0; 1 << 16]);
            while let Ok(n @ 1..) = stdout.read(&mut chunk) {
                let from = file.len().saturating_sub(last.len());
                file.extend_from_slice(&chunk[..n]);
                if file[from..].windows(last.len()).any(|window| window == last) {
                    let _ = tell.send(());
                }
            }
            file
        });
        Ok(Self { child, stderr, seen_last, reader: Some(reader) })
    }

    /// Ends it once it has seen what was to be the last; answers what it saw.
    pub fn finish(mut self) -> Captured {
        self.seen_last.recv_timeout(LIMIT).expect("the last packet in the capture");
        let interrupt = ["-c", "kill -INT \"$1\"", "sh", &self.child.id().to_string()];
        assert!(Command::new("sh").args(interrupt).status().expect("kill").success());
        let file = self.reader.take().expect("a reader").join().expect("a reader that ends");
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).expect("tcpdump's words");
        assert!(self.child.wait().expect("an end").success(), "tcpdump: {said}");
        assert!(said.lines().any(|line| line == "0 packets dropped by kernel"), "a hole: {said}");
        Captured { flows: flows(&file), file }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was captured.
pub struct Captured {
    /// The capture as `tcpdump` wrote it: every packet with its headers.
    pub file: Vec<u8>,
    /// What each end of each TCP connection said, without headers and in one piece.
    pub flows: Vec<Vec<u8>>,
}

/// One direction of a TCP connection.
#[derive(Default)]
struct Flow {
    said: Vec<u8>,
    next: Option<u32>,
}

impl Flow {
    fn take(&mut self, syn: bool, sequence: u32, payload: &[u8]) {
        if syn {
            self.next = Some(sequence.wrapping_add(1));
            return;
        }
        // What was sent again is known already.
        let known = self.next.map_or(0, |next| next.wrapping_sub(sequence));
        let known = if known > u32::MAX / 2 { 0 } else { known as usize };
        if let Some(new) = payload.get(known..)
            && !new.is_empty()
        {
            self.said.extend_from_slice(new);
            self.next = Some(sequence.wrapping_add(payload.len() as u32));
        }
    }
}

/// Joins what TCP carried over IPv4, which is all that these tests use.
fn flows(file: &[u8]) -> Vec<Vec<u8>> {
    const HEADER: usize = 24;
    const ETHERNET: usize = 14;
    let number: fn([u8; 4]) -> u32 = match file[..4] {
        [0xd4, 0xc3, 0xb2, 0xa1] => u32::from_le_bytes,
        [0xa1, 0xb2, 0xc3, 0xd4] => u32::from_be_bytes,
        _ => panic!("not a capture: {:x?}", &file[..4]),
    };
    let mut flows: BTreeMap<[u8; 12], Flow> = BTreeMap::new();
    let mut at = HEADER;
    while let Some(header) = file.get(at..at + 16) {
        let length = number(header[8..12].try_into().expect("four bytes")) as usize;
        let packet = &file[at + 16..at + 16 + length];
        at += 16 + length;
        if packet.get(12..14) != Some(&[8, 0]) || packet[ETHERNET + 9] != 6 {
            continue;
        }
        let ip = &packet[ETHERNET..];
        let tcp = &ip[usize::from(ip[0] & 15) * 4..];
        let mut ends = [0; 12];
        ends[..8].copy_from_slice(&ip[12..20]);
        ends[8..].copy_from_slice(&tcp[..4]);
        let sequence = u32::from_be_bytes(tcp[4..8].try_into().expect("four bytes"));
        let payload = &tcp[usize::from(tcp[12] >> 4) * 4..];
        flows.entry(ends).or_default().take(tcp[13] & 2 != 0, sequence, payload);
    }
    flows.into_values().map(|flow| flow.said).collect()
}

#[test]
fn what_tcp_sends_again_is_joined_once() {
    let mut flow = Flow::default();
    flow.take(true, u32::MAX - 3, b"");
    flow.take(false, u32::MAX - 2, b"over t");
    flow.take(false, u32::MAX - 2, b"over t");
    flow.take(false, 0, b"r the edge");
    flow.take(false, 1, b" the");
    assert_eq!(flow.said, b"over the edge");
}
