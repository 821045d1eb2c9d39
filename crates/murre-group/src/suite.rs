//! The constants of the group layer: one ciphersuite, one lifetime, one configuration.
//!
//! Nothing here is negotiated. A key package or Welcome that says anything else is refused, so two members can
//! never hold different opinions about how their group is configured, and the configuration is never stored.

use openmls::group::{
    MlsGroupCreateConfig, MlsGroupJoinConfig, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, WireFormatPolicy,
};
use openmls::prelude::{
    Capabilities, Ciphersuite, CredentialType, ExtensionType, Lifetime, ProtocolVersion,
    SenderRatchetConfiguration,
};

/// `0x004E`: ML-KEM-768 + X25519, AES-256-GCM, SHA-384, Ed25519 (draft-ietf-mls-pq-ciphersuites).
pub const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519;

/// Most leaves of one group.
pub const MAX_LEAVES: usize = 256;
/// Longest key package, bytes. One is about 2.9 KB.
pub const MAX_KEY_PACKAGE: usize = 8 * 1024;
/// Longest Welcome, bytes. With the whole tree of [`MAX_LEAVES`] leaves it is about 0.7 MB.
pub const MAX_WELCOME: usize = 1024 * 1024;
/// Longest plaintext of one application message, bytes.
pub const MAX_PLAINTEXT: usize = 256 * 1024;
/// Longest associated data of one application message, bytes.
pub const MAX_AAD: usize = 1024;
/// Longest application message, bytes: plaintext, associated data and MLS framing.
pub const MAX_CIPHERTEXT: usize = MAX_PLAINTEXT + MAX_AAD + 1024;
/// Longest leaf credential, bytes. A device certificate is about 200.
pub const MAX_CREDENTIAL: usize = 1024;
/// How many of a sender's newest generations may be opened in any order; the keys of older ones are gone.
pub const OUT_OF_ORDER_TOLERANCE: u32 = 256;
/// How many generations a sender may be ahead of the next one that is expected.
pub const MAX_FORWARD_DISTANCE: u32 = 10_000;

const WIRE: WireFormatPolicy = PURE_CIPHERTEXT_WIRE_FORMAT_POLICY;

/// The only lifetime a leaf may have. Freshness is judged by the layer above; validity reads no clock.
pub(crate) fn lifetime() -> Lifetime {
    Lifetime::init(0, u64::MAX)
}

/// What every leaf of ours says it can do. The OpenMLS default lists no post-quantum suite.
pub(crate) fn capabilities() -> Capabilities {
    Capabilities::builder()
        .versions(vec![ProtocolVersion::Mls10])
        .ciphersuites(vec![SUITE])
        .extensions(vec![ExtensionType::LastResort])
        .proposals(Vec::new())
        .credentials(vec![CredentialType::Basic])
        .build()
}

fn ratchet() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(OUT_OF_ORDER_TOLERANCE, MAX_FORWARD_DISTANCE)
}

/// The configuration of the creator.
pub(crate) fn create_config() -> MlsGroupCreateConfig {
    MlsGroupCreateConfig::builder()
        .ciphersuite(SUITE)
        .lifetime(lifetime())
        .capabilities(capabilities())
        .wire_format_policy(WIRE)
        .padding_size(0)
        .max_past_epochs(0)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(true)
        .sender_ratchet_configuration(ratchet())
        .build()
}

/// The configuration of a joiner, and of every group that is loaded from rows.
pub(crate) fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(WIRE)
        .padding_size(0)
        .max_past_epochs(0)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(true)
        .sender_ratchet_configuration(ratchet())
        .build()
}
