//! Who asks, and what they may do.
//!
//! | file | what |
//! |---|---|
//! | `gate` | the way in: every request has a principal or is refused, but for what is open to everybody |
//! | `needing` | what an endpoint needs, declared where it is registered and documented from there |
//! | `credential` | where a request carries its key |
//! | `access` | from the text of a key to a principal, asking the store now and then |
//! | `recent` | what the store said lately |
//! | `uses` | when keys were used, told to the store once in a while |
//! | `caller` | the principal, for handlers |
//! | `standing` | whether the key that opened a stream still holds |
//! | `quota` | how many builds a key may have open |

mod access;
mod caller;
mod credential;
mod gate;
mod needing;
mod quota;
mod recent;
mod standing;
mod uses;

pub use access::{Access, Anonymous, Figures};
pub(crate) use caller::Caller;
pub(crate) use gate::{OpenPaths, enter};
pub(crate) use needing::{document_schemes, needing, no_figures, perhaps_needing};
pub(crate) use quota::{OverQuota, Turn};
pub(crate) use standing::{Lost, Standing};
