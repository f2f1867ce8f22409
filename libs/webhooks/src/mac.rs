//! HMAC-SHA256.

use hmac::{Hmac, KeyInit, Mac, digest::Key};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

pub(crate) type HmacSha256 = Hmac<Sha256>;

/// A MAC with this key, to be fed.
pub(crate) fn keyed(key: &[u8]) -> HmacSha256 {
    // What HMAC does with a key of any length, done here so that nothing is left that could fail.
    let mut block = Key::<HmacSha256>::default();
    if key.len() > block.len() {
        let digest = Sha256::digest(key);
        block[..digest.len()].copy_from_slice(&digest);
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mac = HmacSha256::new(&block);
    block.as_mut_slice().zeroize();
    mac
}

/// The MAC of several pieces, as if they were one.
pub(crate) fn over(key: &[u8], pieces: &[&[u8]]) -> HmacSha256 {
    let mut mac = keyed(key);
    for piece in pieces {
        mac.update(piece);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_length_are_what_hmac_makes_of_them() {
        for length in [0, 1, 32, 63, 64, 65, 200] {
            let key = vec![7; length];
            let mut reference = HmacSha256::new_from_slice(&key).expect("any length will do");
            reference.update(b"a message");
            let expected = reference.finalize().into_bytes();
            assert_eq!(over(&key, &[b"a ", b"message"]).finalize().into_bytes(), expected, "{length}");
        }
    }
}
