//! The key that secrets are sealed with: given by the operator, or made once for a data directory.

use crate::{
    adapters::{SystemChance, SystemClock},
    data_dir::DataDir,
    settings,
};
use anyhow::{Context as _, anyhow, bail};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use endpoints::{Endpoints, Vault};
use ports::{Chance as _, EndpointSecrets, EventStore};
use seal::{MasterKey, Seal};
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
};

/// The file of a key that was made here.
const FILE: &str = "secret.key";

/// What the operator gave: a file, or else `BUILDWRIGHT_SECRET_KEY`.
pub(crate) fn given(file: Option<&Path>) -> anyhow::Result<Option<SecretString>> {
    match file {
        Some(file) => {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            Ok(Some(text.into()))
        }
        None => Ok(settings::secret_key()),
    }
}

/// The key of a data directory, made if there is none yet.
pub(crate) fn kept_in(data_dir: &DataDir) -> anyhow::Result<SecretString> {
    let file = data_dir.root().join(FILE);
    if file.exists() {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        return Ok(text.into());
    }
    let text = SecretString::from(BASE64_STANDARD.encode(SystemChance.bytes()?));
    // Renamed when it is whole: nothing is ever sealed with half a key.
    let unfinished = data_dir.scratch().join(FILE);
    let written = || -> std::io::Result<()> {
        let mut new =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        new.write_all(text.expose_secret().as_bytes())?;
        new.sync_all()?;
        fs::rename(&unfinished, &file)?;
        File::open(data_dir.root())?.sync_all()
    };
    written().with_context(|| format!("cannot write {}", file.display()))?;
    Ok(text)
}

/// What seals with the first of some keys, and opens what was sealed with any of them.
pub(crate) fn seal(keys: &SecretString) -> anyhow::Result<Seal> {
    let texts = keys.expose_secret().split([',', ' ', '\n', '\r', '\t']).filter(|text| !text.is_empty());
    let mut keys = Vec::new();
    for text in texts {
        let key: MasterKey = text.parse().map_err(|error| anyhow!("the key that seals secrets {error}"))?;
        keys.push(key);
    }
    let mut keys = keys.into_iter();
    let Some(current) = keys.next() else { bail!("the key that seals secrets is empty") };
    Ok(keys.fold(Seal::new(current), Seal::or))
}

/// The webhook endpoints of a store, sealed with these keys.
pub(crate) fn endpoints(
    events: Arc<dyn EventStore>,
    secrets: Arc<dyn EndpointSecrets>,
    keys: &SecretString,
) -> anyhow::Result<Arc<Endpoints>> {
    let vault = Vault::new(secrets, seal(keys)?, Arc::new(SystemChance));
    Ok(Arc::new(Endpoints::new(events, vault, Arc::new(SystemClock))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_data_directory_gets_a_key_once_that_nobody_else_reads() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(folder.path(), &[]).unwrap();
        let key = kept_in(&data_dir).unwrap();
        assert!(seal(&key).is_ok());
        assert_eq!(kept_in(&data_dir).unwrap().expose_secret(), key.expose_secret());
        let mode = fs::metadata(data_dir.root().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn of_several_keys_the_first_seals_and_all_open() {
        let text = |byte: u8| BASE64_STANDARD.encode([byte; 32]);
        let old = seal(&text(1).into()).unwrap();
        let both = seal(&format!("{}, {}\n", text(2), text(1)).into()).unwrap();
        let sealed = old.seal(b"owner", b"text", [0; 12]).unwrap();
        assert_eq!(*both.open(b"owner", &sealed).unwrap(), b"text");
        let anew = both.seal(b"owner", b"text", [0; 12]).unwrap();
        assert!(old.open(b"owner", &anew).is_err());
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for text in ["", "\n", "pass phrase", "c2hvcnQ="] {
            let refused = seal(&text.to_owned().into()).unwrap_err().to_string();
            assert!(text.trim().is_empty() || !refused.contains(text), "{refused}");
        }
    }
}
