//! This account says that device is its own.
//!
//! ```text
//! { a: account, d: device, f: flags, v: 1 }   signed by a, label "murre v1 crypto device certificate"
//!   flags  bit 0: may add devices             any other bit: refused
//! ```
//! A certificate has no end: a device is ended by a revocation, never by a clock that an attacker can turn.

use crate::ed25519::acceptable;
use crate::{AccountKey, Signed, SignedBody};
use murre_core::Label;
use murre_core::id::{AccountId, DeviceId};
use serde::{Deserialize, Serialize};

/// The only version.
pub const CERT_VERSION: u8 = 1;
/// Flag: this device may add devices.
pub const MAY_ADD_DEVICES: u8 = 1;

/// What a certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceCertBody {
    /// [`CERT_VERSION`].
    pub v: u8,
    /// Who says it, and signs it.
    pub a: AccountId,
    /// Whose key it is.
    pub d: DeviceId,
    /// Flags; [`MAY_ADD_DEVICES`] or nothing.
    pub f: u8,
}

impl SignedBody for DeviceCertBody {
    const LABEL: Label = Label::new("murre v1 crypto device certificate");
    const LIMIT: usize = 96;

    fn signer(&self) -> [u8; 32] {
        *self.a.as_bytes()
    }

    // spec: C-11
    fn well_formed(&self) -> bool {
        self.v == CERT_VERSION
            && self.f & !MAY_ADD_DEVICES == 0
            && self.a.as_bytes() != self.d.as_bytes()
            && acceptable(self.d.as_bytes())
    }
}

impl DeviceCertBody {
    /// Whether the device may add devices.
    #[must_use]
    pub const fn may_add_devices(&self) -> bool {
        self.f & MAY_ADD_DEVICES != 0
    }

    /// Certifies a device.
    #[must_use]
    pub fn issue(account: &AccountKey, device: DeviceId, may_add_devices: bool) -> DeviceCert {
        let f = if may_add_devices { MAY_ADD_DEVICES } else { 0 };
        let body = Self { v: CERT_VERSION, a: account.id(), d: device, f };
        Signed::new(&body, |label, bytes| account.sign(label, bytes))
    }
}

/// A device certificate.
pub type DeviceCert = Signed<DeviceCertBody>;
