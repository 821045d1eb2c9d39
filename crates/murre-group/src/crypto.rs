//! The crypto provider: RustCrypto's arithmetic, our randomness, one suite.
//!
//! OpenMLS draws randomness in two ways: through `OpenMlsRand`, and inside `hpke_seal`, which RustCrypto answers
//! from its own generator. Both are replaced, so that every byte of a key package, Welcome, message and row is a
//! function of the engine's inputs and one 32-byte seed:
//!
//! ```text
//!   OpenMlsRand            BLAKE3-KDF("murre v1 group random", seed || counter++)
//!   hpke_seal              BLAKE3-KDF("murre v1 group encapsulate", seed || counter || pk || info || aad || pt)
//! ```
//!
//! OpenMLS calls `hpke_seal` from several threads at once, in no fixed order. Its randomness is therefore a
//! function of what is sealed, not of how many seals came before; the counter is only read there.
//!
//! A seed serves one operation and is never stored. Operations that must not need randomness (open, flush, load)
//! get a provider without a seed, in which every draw is an error.
//!
//! Ed25519 signatures are verified by the rules of ZIP-215, as everywhere in Murre, so that no crafted signature
//! is valid for one member and invalid for another.

use crate::suite::SUITE;
use hpke_rs::{Hpke, Mode};
use hpke_rs_crypto::types::{AeadAlgorithm, KdfAlgorithm, KemAlgorithm};
use hpke_rs_rust_crypto::HpkeRustCrypto;
use murre_core::{Label, Rng};
use openmls::prelude::{OpenMlsCrypto, tls_codec::SecretVLBytes};
use openmls_rust_crypto::RustCrypto;
use openmls_traits::random::OpenMlsRand;
use openmls_traits::types::{
    AeadType, Ciphersuite, CryptoError, ExporterSecret, HashType, HpkeAeadType, HpkeCiphertext, HpkeConfig,
    HpkeKdfType, HpkeKemType, HpkeKeyPair, KemOutput, SignatureScheme,
};
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

const RANDOM: Label = Label::new("murre v1 group random");
const ENCAPSULATE: Label = Label::new("murre v1 group encapsulate");

/// Bytes of randomness of one X-Wing encapsulation.
const ENCAPSULATION: usize = 64;

/// Randomness was asked for where none may be needed, or a length was impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("randomness is not available in this operation")]
pub struct NoRandomness;

/// The provider of one operation.
// spec: G-3
pub(crate) struct SeededCrypto {
    inner: RustCrypto,
    seed: Option<Zeroizing<[u8; 32]>>,
    counter: AtomicU64,
}

impl SeededCrypto {
    /// For an operation that draws randomness: takes one seed from the machine's generator.
    pub(crate) fn seeded(rng: &mut Rng) -> Self {
        Self { seed: Some(Zeroizing::new(rng.bytes())), ..Self::unseeded() }
    }

    /// For an operation in which any draw is a mistake.
    pub(crate) fn unseeded() -> Self {
        Self { inner: RustCrypto::default(), seed: None, counter: AtomicU64::new(0) }
    }

    fn next(&self, out: &mut [u8]) -> Result<(), NoRandomness> {
        let seed = self.seed.as_ref().ok_or(NoRandomness)?;
        let counter = self.counter.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        RANDOM.fill(&[seed.as_slice(), &counter], out);
        Ok(())
    }

    /// HPKE sender setup in base mode with given KEM randomness (RFC 9180, section 5.1.1).
    fn sender(
        config: &HpkeConfig,
        pk: &[u8],
        info: &[u8],
        randomness: &[u8; ENCAPSULATION],
    ) -> Result<(Vec<u8>, hpke_rs::Context<HpkeRustCrypto>), CryptoError> {
        let HpkeConfig(HpkeKemType::XWingKemDraft6, HpkeKdfType::HkdfSha384, HpkeAeadType::AesGcm256) =
            config
        else {
            return Err(CryptoError::UnsupportedCiphersuite);
        };
        let pk = x_wing::EncapsulationKey::try_from(pk).map_err(|_| CryptoError::InvalidPublicKey)?;
        let (encapsulated, shared) = pk.encapsulate_deterministic(randomness.into());
        let shared = Zeroizing::new(shared.to_vec());
        let context = Hpke::<HpkeRustCrypto>::new(
            Mode::Base,
            KemAlgorithm::XWingDraft06,
            KdfAlgorithm::HkdfSha384,
            AeadAlgorithm::Aes256Gcm,
        )
        .key_schedule(&shared, info, &[], &[])
        .map_err(|_| CryptoError::SenderSetupError)?;
        Ok((encapsulated.to_vec(), context))
    }
}

impl OpenMlsRand for SeededCrypto {
    type Error = NoRandomness;

    fn random_array<const N: usize>(&self) -> Result<[u8; N], NoRandomness> {
        let mut out = [0; N];
        self.next(&mut out)?;
        Ok(out)
    }

    fn random_vec(&self, len: usize) -> Result<Vec<u8>, NoRandomness> {
        let mut out = vec![0; len];
        self.next(&mut out)?;
        Ok(out)
    }
}

impl OpenMlsCrypto for SeededCrypto {
    // Only one suite exists here, so nothing can be downgraded to another.
    // spec: G-1
    fn supports(&self, suite: Ciphersuite) -> Result<(), CryptoError> {
        if suite == SUITE { Ok(()) } else { Err(CryptoError::UnsupportedCiphersuite) }
    }

    fn supported_ciphersuites(&self) -> Vec<Ciphersuite> {
        vec![SUITE]
    }

    fn hkdf_extract(&self, hash: HashType, salt: &[u8], ikm: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        self.inner.hkdf_extract(hash, salt, ikm)
    }

    fn hmac(&self, hash: HashType, key: &[u8], message: &[u8]) -> Result<SecretVLBytes, CryptoError> {
        self.inner.hmac(hash, key, message)
    }

    fn hkdf_expand(
        &self,
        hash: HashType,
        prk: &[u8],
        info: &[u8],
        len: usize,
    ) -> Result<SecretVLBytes, CryptoError> {
        self.inner.hkdf_expand(hash, prk, info, len)
    }

    fn hash(&self, hash: HashType, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.inner.hash(hash, data)
    }

    fn aead_encrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        data: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.inner.aead_encrypt(alg, key, data, nonce, aad)
    }

    fn aead_decrypt(
        &self,
        alg: AeadType,
        key: &[u8],
        ct_tag: &[u8],
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.inner.aead_decrypt(alg, key, ct_tag, nonce, aad)
    }

    // Signature keys are device keys, which are made elsewhere; RustCrypto would take its own randomness here.
    fn signature_key_gen(&self, _: SignatureScheme) -> Result<(Vec<u8>, Vec<u8>), CryptoError> {
        Err(CryptoError::UnsupportedSignatureScheme)
    }

    fn verify_signature(
        &self,
        alg: SignatureScheme,
        data: &[u8],
        pk: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        if alg != SignatureScheme::ED25519 {
            return Err(CryptoError::UnsupportedSignatureScheme);
        }
        let key =
            ed25519_consensus::VerificationKey::try_from(pk).map_err(|_| CryptoError::InvalidPublicKey)?;
        let signature = ed25519_consensus::Signature::try_from(signature)
            .map_err(|_| CryptoError::SignatureDecodingError)?;
        key.verify(&signature, data).map_err(|_| CryptoError::InvalidSignature)
    }

    fn sign(&self, alg: SignatureScheme, data: &[u8], key: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.inner.sign(alg, data, key)
    }

    fn hpke_seal(
        &self,
        config: HpkeConfig,
        pk: &[u8],
        info: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<HpkeCiphertext, CryptoError> {
        let seed = self.seed.as_ref().ok_or(CryptoError::InsufficientRandomness)?;
        let counter = self.counter.load(Ordering::SeqCst).to_be_bytes();
        let mut randomness = Zeroizing::new([0; ENCAPSULATION]);
        ENCAPSULATE.fill(&[seed.as_slice(), &counter, pk, info, aad, plaintext], randomness.as_mut());
        let (kem_output, mut context) = Self::sender(&config, pk, info, &randomness)?;
        let ciphertext = context.seal(aad, plaintext).map_err(|_| CryptoError::HpkeEncryptionError)?;
        Ok(HpkeCiphertext { kem_output: kem_output.into(), ciphertext: ciphertext.into() })
    }

    fn hpke_open(
        &self,
        config: HpkeConfig,
        input: &HpkeCiphertext,
        sk: &[u8],
        info: &[u8],
        aad: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        self.inner.hpke_open(config, input, sk, info, aad)
    }

    fn hpke_setup_sender_and_export(
        &self,
        config: HpkeConfig,
        pk: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<(KemOutput, ExporterSecret), CryptoError> {
        let mut randomness = Zeroizing::new([0; ENCAPSULATION]);
        self.next(randomness.as_mut()).map_err(|_| CryptoError::InsufficientRandomness)?;
        let (kem_output, context) = Self::sender(&config, pk, info, &randomness)?;
        let secret =
            context.export(exporter_context, exporter_length).map_err(|_| CryptoError::ExporterError)?;
        Ok((kem_output, secret.into()))
    }

    fn hpke_setup_receiver_and_export(
        &self,
        config: HpkeConfig,
        enc: &[u8],
        sk: &[u8],
        info: &[u8],
        exporter_context: &[u8],
        exporter_length: usize,
    ) -> Result<ExporterSecret, CryptoError> {
        self.inner.hpke_setup_receiver_and_export(config, enc, sk, info, exporter_context, exporter_length)
    }

    fn derive_hpke_keypair(&self, config: HpkeConfig, ikm: &[u8]) -> Result<HpkeKeyPair, CryptoError> {
        self.inner.derive_hpke_keypair(config, ikm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keypair(crypto: &SeededCrypto) -> HpkeKeyPair {
        crypto.derive_hpke_keypair(SUITE.hpke_config(), &[7; 48]).unwrap()
    }

    #[test]
    fn a_seeded_seal_opens_with_the_stock_provider() {
        let crypto = SeededCrypto::seeded(&mut Rng::from_seed([1; 32]));
        let keys = keypair(&crypto);
        let sealed = crypto.hpke_seal(SUITE.hpke_config(), &keys.public, b"info", b"aad", b"hello").unwrap();
        let stock = RustCrypto::default();
        let opened = stock.hpke_open(SUITE.hpke_config(), &sealed, &keys.private, b"info", b"aad").unwrap();
        assert_eq!(opened, b"hello");
    }

    #[test]
    fn a_stock_seal_opens_with_the_seeded_provider() {
        let crypto = SeededCrypto::unseeded();
        let keys = keypair(&crypto);
        let stock = RustCrypto::default();
        let sealed = stock.hpke_seal(SUITE.hpke_config(), &keys.public, b"info", b"aad", b"hello").unwrap();
        let opened = crypto.hpke_open(SUITE.hpke_config(), &sealed, &keys.private, b"info", b"aad").unwrap();
        assert_eq!(opened, b"hello");
    }

    #[test]
    fn a_seal_depends_on_the_seed_and_on_everything_that_is_sealed_but_on_no_order() {
        let make = |seed: u8| SeededCrypto::seeded(&mut Rng::from_seed([seed; 32]));
        let (one, two, other) = (make(1), make(1), make(2));
        let keys = keypair(&one);
        let seal = |c: &SeededCrypto, info: &[u8], text: &[u8]| {
            c.hpke_seal(SUITE.hpke_config(), &keys.public, info, b"", text).unwrap().kem_output
        };
        let (a, b) = (seal(&one, b"i", b"a"), seal(&one, b"i", b"b"));
        assert_eq!((seal(&two, b"i", b"b"), seal(&two, b"i", b"a")), (b.clone(), a.clone()));
        assert_ne!(a, b);
        assert_ne!(a, seal(&one, b"j", b"a"));
        assert_ne!(a, seal(&other, b"i", b"a"));
    }

    #[test]
    fn without_a_seed_every_draw_is_an_error() {
        let crypto = SeededCrypto::unseeded();
        let keys = keypair(&crypto);
        assert_eq!(crypto.random_array::<4>(), Err(NoRandomness));
        assert_eq!(crypto.random_vec(4), Err(NoRandomness));
        assert!(crypto.hpke_seal(SUITE.hpke_config(), &keys.public, b"", b"", b"").is_err());
        assert!(crypto.signature_key_gen(SignatureScheme::ED25519).is_err());
    }

    #[test]
    fn no_other_suite_exists() {
        let crypto = SeededCrypto::unseeded();
        assert!(crypto.supports(SUITE).is_ok());
        assert!(crypto.supports(Ciphersuite::MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519).is_err());
    }
}
