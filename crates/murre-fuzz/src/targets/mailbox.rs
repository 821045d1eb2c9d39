//! What nodes and devices send each other, and what lies in mailboxes.

use crate::seeds;
use murre_crypto::{DeviceCertBody, Signed, SignedBody};
use murre_device::rows::CreateOp;
use murre_mailbox::limits::payload_len;
use murre_mailbox::receipt::ReceiptBody;
use murre_mailbox::{
    DescriptorBody, Frame, ListBody, NetworkFile, ReadBody, RepairBody, SealedBox, SignedObject,
    TombstoneBody,
};

/// A frame of the mailbox layer: one byte string for one frame.
#[must_use]
pub fn fuzz_mailbox_frame(data: &[u8]) -> bool {
    let Ok(frame) = Frame::decode(data) else { return false };
    assert_eq!(frame.encode(), data, "two byte strings for one frame");
    true
}

/// A sealed box: its bytes come back, and only one that a writer sealed verifies.
#[must_use]
pub fn fuzz_sealed_box(data: &[u8]) -> bool {
    let Ok(sealed) = SealedBox::parse(data) else { return false };
    assert_eq!(sealed.wire(), data, "two byte strings for one box");
    if let Ok(verified) = sealed.verify(&seeds::network().params) {
        assert!(seeds::genuine("sealed_box", data), "a box that nobody sealed verifies");
        assert_eq!(verified.wire(), data);
        assert_eq!(Some(verified.payload().len()), payload_len(verified.class()));
    }
    true
}

/// A door's object: its bytes come back, and only one that an owner signed verifies.
#[must_use]
pub fn fuzz_door_object(data: &[u8]) -> bool {
    let Ok(object) = SignedObject::parse(data) else { return false };
    assert_eq!(object.wire(), data, "two byte strings for one object");
    if let Ok(verified) = object.verify(&seeds::network().params) {
        assert!(seeds::genuine("door_object", data), "an object that nobody signed verifies");
        assert_eq!(verified.wire(), data);
    }
    true
}

fn signed<T: SignedBody>(data: &[u8], bytes: &[u8]) -> bool {
    let Ok(signed) = Signed::<T>::from_bytes(bytes) else { return false };
    assert_eq!(signed.bytes(), bytes, "two byte strings for one signed value");
    if let Ok(verified) = signed.verify() {
        assert!(seeds::genuine("signed", data), "what nobody signed verifies");
        assert_eq!(verified.signed().bytes(), bytes);
    }
    true
}

/// What a first byte stands for in [`fuzz_signed`].
const SIGNED: [fn(&[u8], &[u8]) -> bool; 8] = [
    signed::<DeviceCertBody>,
    signed::<ReceiptBody>,
    signed::<ReadBody>,
    signed::<TombstoneBody>,
    signed::<RepairBody>,
    signed::<ListBody>,
    signed::<DescriptorBody>,
    signed::<CreateOp>,
];

/// A signed value of the type the first byte chooses: its bytes come back, and only what was signed verifies.
#[must_use]
pub fn fuzz_signed(data: &[u8]) -> bool {
    let Some((which, bytes)) = data.split_first() else { return false };
    // 5 and 133 choose the same type: the value is what was signed, not the byte before it.
    let which = which % SIGNED.len() as u8;
    let named = [&[which], bytes].concat();
    SIGNED.get(usize::from(which)).is_some_and(|run| run(&named, bytes))
}

/// A network file: one byte string for one network, and one that is read keeps the rules.
#[must_use]
pub fn fuzz_network_file(data: &[u8]) -> bool {
    let Ok(file) = NetworkFile::decode(data) else { return false };
    assert_eq!(file.bytes(), data, "two byte strings, so two ids, for one network");
    assert!(file.check().is_ok());
    true
}
