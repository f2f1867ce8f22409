//! `up`.

use super::Usage;
use crate::{
    cli::{Global, SERVER_PORT, UpArgs},
    config::Config,
    embedded::{self, Options},
    hiring,
    interrupts::Interrupts,
    programs,
    render::print,
    session,
};
use std::{net::SocketAddr, process::ExitCode};

pub(crate) async fn up(global: &Global, args: UpArgs) -> anyhow::Result<ExitCode> {
    let listen = checked(global.listen(SERVER_PORT))?;
    let mut config = Config::read(args.config.as_deref())?;
    config.api.allow_local_repositories |= args.allow_local_repositories;
    args.pages.apply(&mut config.api);
    let data_dir = global.data_dir();
    if let Some(server) = session::running(&data_dir).await {
        anyhow::bail!("a server runs on {} already: {}", data_dir.display(), server.base());
    }
    let mut interrupts = Interrupts::listen()?;
    let hired = hiring::hire(&args.executor, &data_dir).await?;
    let options = Options {
        data_dir,
        listen,
        slots: usize::from(args.executor.slots),
        executor: hired.choice,
        rebuild: args.rebuild,
        config,
    };
    let mut embedded = Box::pin(embedded::start(options)).await?;
    let git = programs::git_version().await.unwrap_or_else(|| "unknown".to_owned());
    let base = format!("http://{}", embedded.address());
    print(&format!(
        "buildwright {version}\n  \
         address   {base}\n  \
         docs      {base}/docs\n  \
         data      {data_dir}\n  \
         executor  {executor}\n  \
         git       {git}\n  \
         sandbox   {sandbox}\n\
         Ctrl-C stops it; what is going on then is taken up again at the next start.",
        version = env!("CARGO_PKG_VERSION"),
        data_dir = embedded.data_dir().root().display(),
        executor = hired.about,
        sandbox = programs::sandbox(),
    ))?;
    tokio::select! {
        () = interrupts.next() => {}
        error = embedded.failed() => {
            embedded.shutdown().await;
            return Err(error);
        }
    }
    tracing::info!("stopping; Ctrl-C again quits at once");
    tokio::select! {
        () = embedded.shutdown() => Ok(ExitCode::SUCCESS),
        () = interrupts.next() => Ok(ExitCode::from(130)),
    }
}

/// There are no API keys yet, so everybody who reaches the port could have programs run here.
pub(super) fn checked(listen: SocketAddr) -> Result<SocketAddr, Usage> {
    match listen.ip().is_loopback() {
        true => Ok(listen),
        false => Err(Usage(format!(
            "{listen} can be reached from other machines, and there are no API keys yet: whoever reaches the \
             API can run programs here. Listen on 127.0.0.1, and let an authenticating proxy or `ssh -L` lead there."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_listened_to() {
        for (address, allowed) in
            [("127.0.0.1:80", true), ("[::1]:80", true), ("0.0.0.0:80", false), ("192.0.2.1:80", false)]
        {
            assert_eq!(checked(address.parse().unwrap()).is_ok(), allowed, "{address}");
        }
    }
}
