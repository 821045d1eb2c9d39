//! What people hand to each other: links, requests, contents, frames over live links, and what they type.

use crate::snapshot;
use murre_core::id::PeerKey;
use murre_core::link::MAX_FRAME;
use murre_core::{Cx, Label, LinkCaps, LinkId, LinkKind, LinkUp, Mono, Now, Rng, Turn, Wall, codec};
use murre_device::content::{self, Content, clean_line, kind};
use murre_device::fuzz;
use murre_device::invite::{InviteLink, MAX_HINTS, MAX_LINK};
use murre_device::presence::Presence;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;

/// What was decoded comes back as the bytes it came from.
fn again(encoded: Option<Vec<u8>>, data: &[u8]) -> bool {
    if let Some(encoded) = &encoded {
        assert_eq!(encoded, data, "two byte strings for one value");
    }
    encoded.is_some()
}

fn judge(link: &InviteLink) {
    assert_eq!(link.to_string().parse(), Ok(link.clone()));
    assert_eq!(link.to_qr_text().parse(), Ok(link.clone()));
    assert!(link.to_bytes().len() <= MAX_LINK && link.hints.len() <= MAX_HINTS);
    let name = link.name.as_deref().unwrap_or_default();
    assert_eq!(clean_line(name), name, "a name can turn the line around");
}

/// A pasted link. A link that is understood is written and understood again as the same link, as text and as QR text.
#[must_use]
pub fn fuzz_invite_text(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    match text.parse::<InviteLink>() {
        Ok(link) => judge(&link),
        Err(error) => {
            assert!(!error.hint().is_empty() && !error.to_string().is_empty());
            return false;
        }
    }
    true
}

/// The bytes of a link, as they are and with the checksum mended: it proves nothing and must not be what stands
/// between an attacker and the fields.
#[must_use]
pub fn fuzz_invite_bytes(data: &[u8]) -> bool {
    // The very label of `murre_device::invite`, to mend what mutation breaks.
    let sum = |body: &[u8]| Label::new("murre v1 invite checksum").hash(&[body]);
    let as_it_is = InviteLink::from_bytes(data);
    let mended = data.split_at_checked(data.len().saturating_sub(4)).and_then(|(body, _)| {
        (data.len() <= MAX_LINK).then(|| InviteLink::from_bytes(&[body, sum(body).split_at(4).0].concat()))
    });
    let links = [Some(as_it_is), mended].into_iter().flatten().flatten();
    links.map(|link| judge(&link)).count() > 0
}

/// What a door tells: one byte string for one payload.
#[must_use]
pub fn fuzz_door_payload(data: &[u8]) -> bool {
    again(fuzz::door_payload(data), data)
}

/// An opened request: one byte string for one request.
#[must_use]
pub fn fuzz_request(data: &[u8]) -> bool {
    again(fuzz::request(data), data)
}

/// What a box held: one byte string for one parcel.
#[must_use]
pub fn fuzz_parcel(data: &[u8]) -> bool {
    again(fuzz::parcel(data), data)
}

fn body<T: Serialize + DeserializeOwned>(content: &Content, t: u16) -> bool {
    match content.body::<T>(t) {
        Some(body) => again(Some(codec::encode(&body)), &content.b),
        None => false,
    }
}

/// An envelope and the body of its type: one byte string for each.
#[must_use]
pub fn fuzz_content(data: &[u8]) -> bool {
    let Ok(content) = Content::decode(data) else { return false };
    again(Some(content.encode()), data);
    let _ = body::<content::Binding>(&content, kind::BINDING)
        || body::<content::Text>(&content, kind::TEXT)
        || body::<content::Receipt>(&content, kind::RECEIPT)
        || body::<content::Handover>(&content, kind::HANDOVER)
        || body::<content::Fold>(&content, kind::FOLD)
        || body::<content::Want>(&content, kind::WANT)
        || body::<content::Presence>(&content, kind::PRESENCE)
        || body::<content::Renewal>(&content, kind::RENEWAL)
        || body::<content::Move>(&content, kind::MOVE)
        || body::<content::Resend>(&content, kind::RESEND)
        || body::<content::FileList>(&content, kind::FILES)
        || body::<content::FileAsk>(&content, kind::FILE_ASK)
        || body::<content::FileWord>(&content, kind::FILE_WORD);
    if let Some(list) = content.body::<content::FileList>(kind::FILES) {
        for file in list.f {
            let safe = content::clean_file_name(&file.n);
            assert!(!safe.is_empty() && !safe.contains(['/', '\\', '\0']) && safe != "." && safe != "..");
            let _ = file.shape();
        }
    }
    true
}

/// A frame between devices: one byte string for one frame, and no stranger's frame makes a link live.
#[must_use]
pub fn fuzz_live_frame(data: &[u8]) -> bool {
    let accepted = again(fuzz::live_frame(data), data);
    if data.len() <= MAX_FRAME {
        stranger(data);
    }
    accepted
}

fn stranger(data: &[u8]) {
    let mut presence = Presence::new(vec![(3, [9; 32])]);
    let (store, mut rng, mut ups) = (snapshot::Rows::default(), Rng::from_seed([1; 32]), VecDeque::new());
    let mut tx = Turn::new(&store);
    let now = Now { mono: Mono(1_000), wall: Wall(1_800_000_000_000) };
    let mut cx = Cx::new(now, &mut rng, &mut tx, &mut ups);
    let caps = LinkCaps { mtu: MAX_FRAME, ordered: true, reliable: true, metered: false };
    let (own, peer) = (PeerKey::from_bytes([1; 32]), PeerKey::from_bytes([2; 32]));
    let link = LinkUp { id: LinkId(7), kind: LinkKind::Virtual, caps, own, peer, dialed: false };
    presence.link_up(&mut cx, &link);
    presence.frame(&mut cx, LinkId(7), data);
    assert_eq!(presence.live(), 0, "a stranger proved a secret that nobody has");
}

/// What a person types for a contact, a chat, a message or an invitation: an id that is found is found again by itself,
/// whole.
#[must_use]
pub fn fuzz_names(data: &[u8]) -> bool {
    let Ok(given) = std::str::from_utf8(data) else { return false };
    let view = &snapshot::get().device;
    let mut found = false;
    for (what, answer) in murre::fuzz::names(view, given).into_iter().enumerate() {
        match answer {
            Ok(id) => {
                found = true;
                let itself = murre::fuzz::names(view, &id).into_iter().nth(what);
                // An invitation's id is a name for its link only while the link is one of ours.
                let ours = what != 3 || !matches!(itself, Some(Err(_)));
                assert!(
                    !ours || matches!(itself, Some(Ok(same)) if same == id),
                    "{id} is not found by itself"
                );
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    found
}
