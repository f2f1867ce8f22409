//! What to run.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::credential::Credential;

/// One run of the CLI. Not `Debug`: its environment may carry secrets.
#[derive(Clone)]
pub struct RunRequest {
    /// The directory the model works in.
    pub cwd: PathBuf,
    /// A directory of this run (or session) alone, outside `cwd`: the CLI's configuration, home,
    /// temporary files and the prompt go there. Sessions are kept there too, so resume with the
    /// same one. Removing it is up to the caller.
    pub private_dir: PathBuf,
    /// What to say. Must not be blank, or the CLI ends without a word.
    pub prompt: String,
    /// The model, always named: the CLI's default changes with the credential.
    pub model: String,
    /// Which conversation.
    pub session: Session,
    /// What the model may do.
    pub tools: ToolPolicy,
    /// What to authenticate with.
    pub credential: Credential,
    /// JSON Schema that the answer must match. The CLI silently ignores one that is invalid.
    pub output_schema: Option<Value>,
    /// Added to the end of the CLI's own system prompt.
    pub append_system_prompt: Option<String>,
    /// Most model turns.
    pub max_turns: Option<u32>,
    /// Most it may cost, in billionths of a US dollar. Checked after each turn only.
    pub max_budget_nano_usd: Option<u64>,
    /// Most times a failed API request is sent again (the CLI takes up to 15).
    pub max_retries: u8,
    /// When to stop it.
    pub timeout: Duration,
    /// From our interrupt to the end of the whole process tree.
    pub grace: Duration,
    /// `PATH`, locale and what else the model's tools are to see; nothing else is inherited, and
    /// what the run itself sets wins.
    pub env: Vec<(OsString, OsString)>,
}

impl RunRequest {
    /// A run with careful defaults: no tool is allowed that is not read-only, two retries, ten
    /// minutes, an empty environment.
    #[must_use]
    pub fn new(
        cwd: PathBuf,
        private_dir: PathBuf,
        prompt: String,
        model: String,
        session: Session,
        credential: Credential,
    ) -> Self {
        Self {
            cwd,
            private_dir,
            prompt,
            model,
            session,
            tools: ToolPolicy::default(),
            credential,
            output_schema: None,
            append_system_prompt: None,
            max_turns: None,
            max_budget_nano_usd: None,
            max_retries: 2,
            timeout: Duration::from_secs(600),
            grace: supervisor::DEFAULT_GRACE,
            env: Vec::new(),
        }
    }
}

/// Which conversation a run belongs to. The CLI does not lock it: never run one twice at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Session {
    /// A new one under this id.
    New(SessionId),
    /// The one with this id, in the same private directory and working directory.
    Resume(SessionId),
}

impl Session {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        match self {
            Self::New(id) | Self::Resume(id) => id,
        }
    }
}

/// Id of a conversation: a UUID, the only form the CLI takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

/// Not a UUID.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session id is a UUID such as 0f5ea9f2-d918-47d8-9079-095f624d865d")]
pub struct BadSessionId;

impl SessionId {
    /// Makes a version 4 UUID from 128 random bits.
    #[must_use]
    pub fn from_random(bits: u128) -> Self {
        let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        Self(parts.join("-"))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for SessionId {
    type Err = BadSessionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let dashed = |(at, byte): (usize, u8)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        let valid = text.len() == 36 && text.bytes().enumerate().all(dashed);
        if valid { Ok(Self(text.to_owned())) } else { Err(BadSessionId) }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the model may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolPolicy {
    /// The tools that exist for it; `None` for all, empty for none.
    pub available: Option<Vec<String>>,
    /// Rules of what needs no permission: `Write`, `Bash(git *)`, `Edit(//abs/dir/**)`.
    pub allowed: Vec<String>,
    /// Rules of what is refused whatever else says.
    pub disallowed: Vec<String>,
    /// What happens to the rest.
    pub mode: PermissionMode,
}

/// What happens to a tool call that no rule decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PermissionMode {
    /// Refused, unless it only reads.
    #[default]
    DontAsk,
    /// File changes inside the working directory are allowed.
    AcceptEdits,
    /// Nothing may be changed.
    Plan,
    /// Everything is allowed. The CLI refuses to run so as root.
    BypassPermissions,
}

impl PermissionMode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DontAsk => "dontAsk",
            Self::AcceptEdits => "acceptEdits",
            Self::Plan => "plan",
            Self::BypassPermissions => "bypassPermissions",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bits_make_a_version_4_uuid() {
        assert_eq!(SessionId::from_random(0).as_str(), "00000000-0000-4000-8000-000000000000");
        assert_eq!(SessionId::from_random(u128::MAX).as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let id = SessionId::from_random(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
    }

    #[test]
    fn only_a_uuid_is_a_session_id() {
        for bad in
            ["", "--resume", "00000000-0000-4000-8000-00000000000", "00000000x0000-4000-8000-000000000000"]
        {
            assert_eq!(bad.parse::<SessionId>(), Err(BadSessionId), "{bad}");
        }
    }
}
