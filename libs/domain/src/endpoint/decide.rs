//! Command to events.

use super::{Command, Endpoint, EndpointEvent, EndpointSpec, EndpointState, Rejection, Values, data};
use chrono::{DateTime, Utc};

impl Endpoint {
    /// What a command on an endpoint, or on none yet, leads to. An empty answer means: accepted, and nothing
    /// changes.
    ///
    /// # Errors
    /// Why the command is refused.
    pub fn decide(this: Option<&Self>, command: Command) -> Result<Vec<EndpointEvent>, Rejection> {
        match (this, command) {
            (None, Command::Create { tenant, spec, from, at }) => {
                Ok(vec![data::EndpointCreated { tenant, spec, from, at }.into()])
            }
            (None, _) => Err(Rejection::Unknown),
            (Some(endpoint), command) => endpoint.decide_existing(command),
        }
    }

    fn decide_existing(&self, command: Command) -> Result<Vec<EndpointEvent>, Rejection> {
        if self.state == EndpointState::Deleted {
            return match command {
                Command::Create { .. } => Err(Rejection::AlreadyCreated),
                Command::Delete { .. } => Ok(Vec::new()),
                _ => Err(Rejection::Unknown),
            };
        }
        match command {
            Command::Create { .. } => Err(Rejection::AlreadyCreated),
            Command::Update { spec, values, at } => self.update(spec, values, at),
            Command::Disable { .. } if self.state != EndpointState::Enabled => Ok(Vec::new()),
            Command::Disable { reason, at } => Ok(vec![data::EndpointDisabled { reason, at }.into()]),
            Command::Enable { .. } if self.state == EndpointState::Enabled => Ok(Vec::new()),
            Command::Enable { from, at } => Ok(vec![data::EndpointEnabled { from, at }.into()]),
            Command::RotateSecret { old_valid_until, at } => {
                Ok(vec![data::EndpointSecretRotated { old_valid_until, at }.into()])
            }
            Command::Delete { at } => Ok(vec![data::EndpointDeleted { at }.into()]),
        }
    }

    /// New values of headers are told as a change, though none of it is seen: whoever holds the old ones must know.
    fn update(
        &self,
        spec: EndpointSpec,
        values: Values,
        at: DateTime<Utc>,
    ) -> Result<Vec<EndpointEvent>, Rejection> {
        if spec.build != self.spec.build {
            return Err(Rejection::OtherBuild);
        }
        if spec == self.spec && values == Values::Kept {
            return Ok(Vec::new());
        }
        Ok(vec![data::EndpointUpdated { spec, header_values: values, at }.into()])
    }
}
