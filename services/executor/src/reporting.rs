//! How an executor's reports reach the driver.

use crate::OutcomeSpool;
use ports::{BusError, OutcomeBus, OutcomeReport};
use std::{sync::Arc, time::Duration};

/// Where an executor reports.
#[derive(Clone)]
pub enum Reporting {
    /// To a bus that ends with this process, and with it whoever would ask.
    Direct(Arc<dyn OutcomeBus>),
    /// To a bus that may lose reports: those of an end are kept until they are confirmed.
    Spooled(OutcomeSpool),
}

impl Reporting {
    /// Reports that an attempt was begun; returns when the bus has it. Nothing depends on its arrival.
    pub(crate) async fn begin(&self, report: OutcomeReport) -> Result<(), BusError> {
        match self {
            Self::Direct(bus) => bus.report(report).await.map(drop),
            Self::Spooled(spool) => spool.bus().report(report).await.map(drop),
        }
    }

    /// Reports the end of an attempt; returns when the bus has it.
    pub(crate) async fn end(&self, report: OutcomeReport) -> Result<(), BusError> {
        match self {
            Self::Direct(bus) => bus.report(report).await.map(drop),
            Self::Spooled(spool) => spool.report(report).await,
        }
    }

    /// Waits until everything is confirmed, but no longer than this.
    pub(crate) async fn close(&self, within: Duration) {
        match self {
            Self::Direct(_) => {}
            Self::Spooled(spool) => spool.close(within).await,
        }
    }
}
