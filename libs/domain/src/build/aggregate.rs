//! The build behind cqrs-es's `Aggregate`: thin, so that its test framework can be used. The store is our
//! own, because cqrs-es's has no position in the whole log and no commit of several streams at once.

use super::{Build, BuildEvent, Command, Rejection};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};

impl DomainEvent for BuildEvent {
    fn event_type(&self) -> String {
        self.kind().to_owned()
    }

    fn event_version(&self) -> String {
        self.schema_version().to_string()
    }
}

impl Aggregate for Build {
    const TYPE: &'static str = "build";
    type Command = Command;
    type Event = BuildEvent;
    type Error = Rejection;
    type Services = ();

    async fn handle(&mut self, command: Command, (): &(), sink: &EventSink<Self>) -> Result<(), Rejection> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: BuildEvent) {
        Self::apply(self, &event);
    }
}
